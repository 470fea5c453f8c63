package podcmd

import "strings"

// lexer takes a script apart.
type lexer struct {
	rest  string
	depth int
}

const mostTokens = 2000

func (l *lexer) all() ([]token, error) {
	var tokens []token
	for {
		l.rest = strings.TrimLeft(l.rest, " \t\r")
		if strings.HasPrefix(l.rest, "#") {
			_, after, _ := strings.Cut(l.rest, "\n")
			l.rest = "\n" + after
		}
		if l.rest == "" {
			return tokens, nil
		}
		if len(tokens) >= mostTokens {
			return nil, unreadable("it is too long")
		}
		t, err := l.token()
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
	}
}

// redirections that plain scripts have, the longer before the shorter.
var redirections = []struct{ text, op string }{
	{"2>&1", ">2&1"}, {"2>/dev/null", ">2none"}, {"2> /dev/null", ">2none"}, {"1>&2", ">&2"}, {">&2", ">&2"}, {"> &2", ">&2"},
	{">/dev/stderr", ">&2"}, {"> /dev/stderr", ">&2"}, {"&>/dev/null", ">all"}, {"&> /dev/null", ">all"},
	{">/dev/null", ">/dev/null"}, {"> /dev/null", ">/dev/null"}, {">/dev/stdout", ">none"}, {"> /dev/stdout", ">none"},
}

func (l *lexer) token() (token, error) {
	for _, r := range redirections {
		if l.skip(r.text) {
			return token{op: r.op}, nil
		}
	}
	for _, op := range []string{"&&", "||", ";;", ";", "\n", "(", ")", "&", "|", "<", ">"} {
		if l.skip(op) {
			if op == "\n" {
				op = ";"
			}
			return token{op: op}, nil
		}
	}
	start := l.rest
	w, err := l.word()
	raw := start[:len(start)-len(l.rest)]
	if len(w) != 1 || w[0].kind != "" || w[0].quoted {
		raw = ""
	}
	return token{word: w, raw: raw}, err
}

func (l *lexer) skip(prefix string) bool {
	rest, ok := strings.CutPrefix(l.rest, prefix)
	l.rest = rest
	return ok
}

// word reads up to a blank or an operator. Parts that are alike are joined.
func (l *lexer) word() (word, error) {
	var w word
	for l.rest != "" && !strings.ContainsRune(" \t\r\n;&|()<>", rune(l.rest[0])) {
		parts, err := l.part()
		if err != nil {
			return nil, err
		}
		for _, p := range parts {
			if last := len(w) - 1; last >= 0 && p.kind == "" && w[last].kind == "" && p.quoted == w[last].quoted {
				w[last].text += p.text
				continue
			}
			w = append(w, p)
		}
	}
	return w, nil
}

func (l *lexer) part() ([]part, error) {
	c := l.rest[0]
	switch c {
	case '\'':
		text, after, closed := strings.Cut(l.rest[1:], "'")
		l.rest = after
		if !closed {
			return nil, unreadable("a quote is not closed")
		}
		return []part{{text: text, quoted: true}}, nil
	case '"':
		return l.doubleQuoted()
	case '\\':
		if len(l.rest) < 2 {
			return nil, unreadable("it ends in a backslash")
		}
		text := l.rest[1:2]
		l.rest = l.rest[2:]
		return []part{{text: text, quoted: true}}, nil
	case '$':
		p, err := l.dollar(false)
		return []part{p}, err
	case '`', '*': // a ? of a URL is meant as it stands, as no file is called so
		return nil, unreadable("%q is not known here", c)
	}
	l.rest = l.rest[1:]
	return []part{{text: string(c)}}, nil
}

func (l *lexer) doubleQuoted() ([]part, error) {
	l.rest = l.rest[1:]
	parts := []part{{quoted: true}} // "" is a word, too
	for {
		if l.rest == "" {
			return nil, unreadable("a quote is not closed")
		}
		switch c := l.rest[0]; {
		case c == '"':
			l.rest = l.rest[1:]
			return parts, nil
		case c == '$':
			p, err := l.dollar(true)
			if err != nil {
				return nil, err
			}
			parts = append(parts, p)
		case c == '`':
			return nil, unreadable("%q is not known here", c)
		case c == '\\' && len(l.rest) > 1 && strings.ContainsRune("\"\\$`", rune(l.rest[1])):
			parts = append(parts, part{text: l.rest[1:2], quoted: true})
			l.rest = l.rest[2:]
		default:
			parts = append(parts, part{text: l.rest[:1], quoted: true})
			l.rest = l.rest[1:]
		}
	}
}

// dollar reads $NAME, ${NAME}, $(commands) and $((arithmetic)). A $ before anything else is itself.
func (l *lexer) dollar(quoted bool) (part, error) {
	l.rest = l.rest[1:]
	switch {
	case l.skip("(("):
		text, after, closed := strings.Cut(l.rest, "))")
		l.rest = after
		if !closed {
			return part{}, unreadable("$(( is not closed")
		}
		return part{kind: "arith", text: text, quoted: quoted}, nil
	case l.skip("("):
		end := strings.IndexByte(l.rest, ')')
		if end < 0 || strings.ContainsAny(l.rest[:end], "('\"") && strings.Contains(l.rest[:end], "(") {
			return part{}, unreadable("$( is not closed, or nested")
		}
		inner, err := parseNested(l.rest[:end], l.depth+1)
		l.rest = l.rest[end+1:]
		return part{kind: "cmd", list: inner, quoted: quoted}, err
	case l.skip("{"):
		name, after, closed := strings.Cut(l.rest, "}")
		l.rest = after
		if !closed || !isName(name) {
			return part{}, unreadable("${%s} is not known", name)
		}
		return part{kind: "var", text: name, quoted: quoted}, nil
	case l.skip("?"):
		return part{kind: "var", text: "?", quoted: quoted}, nil
	}
	end := 0
	for end < len(l.rest) && isName(l.rest[:end+1]) {
		end++
	}
	if end == 0 {
		if l.rest != "" && strings.ContainsRune("0123456789@*#$!-", rune(l.rest[0])) {
			return part{}, unreadable("$%c is not known", l.rest[0])
		}
		return part{text: "$", quoted: true}, nil
	}
	name := l.rest[:end]
	l.rest = l.rest[end:]
	return part{kind: "var", text: name, quoted: quoted}, nil
}
