package logs

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"
)

// pattern says whether a message is wanted.
type pattern func(message string) bool

// parsePattern reads a filter pattern, as "Filter pattern syntax for metric filters, subscription filters, filter log
// events, and Live Tail" of the CloudWatch Logs user guide has them: terms, a condition on JSON in braces, or
// space-delimited columns in brackets. Once ctx has ended, expressions say anything.
func parsePattern(ctx context.Context, text string) (pattern, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return func(string) bool { return true }, nil
	case text[0] == '{':
		return parseJSONPattern(ctx, text)
	case text[0] == '[':
		c, err := parseColumns(ctx, text)
		if err != nil {
			return nil, err
		}
		return c.match, nil
	}
	return parseTerms(ctx, text)
}

// badPattern is the exception for a pattern that cannot be used, whatever the reason.
func badPattern(reason string) error { return invalid("Invalid filter pattern: %s.", reason) }

// terms are a pattern of words: messages must have all of required and none of excluded, and where nothing is required
// one of optional.
type terms struct{ required, excluded, optional []pattern }

func parseTerms(ctx context.Context, text string) (pattern, error) {
	var all terms
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		to := &all.required
		switch text[0] {
		case '-':
			to, text = &all.excluded, text[1:]
		case '?':
			to, text = &all.optional, text[1:]
		}
		one, rest, err := parseTerm(ctx, text)
		if err != nil {
			return nil, err
		}
		*to, text = append(*to, one), rest
	}
	return all.match, nil
}

func (t terms) match(message string) bool {
	for _, one := range t.excluded {
		if one(message) {
			return false
		}
	}
	for _, one := range t.required {
		if !one(message) {
			return false
		}
	}
	if len(t.required) > 0 || len(t.optional) == 0 {
		return true // beside required terms AWS passes over the optional ones
	}
	for _, one := range t.optional {
		if one(message) {
			return true
		}
	}
	return false
}

// parseTerm reads a word, a phrase in double quotes or an expression between percent signs, and returns what follows.
func parseTerm(ctx context.Context, text string) (one pattern, rest string, err error) {
	switch {
	case text == "" || unicode.IsSpace(rune(text[0])):
		return nil, "", badPattern("a term is missing behind - or ?")
	case text[0] == '"':
		phrase, rest, err := unquote(text)
		if err != nil {
			return nil, "", err
		}
		return func(message string) bool { return hasWords(message, phrase) }, rest, nil
	case text[0] == '%':
		expression, rest, err := parseExpression(ctx, text)
		if err != nil {
			return nil, "", err
		}
		return expression, rest, nil
	}
	end := strings.IndexFunc(text, unicode.IsSpace)
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	return func(message string) bool { return hasWords(message, word) }, text[end:], nil
}

// unquote reads a text in double quotes, in which a backslash stands before quotes and backslashes.
func unquote(text string) (phrase, rest string, err error) {
	var b strings.Builder
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), text[i+1:], nil
		case c == '\\' && i+1 < len(text) && (text[i+1] == '"' || text[i+1] == '\\'):
			i++
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", "", badPattern("a quotation mark is not closed")
}

// hasWords says whether the message has the phrase as words of its own: CloudWatch does not find AUTH in UNAUTHORIZED.
func hasWords(message, phrase string) bool {
	if phrase == "" {
		return true
	}
	for from := 0; ; {
		at := strings.Index(message[from:], phrase)
		if at < 0 {
			return false
		}
		begin, end := from+at, from+at+len(phrase)
		first, size := utf8.DecodeRuneInString(phrase)
		last, _ := utf8.DecodeLastRuneInString(phrase)
		before, _ := utf8.DecodeLastRuneInString(message[:begin])
		behind, _ := utf8.DecodeRuneInString(message[end:])
		if !(inWord(first) && begin > 0 && inWord(before)) && !(inWord(last) && end < len(message) && inWord(behind)) {
			return true
		}
		from = begin + size
	}
}

func inWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' }
