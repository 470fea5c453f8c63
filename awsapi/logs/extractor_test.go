package logs

import (
	"strings"
	"testing"
	"time"
)

// TestMetricFiltersGiveUpMessagesThatTakeTooLong: such a message is no match, whatever the pattern asks for, and the next
// one is looked at as any other.
func TestMetricFiltersGiveUpMessagesThatTakeTooLong(t *testing.T) {
	const slow = "%(a|b){1000}(a|b){1000}c%"
	long := strings.Repeat("a", 1<<20)
	for _, c := range []struct{ pattern, long, short string }{
		{slow, long, strings.Repeat("a", 2000) + "c"},
		{"-" + slow, long, "a"},
		{"[w != " + slow + "]", long, "a"},
		{"{ $.a != " + slow + " }", `{"a":"` + long + `"}`, `{"a":"a"}`},
	} {
		x, err := newExtractor(t.Context(), metricFilter{Pattern: c.pattern, Value: "1"})
		if err != nil {
			t.Fatal(err)
		}
		x.patience.limit = 20 * time.Millisecond
		began := time.Now()
		if matched, _, _, ok := x.extract(c.long); matched || ok {
			t.Errorf("%s: a message is a match that was not looked through", c.pattern)
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%s: it was looked at for %s", c.pattern, took)
		}
		x.patience.limit = time.Minute
		if matched, _, _, ok := x.extract(c.short); !matched || !ok {
			t.Errorf("%s: the next message is no match", c.pattern)
		}
	}
}
