package logs

import "testing"

func TestStarStandsForAnything(t *testing.T) {
	for _, c := range []struct {
		wanted, found string
		want          bool
	}{
		{"*", "", true}, {"*", "a\nb", true}, {"a*", "a", true}, {"a*", "ba", false}, {"*a", "ba", true}, {"*a", "ab", false},
		{"a*a", "a", false}, {"a*a", "aa", true}, {"a*b*c", "a.b.b.c", true}, {"a*b*c", "a.c.b", false},
		{"*a*a*", "a", false}, {"*a*a*", "xaya", true},
		{"a**b", "ab", true}, {"a.c*", "abc", false}, {"ab*ba", "aba", false}, {"*ab*ab", "ab", false},
	} {
		if got := wildcard(c.wanted)(c.found); got != c.want {
			t.Errorf("%q and %q: got %v, want %v", c.wanted, c.found, got, c.want)
		}
	}
}
