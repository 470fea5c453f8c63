package expression

import (
	"context"
	"errors"
	"regexp/syntax"
	"slices"
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

func compiled(t *testing.T, source string) *Expression {
	t.Helper()
	e, err := Compile(source, MostSize)
	if err != nil {
		t.Fatalf("%s: %v", source, err)
	}
	return e
}

// TestMatchesEndWithTheirContext: it is looked often enough, and no more once nobody waits; a match is told only where it is
// sure.
func TestMatchesEndWithTheirContext(t *testing.T) {
	message := strings.Repeat("a", 1<<20)
	for _, source := range []string{"a{1000}b", "(a|b){1000}c", "a{1000}", "a+$", strings.Repeat("(a*)", 100) + "b", ".*(.)$"} {
		for name, match := range map[string]func(*Expression, context.Context) bool{
			"Match": func(e *Expression, ctx context.Context) bool { return e.Match(ctx, message) },
			"Find":  func(e *Expression, ctx context.Context) bool { return e.Find(ctx, message) != nil },
		} {
			ctx := &endsAfter{Context: t.Context(), most: 2}
			if got := match(compiled(t, source), ctx); got && ctx.asked > ctx.most {
				t.Errorf("%s of %.20s: got yes after its context", name, source)
			}
			if ctx.asked > ctx.most+2 {
				t.Errorf("%s of %.20s: went on for %d looks", name, source, ctx.asked-ctx.most)
			}
		}
	}
}

// TestMatchesOfAnEndedContextAreNotBegun: many messages, each of them quick, end too.
func TestMatchesOfAnEndedContextAreNotBegun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	e := compiled(t, "a{500}")
	if message := strings.Repeat("a", 1000); e.Match(ctx, message) || e.Find(ctx, message) != nil {
		t.Error("it was matched")
	}
}

func TestExpressionsFindTheSameInShortAndLongTexts(t *testing.T) {
	long := strings.Repeat("größe \xff", 200_000)
	long = "h" + strings.ReplaceAll(strings.ReplaceAll(long, "g", "h"), "ö", "o")
	for source, want := range map[string][]string{"b{3}(c)": {"bbbc", "c"}, "^g": nil, "c$": {"c"}, "[0-9]{400}": nil, "ö": nil,
		"x{2}": nil, "(x)?(bb)": {"bb", "", "bb"}, "(?P<name>b+)c": {"bbbc", "bbb"}} {
		e := compiled(t, source)
		for name, text := range map[string]string{"short": "a bbbc", "long": long + "a bbbc"} {
			if got := e.Match(t.Context(), text); got != (want != nil) {
				t.Errorf("%s in a %s text: got %t", source, name, got)
			}
			if got := e.Find(t.Context(), text); !slices.Equal(got, want) {
				t.Errorf("%s in a %s text: found %q, want %q", source, name, got, want)
			}
		}
	}
}

// TestSizesAreBounded: neither is a large expression used, nor compiled to find out; and the size is what RE2 makes of it.
func TestSizesAreBounded(t *testing.T) {
	for _, source := range []string{strings.Repeat(".{1000}", 500), "(" + strings.Repeat("a", 30) + "){1000}",
		"((?:" + strings.Repeat("ab?", 10) + "){10}){100}",
		"(" + strings.Repeat(".?", 1000) + "){20}"} {
		if _, err := Compile(source, MostSize); !errors.Is(err, ErrSize) {
			t.Errorf("%.20s: got %v", source, err)
		}
	}
	for _, source := range []string{"", "a", "abc", "a|bc|[de]", "(?i)größe", "(a)(?:b)", "a*b+c?", ".{1000}", "(a|b){3,7}",
		"(?:a{2,}|b*?){50}",
		"^$\\b\\pL", "(?:){9}", "a{0}", "(?:a|){100}", "()()", "[a-z]+://[^/]*(/.*)?"} {
		parsed, err := syntax.Parse(source, syntax.Perl)
		if err != nil {
			t.Fatal(err)
		}
		program, err := syntax.Compile(parsed.Simplify())
		if err != nil {
			t.Fatal(err)
		}
		if got, made := compiled(t, source).Size(), len(program.Inst)-2; got < made || got > 3*made+4 {
			t.Errorf("%s: the size is %d, and it has %d instructions", source, got, made)
		}
	}
	if e := compiled(t, strings.Repeat("(a)", 500)); e.Findable() {
		t.Error("of 500 groups the matches would be told")
	}
}
