package podlife

import "strings"

// A script is read as tokens: words, of which it is known what is quoted, and operators.
type token struct {
	op   bool
	text string // of an operator: ; && || | & ( ) { } > >> < newline is ;
	word []piece
}

// piece of a word: literal text, or with variables to be expanded in it.
type piece struct {
	text    string
	literal bool // in single quotes, or escaped
}

// tokens splits a script. It fails at quotes and substitutions that do not end. What else cannot be read shows later.
func tokens(text string) ([]token, bool) {
	var out []token
	var word []piece
	inWord := false
	flush := func() {
		if inWord {
			out = append(out, token{word: word})
			word, inWord = nil, false
		}
	}
	for i := 0; i < len(text); {
		ch := text[i]
		switch {
		case ch == '\\' && i+1 < len(text):
			if text[i+1] != '\n' {
				word, inWord = append(word, piece{text[i+1 : i+2], true}), true
			}
			i += 2
		case ch == '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return nil, false
			}
			word, inWord = append(word, piece{text[i+1 : i+1+end], true}), true
			i += end + 2
		case ch == '"':
			inner, length, ok := doubleQuoted(text[i+1:])
			if !ok {
				return nil, false
			}
			word, inWord = append(word, inner...), true
			i += length + 1
		case ch == '#' && !inWord:
			for i < len(text) && text[i] != '\n' {
				i++
			}
		case ch == ' ' || ch == '\t':
			flush()
			i++
		case strings.IndexByte("\n;&|<>()", ch) >= 0:
			length, op := operator(text[i:])
			if (op == ">" || op == ">>") && inWord && len(word) == 1 && (word[0].text == "1" || word[0].text == "2") {
				op = word[0].text + op
				word, inWord = nil, false
			}
			flush()
			out = append(out, token{op: true, text: op})
			i += length
		default:
			end := i + 1
			if strings.HasPrefix(text[i:], "$(") { // one word, to be expanded or to be unreadable
				rest := substitutionEnd(text[i+1:])
				if rest == "" && !strings.HasSuffix(text, ")") {
					return nil, false
				}
				end = len(text) - len(rest)
			}
			word, inWord = append(word, piece{text: text[i:end]}), true
			i = end
		}
	}
	flush()
	return out, true
}

func doubleQuoted(text string) (pieces []piece, length int, ok bool) {
	start := 0
	pieces = append(pieces, piece{"", true}) // an empty string is a word, too
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			return append(pieces, piece{text: text[start:i]}), i + 1, true
		case '\\':
			if i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0 {
				pieces = append(pieces, piece{text: text[start:i]}, piece{text[i+1 : i+2], true})
				i++
				start = i + 1
			}
		}
	}
	return nil, 0, false
}

func operator(text string) (length int, op string) {
	for _, op := range []string{">&1", ">&2", "&&", "||", ";;", ">>", "<<", "&>"} {
		if strings.HasPrefix(text, op) {
			return len(op), op
		}
	}
	if text[0] == '\n' {
		return 1, ";"
	}
	return 1, text[:1]
}
