package logs

import (
	"context"
	"strings"
	"testing"
)

// endsAfter is a context that has ended when it was asked so often.
type endsAfter struct {
	context.Context
	asked, most int
}

func (e *endsAfter) Err() error {
	if e.asked++; e.asked > e.most {
		return context.Canceled
	}
	return nil
}

// TestExpressionEndsWithItsContext: it looks often enough, and no more once nobody waits; it says yes only where it is
// sure.
func TestExpressionEndsWithItsContext(t *testing.T) {
	message := strings.Repeat("a", 1<<20)
	for _, text := range []string{"%a{1000}b%", "%(a|b){1000}c%", "%a{1000}%", "%a+$%"} {
		ctx := &endsAfter{Context: t.Context(), most: 1}
		match, _, err := parseExpression(ctx, text)
		if err != nil {
			t.Fatal(err)
		}
		if got := match(message); got && ctx.asked > ctx.most {
			t.Errorf("%s: got yes after its context", text)
		}
		if ctx.asked > ctx.most+2 {
			t.Errorf("%s: went on for %d looks", text, ctx.asked-ctx.most)
		}
	}
}

func TestExpressionsFindTheSameInShortAndLongMessages(t *testing.T) {
	long := strings.Repeat("größe \xff", 200_000)
	for text, want := range map[string]bool{"%b{3}c%": true, "%^g%": false, "%c$%": true, "%[0-9]{400}%": false,
		"%ö%": false, "%x{2}%": false} {
		match, _, err := parseExpression(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		if got := match("a bbbc"); got != want {
			t.Errorf("%s in a short message: got %t", text, got)
		}
		if got := match("h" + strings.ReplaceAll(strings.ReplaceAll(long, "g", "h"), "ö", "o") + "a bbbc"); got != want {
			t.Errorf("%s in a long message: got %t", text, got)
		}
	}
}
