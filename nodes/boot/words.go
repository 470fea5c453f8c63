package boot

import "strings"

// splitWords splits a line as a shell does, and takes its quotes away: in single quotes all stays, in double quotes a
// backslash keeps a quote, a dollar, a backtick or another backslash.
func splitWords(line string) []string {
	var (
		words  []string
		word   strings.Builder
		inWord bool
		quote  rune
	)
	runes := []rune(line)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case quote == 0 && strings.ContainsRune(" \t\r\n", r):
			if inWord {
				words, inWord = append(words, word.String()), false
				word.Reset()
			}
			continue
		case quote == 0 && (r == '\'' || r == '"'):
			quote = r
		case r == quote:
			quote = 0
		case r == '\\' && quote != '\'' && i+1 < len(runes) && (quote == 0 || strings.ContainsRune("\"$`\\", runes[i+1])):
			i++
			word.WriteRune(runes[i])
		default:
			word.WriteRune(r)
		}
		inWord = true
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}
