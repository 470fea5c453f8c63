package iam

import (
	"strings"
	"unicode/utf8"
)

// pattern is a policy's text with its variables filled in. What a variable brought is compared literally, whatever it
// holds: else a session named "*" would match everything.
type pattern []patternRune

type patternRune struct {
	r    rune
	wild bool // r is * or ? and stands for others
}

// mostExpanded is how long a pattern gets, in characters, by what its variables bring: a policy can name one long value
// thousands of times.
const mostExpanded = 64 << 10

// expand fills in ${key}, ${key, 'default'} and the literals ${*}, ${?} and ${$}. It fails where a key is missing that
// has no default, and where the text grows longer than anything that it is compared with.
func expand(text string, keys Keys, variables bool) (pattern, bool) {
	var p pattern
	literal := func(s string) {
		for _, r := range s {
			p = append(p, patternRune{r: r})
		}
	}
	for text != "" {
		if end := strings.IndexByte(text, '}'); variables && strings.HasPrefix(text, "${") && end > 0 {
			name, fallback, hasFallback := strings.Cut(text[2:end], ",")
			text = text[end+1:]
			values := keys[strings.ToLower(strings.TrimSpace(name))]
			switch {
			case name == "*" || name == "?" || name == "$":
				literal(name)
			case len(values) == 1:
				literal(values[0])
			case hasFallback && len(values) == 0:
				literal(strings.Trim(strings.TrimSpace(fallback), "'"))
			default:
				return nil, false
			}
			if len(p) > mostExpanded {
				return nil, false
			}
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		p = append(p, patternRune{r, r == '*' || r == '?'})
		text = text[size:]
	}
	return p, true
}

func (p pattern) text() string {
	var b strings.Builder
	for _, one := range p {
		b.WriteRune(one.r)
	}
	return b.String()
}

// split cuts the pattern at a separator into n parts at most.
func (p pattern) split(separator rune, n int) []pattern {
	var parts []pattern
	start := 0
	for i, one := range p {
		if one.r == separator && len(parts) < n-1 {
			parts = append(parts, p[start:i])
			start = i + 1
		}
	}
	return append(parts, p[start:])
}

// matches compares the whole text. It takes time in proportion to the product of the lengths at worst, never more.
func (p pattern) matches(text string) bool {
	runes := []rune(text)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(runes) {
		switch {
		case j < len(p) && p[j].wild && p[j].r == '*':
			star, mark = j, i
			j++
		case j < len(p) && (p[j].wild || p[j].r == runes[i]):
			i, j = i+1, j+1
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j].wild && p[j].r == '*' {
		j++
	}
	return j == len(p)
}
