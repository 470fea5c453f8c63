package insights

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// SyntaxError says what is wrong with a query, and where: from the character Start up to End, which is not included.
type SyntaxError struct {
	Start, End int
	Message    string
}

func (e *SyntaxError) Error() string { return e.Message }

type tokenKind uint8

const (
	tokenEnd     tokenKind = iota
	tokenName              // of a field, a command, a function or an operator in letters
	tokenQuoted            // a name between backquotes
	tokenNumber            //
	tokenPeriod            // a number with a unit, such as 5m
	tokenString            // between single or double quotes
	tokenSymbol            // an operator or a bracket
	tokenUnknown           // what no query has
)

// token is a part of a query: text is what it means, from and to where it stands, in bytes.
type token struct {
	kind     tokenKind
	text     string
	from, to int
}

// lexer cuts a query into tokens. What stands behind # on a line is a comment.
type lexer struct {
	query string
	at    int // behind the token
	ended int // where the token before it ended
	token
}

// next reads the next token.
func (l *lexer) next() {
	l.ended = l.to
	l.skipBlank()
	l.from = l.at
	rest := l.query[l.at:]
	if rest == "" {
		l.set(tokenEnd, "", 0)
		return
	}
	first, size := utf8.DecodeRuneInString(rest)
	switch {
	case first == '"' || first == '\'':
		l.quoted(tokenString, byte(first))
	case first == '`':
		l.quoted(tokenQuoted, '`')
	case first >= '0' && first <= '9' || first == '.' && len(rest) > 1 && rest[1] >= '0' && rest[1] <= '9':
		l.number(rest)
	case beginsName(first):
		end := nameEnd(rest)
		l.set(tokenName, rest[:end], end)
	default:
		for _, symbol := range []string{"=~", "!=", "<=", ">=", "==", "<>"} {
			if strings.HasPrefix(rest, symbol) {
				l.set(tokenSymbol, symbol, 2)
				return
			}
		}
		if strings.ContainsRune("|,()[]=<>+-*/%^", first) {
			l.set(tokenSymbol, rest[:size], size)
			return
		}
		l.set(tokenUnknown, rest[:size], size)
	}
}

func (l *lexer) set(kind tokenKind, text string, length int) {
	l.kind, l.text, l.at = kind, text, l.from+length
	l.to = l.at
}

func (l *lexer) skipBlank() {
	for l.at < len(l.query) {
		r, size := utf8.DecodeRuneInString(l.query[l.at:])
		switch {
		case unicode.IsSpace(r):
			l.at += size
		case r == '#':
			end := strings.IndexByte(l.query[l.at:], '\n')
			if end < 0 {
				l.at = len(l.query)
				return
			}
			l.at += end
		default:
			return
		}
	}
}

func beginsName(r rune) bool { return r == '@' || r == '_' || r == '$' || unicode.IsLetter(r) }

// nameEnd is where a name ends: names have dots, and indices such as [0].
func nameEnd(text string) int {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		switch {
		case beginsName(r) || unicode.IsDigit(r) || r == '.' || r == ':':
			at += size
		case r == '[':
			end := strings.IndexByte(text[at:], ']')
			if end < 2 || strings.Trim(text[at+1:at+end], "0123456789") != "" {
				return at
			}
			at += end + 1
		case r == '`' && at > 0 && text[at-1] == '.': // map.`special.name`
			end := strings.IndexByte(text[at+1:], '`')
			if end < 0 {
				return at
			}
			at += end + 2
		default:
			return at
		}
	}
	return at
}

// number reads 12, 1.5 and 5m.
func (l *lexer) number(rest string) {
	digits := func(from int) int {
		for from < len(rest) && rest[from] >= '0' && rest[from] <= '9' {
			from++
		}
		return from
	}
	end := digits(0)
	if end < len(rest) && rest[end] == '.' {
		end = digits(end + 1)
	}
	if end < len(rest) && (rest[end] == 'e' || rest[end] == 'E') {
		from := end + 1
		if from < len(rest) && (rest[from] == '-' || rest[from] == '+') {
			from++
		}
		if to := digits(from); to > from {
			end = to
		}
	}
	letters := end
	for letters < len(rest) && unicode.IsLetter(rune(rest[letters])) {
		letters++
	}
	if letters > end {
		l.set(tokenPeriod, rest[:letters], letters)
		return
	}
	l.set(tokenNumber, rest[:end], end)
}

// quoted reads what stands between quotes. A backslash stands before a quote and a backslash; before others it is itself.
func (l *lexer) quoted(kind tokenKind, quote byte) {
	var text strings.Builder
	rest := l.query[l.at:]
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == quote:
			l.set(kind, text.String(), i+1)
			return
		case c == '\\' && i+1 < len(rest) && (rest[i+1] == quote || rest[i+1] == '\\'):
			i++
			text.WriteByte(rest[i])
		default:
			text.WriteByte(c)
		}
	}
	l.set(tokenUnknown, rest, len(rest))
}

// expression reads a regular expression between slashes, which the token begins, and goes on behind it. Only who expects
// one can tell it from a division.
func (l *lexer) expression() (text string, ok bool) {
	rest := l.query[l.from:]
	var read strings.Builder
	for i := 1; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '/':
			l.at = l.from + i + 1
			l.to = l.at
			l.next()
			return read.String(), true
		case c == '\\' && i+1 < len(rest):
			i++
			if rest[i] != '/' {
				read.WriteByte('\\')
			}
			read.WriteByte(rest[i])
		default:
			read.WriteByte(c)
		}
	}
	return "", false
}

// wrong is the error of a part of the query.
func (l *lexer) wrong(from, to int, format string, args ...any) error {
	return &SyntaxError{Start: utf8.RuneCountInString(l.query[:from]), End: utf8.RuneCountInString(l.query[:to]),
		Message: fmt.Sprintf(format, args...)}
}

// unexpected is the error of the token, in the words of AWS's.
func (l *lexer) unexpected(wanted string) error {
	found := l.query[l.from:l.to]
	if l.kind == tokenEnd {
		found = "<EOF>"
	}
	line, column := 1, 0
	for _, r := range l.query[:l.from] {
		column++
		if r == '\n' {
			line, column = line+1, 0
		}
	}
	return l.wrong(l.from, l.to, "unexpected symbol found %.64s at line %d and position %d: %s is expected", found, line, column, wanted)
}
