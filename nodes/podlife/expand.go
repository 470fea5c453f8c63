package podlife

import (
	"fmt"
	"strconv"
	"strings"

	"tripod/nodes/machine"
)

// words are what a token's word expands to: one, or those of a sequence.
func (r *reader) words(t token) []string {
	if len(t.word) == 1 && !t.word[0].literal && strings.HasPrefix(t.word[0].text, "$(seq ") {
		if list, ok := sequence(strings.Fields(strings.TrimSuffix(t.word[0].text[len("$(seq "):], ")"))); ok {
			return list
		}
	}
	var b strings.Builder
	plain := ""
	flush := func() {
		b.WriteString(r.expand(plain))
		plain = ""
	}
	for _, p := range t.word {
		if p.literal {
			flush()
			b.WriteString(p.text)
		} else {
			plain += p.text
		}
	}
	flush()
	return []string{b.String()}
}

// sequence is what seq prints.
func sequence(args []string) ([]string, bool) {
	first, last := 1, 0
	var err error
	switch len(args) {
	case 1:
		last, err = strconv.Atoi(args[0])
	case 2:
		if first, err = strconv.Atoi(args[0]); err == nil {
			last, err = strconv.Atoi(args[1])
		}
	default:
		return nil, false
	}
	if err != nil || last-first > maxSequence {
		return nil, false
	}
	var list []string
	for i := first; i <= last; i++ {
		list = append(list, strconv.Itoa(i))
	}
	return list, true
}

// expand replaces variables. One that is not known, and every substitution, makes the command unreadable unless nothing
// depends on it.
func (r *reader) expand(text string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if strings.Contains(before, "`") && !r.skip {
			r.s.unreadable = true
		}
		if !found {
			return b.String()
		}
		var name string
		switch {
		case strings.HasPrefix(rest, "?"):
			b.WriteString(strconv.Itoa(int(r.s.status)))
			text = rest[1:]
			continue
		case strings.HasPrefix(rest, "{"):
			end := strings.IndexByte(rest, '}')
			if end < 0 {
				r.s.unreadable = true
				return ""
			}
			name, text = rest[1:end], rest[end+1:]
		case strings.HasPrefix(rest, "("):
			text = substitutionEnd(rest)
			b.WriteString(r.substitution(rest[:len(rest)-len(text)]))
			continue
		default:
			end := 0
			for end < len(rest) && nameByte(rest[end]) {
				end++
			}
			name, text = rest[:end], rest[end:]
		}
		if name == "" {
			b.WriteByte('$')
			continue
		}
		b.WriteString(r.variable(name))
	}
}

// variable is the value of a variable.
func (r *reader) variable(name string) string {
	if value, known := r.s.vars[name]; known {
		return value
	}
	if name == "RANDOM" && !r.skip {
		r.s.drawn++
		return strconv.FormatUint(machine.Hash(fmt.Sprintf("%d/%d", r.s.seed, r.s.drawn))%32768, 10)
	}
	return unknownMark
}

// substitution is what $((...)) or $(expr ...) comes to; other commands' output is not known.
func (r *reader) substitution(text string) string {
	if inner, ok := strings.CutPrefix(text, "(("); ok {
		if inner, ok = strings.CutSuffix(inner, "))"); ok {
			return r.arithmetic(inner)
		}
	}
	if inner, ok := strings.CutPrefix(strings.Trim(text, "() "), "expr "); ok {
		return r.arithmetic(inner)
	}
	return unknownMark
}

// arithmetic does integers with + - * / %, from left to right, and the latter three first.
func (r *reader) arithmetic(text string) string {
	text = r.expand(text)
	for _, op := range []string{"+", "-", "*", "/", "%"} {
		text = strings.ReplaceAll(text, op, " "+op+" ")
	}
	words := strings.Fields(text)
	if len(words)%2 == 0 {
		return unknownMark
	}
	sum, term, sign := 0, 0, 1
	for i := 0; i < len(words); i += 2 {
		word := words[i]
		if word[0] >= 'A' { // variables need no $ here
			word = r.variable(word)
		}
		n, err := strconv.Atoi(word)
		if err != nil {
			return unknownMark
		}
		op := "+"
		if i > 0 {
			op = words[i-1]
		}
		switch {
		case op == "+" || op == "-":
			sum += sign * term
			term, sign = n, 1
			if op == "-" {
				sign = -1
			}
		case op == "*":
			term *= n
		case n == 0:
			return unknownMark
		case op == "/":
			term /= n
		default:
			term %= n
		}
	}
	return strconv.Itoa(sum + sign*term)
}

// unknownMark stands for what is not known; echo may print it, nothing else may read it.
const unknownMark = "\x00"

func nameByte(b byte) bool { return b == '_' || b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' }

func substitutionEnd(rest string) string {
	depth := 0
	for i := range len(rest) {
		switch rest[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return rest[i+1:]
			}
		}
	}
	return ""
}
