package boot

import (
	"regexp"
	"slices"
	"strings"
)

// command of a shell script: its words, with quotes taken away.
type command []string

// shell reads scripts as far as bootstrap.sh is called in them: words, quotes, continued lines, comments, here-documents
// and assignments with simple values. All commands count, whatever if or while is around them, and none is run.
type shell struct {
	variables map[string]string
	commands  []command
	// unknown are substitutions that would have had to be run.
	unknown []string

	plain   bool // only words and quotes count
	words   command
	word    strings.Builder
	inWord  bool
	heredoc []string
}

// readScript is what is in a script.
func readScript(text string) *shell {
	s := &shell{variables: map[string]string{}}
	runes := []rune(strings.ReplaceAll(text, "\r\n", "\n"))
	for i := 0; i < len(runes); {
		i = s.step(runes, i)
	}
	s.endCommand()
	return s
}

// splitWords splits a line as a shell does that knows nothing but words and quotes.
func splitWords(line string) []string {
	s := &shell{plain: true}
	runes := []rune(line)
	for i := 0; i < len(runes); {
		i = s.step(runes, i)
	}
	s.endWord()
	return s.words
}

// step reads what begins at a rune outside of quotes, and says where it ends.
func (s *shell) step(runes []rune, i int) int {
	switch r := runes[i]; {
	case r == '\\' && i+1 < len(runes):
		if runes[i+1] != '\n' {
			s.add(string(runes[i+1]))
		}
		return i + 2
	case r == '\'':
		end := find(runes, i+1, '\'')
		s.add(string(runes[i+1 : end]))
		return end + 1
	case r == '"':
		return s.doubleQuoted(runes, i+1)
	case r == ' ' || r == '\t' || r == '\n' && s.plain:
		s.endWord()
		return i + 1
	case s.plain:
		s.add(string(r))
		return i + 1
	case r == '$' || r == '`':
		value, next := s.substitution(runes, i)
		s.add(value)
		return next
	case r == '#' && !s.inWord:
		return find(runes, i, '\n')
	case r == '\n':
		s.endCommand()
		return s.skipHeredocs(runes, i+1)
	case strings.ContainsRune(";|&(){}", r) && !(s.inWord && strings.ContainsRune("{}", r)):
		s.endCommand()
		return i + 1
	case r == '<' && i+1 < len(runes) && runes[i+1] == '<' && (i+2 >= len(runes) || runes[i+2] != '<'):
		s.endWord()
		return s.heredocBegins(runes, i+2)
	default:
		s.add(string(r))
		return i + 1
	}
}

func find(runes []rune, from int, r rune) int {
	if at := slices.Index(runes[min(from, len(runes)):], r); at >= 0 {
		return from + at
	}
	return len(runes)
}

func (s *shell) add(text string) {
	s.word.WriteString(text)
	s.inWord = true
}

func (s *shell) endWord() {
	if s.inWord {
		s.words = append(s.words, s.word.String())
		s.word.Reset()
		s.inWord = false
	}
}

var assignment = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=(?s:(.*))$`)

// endCommand keeps a command, or what it assigns.
func (s *shell) endCommand() {
	s.endWord()
	words := s.words
	s.words = nil
	for len(words) > 0 {
		if words[0] == "export" || words[0] == "local" || words[0] == "readonly" || words[0] == "declare" {
			words = words[1:]
			continue
		}
		match := assignment.FindStringSubmatch(words[0])
		if match == nil {
			s.commands = append(s.commands, words)
			return
		}
		s.variables[match[1]], words = match[2], words[1:]
	}
}

func (s *shell) doubleQuoted(runes []rune, i int) int {
	s.inWord = true
	for i < len(runes) && runes[i] != '"' {
		switch r := runes[i]; {
		case r == '\\' && i+1 < len(runes) && strings.ContainsRune("\"$`\\\n", runes[i+1]):
			if runes[i+1] != '\n' {
				s.add(string(runes[i+1]))
			}
			i += 2
		case (r == '$' || r == '`') && !s.plain:
			value, next := s.substitution(runes, i)
			s.add(value)
			i = next
		default:
			s.add(string(r))
			i++
		}
	}
	return i + 1
}

var variable = regexp.MustCompile(`^\$(?:\{([A-Za-z_][A-Za-z0-9_]*)(?::?-([^}]*))?\}|([A-Za-z_][A-Za-z0-9_]*))`)

// substitution is the value of a variable, or nothing for what would have to be run.
func (s *shell) substitution(runes []rune, i int) (string, int) {
	rest := string(runes[i:min(i+1024, len(runes))])
	if match := variable.FindStringSubmatch(rest); match != nil {
		value := s.variables[match[1]+match[3]]
		if value == "" {
			value = strings.Trim(match[2], `"'`)
		}
		return value, i + len([]rune(match[0]))
	}
	if runes[i] == '`' {
		end := find(runes, i+1, '`')
		s.unknown = append(s.unknown, string(runes[i:min(end+1, len(runes))]))
		return "", end + 1
	}
	if i+1 < len(runes) && runes[i+1] == '(' {
		depth, end := 0, i+1
		for ; end < len(runes); end++ {
			if runes[end] == '(' {
				depth++
			} else if runes[end] == ')' {
				if depth--; depth == 0 {
					break
				}
			}
		}
		s.unknown = append(s.unknown, string(runes[i:min(end+1, len(runes))]))
		return "", end + 1
	}
	return "$", i + 1
}

// heredocBegins reads the word that ends a here-document.
func (s *shell) heredocBegins(runes []rune, i int) int {
	for i < len(runes) && strings.ContainsRune(" \t-", runes[i]) {
		i++
	}
	end := i
	for end < len(runes) && !strings.ContainsRune(" \t\n;|&<>)", runes[end]) {
		end++
	}
	s.heredoc = append(s.heredoc, strings.Trim(string(runes[i:end]), `"'\`))
	return end
}

// skipHeredocs passes over the here-documents that a line begins.
func (s *shell) skipHeredocs(runes []rune, i int) int {
	for len(s.heredoc) > 0 && i < len(runes) {
		end := find(runes, i, '\n')
		if strings.TrimLeft(string(runes[i:end]), "\t") == s.heredoc[0] {
			s.heredoc = s.heredoc[1:]
		}
		i = min(end+1, len(runes))
	}
	return i
}
