package boot

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// tomlTable is a table of TOML: strings, int64s, float64s, bools, lists and tables.
type tomlTable = map[string]any

// parseTOML reads TOML 1.0, without dates, which no settings of Bottlerocket have.
func parseTOML(text string) (tomlTable, error) {
	p := &tomlParser{text: strings.ReplaceAll(text, "\r\n", "\n")}
	root := tomlTable{}
	table, defined := root, map[string]bool{}
	for {
		p.skip(true)
		var err error
		switch {
		case p.rest() == "":
			return root, nil
		case strings.HasPrefix(p.rest(), "[["):
			table, err = p.arrayTable(root)
		case strings.HasPrefix(p.rest(), "["):
			table, err = p.table(root, defined)
		default:
			err = p.keyValue(table)
		}
		if err == nil {
			err = p.endOfLine()
		}
		if err != nil {
			return nil, fmt.Errorf("TOML parse error at line %d, column %d: %w", p.line(), p.column(), err)
		}
	}
}

type tomlParser struct {
	text string
	at   int
}

func (p *tomlParser) rest() string { return p.text[p.at:] }
func (p *tomlParser) line() int    { return strings.Count(p.text[:p.at], "\n") + 1 }
func (p *tomlParser) column() int  { return p.at - strings.LastIndex(p.text[:p.at], "\n") }

// skip passes over spaces and, if lines says so, ends of lines and comments.
func (p *tomlParser) skip(lines bool) {
	for p.at < len(p.text) {
		switch c := p.text[p.at]; {
		case c == ' ' || c == '\t' || lines && c == '\n':
			p.at++
		case lines && c == '#':
			for p.at < len(p.text) && p.text[p.at] != '\n' {
				p.at++
			}
		default:
			return
		}
	}
}

func (p *tomlParser) take(token string) bool {
	if !strings.HasPrefix(p.rest(), token) {
		return false
	}
	p.at += len(token)
	return true
}

func (p *tomlParser) endOfLine() error {
	p.skip(false)
	if rest := p.rest(); rest == "" || rest[0] == '\n' || rest[0] == '#' {
		return nil
	}
	return sentence("expected newline, `#`")
}

const bareKey = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// key reads a key with its dots.
func (p *tomlParser) key() (names []string, err error) {
	for {
		p.skip(false)
		var name string
		if rest := p.rest(); rest != "" && (rest[0] == '"' || rest[0] == '\'') {
			if name, err = p.quoted(); err != nil {
				return nil, err
			}
		} else {
			end := len(rest) - len(strings.TrimLeft(rest, bareKey))
			if end == 0 {
				return nil, sentence("invalid key")
			}
			name = rest[:end]
			p.at += end
		}
		names = append(names, name)
		p.skip(false)
		if !p.take(".") {
			return names, nil
		}
	}
}

// within is the table with those names in a table, made where there is none.
func within(table tomlTable, names []string) (tomlTable, error) {
	for _, name := range names {
		switch next := table[name].(type) {
		case nil:
			made := tomlTable{}
			table[name], table = made, made
		case tomlTable:
			table = next
		case []any:
			last, isTable := next[len(next)-1].(tomlTable)
			if !isTable {
				return nil, fmt.Errorf("duplicate key `%s`", name)
			}
			table = last
		default:
			return nil, fmt.Errorf("duplicate key `%s`", name)
		}
	}
	return table, nil
}

func (p *tomlParser) table(root tomlTable, defined map[string]bool) (tomlTable, error) {
	p.take("[")
	names, err := p.key()
	if err != nil {
		return nil, err
	}
	if !p.take("]") {
		return nil, sentence("invalid table header, expected `.`, `]`")
	}
	if path := strings.Join(names, "\x00"); defined[path] {
		return nil, fmt.Errorf("invalid table header, duplicate key `%s`", names[len(names)-1])
	} else {
		defined[path] = true
	}
	return within(root, names)
}

func (p *tomlParser) arrayTable(root tomlTable) (tomlTable, error) {
	p.take("[[")
	names, err := p.key()
	if err != nil {
		return nil, err
	}
	if !p.take("]]") {
		return nil, sentence("invalid table header, expected `.`, `]]`")
	}
	last := len(names) - 1
	table, err := within(root, names[:last])
	if err != nil {
		return nil, err
	}
	list, _ := table[names[last]].([]any)
	made := tomlTable{}
	table[names[last]] = append(list, made)
	return made, nil
}

func (p *tomlParser) keyValue(table tomlTable) error {
	names, err := p.key()
	if err != nil {
		return err
	}
	if !p.take("=") {
		return sentence("expected `.`, `=`")
	}
	value, err := p.value()
	if err != nil {
		return err
	}
	last := len(names) - 1
	if table, err = within(table, names[:last]); err != nil {
		return err
	}
	if _, twice := table[names[last]]; twice {
		return fmt.Errorf("duplicate key `%s`", names[last])
	}
	table[names[last]] = value
	return nil
}

func (p *tomlParser) value() (any, error) {
	p.skip(false)
	rest := p.rest()
	switch {
	case rest == "":
		return nil, sentence("string values must be quoted, expected literal string")
	case rest[0] == '"' || rest[0] == '\'':
		return p.quoted()
	case rest[0] == '[':
		return p.list()
	case rest[0] == '{':
		return p.inline()
	case p.take("true"):
		return true, nil
	case p.take("false"):
		return false, nil
	}
	end := strings.IndexAny(rest+"\n", " \t\n,]}#")
	number := strings.ReplaceAll(rest[:end], "_", "")
	if n, err := strconv.ParseInt(number, 0, 64); err == nil {
		p.at += end
		return n, nil
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return nil, sentence("string values must be quoted, expected literal string")
	}
	p.at += end
	return f, nil
}

func (p *tomlParser) list() (any, error) {
	p.take("[")
	values := []any{}
	for {
		p.skip(true)
		if p.take("]") {
			return values, nil
		}
		value, err := p.value()
		if err != nil {
			return nil, err
		}
		values = append(values, value)
		p.skip(true)
		if !p.take(",") && !strings.HasPrefix(p.rest(), "]") {
			return nil, sentence("invalid array, expected `]`")
		}
	}
}

func (p *tomlParser) inline() (any, error) {
	p.take("{")
	table := tomlTable{}
	for first := true; ; first = false {
		p.skip(false)
		if first && p.take("}") {
			return table, nil
		}
		if err := p.keyValue(table); err != nil {
			return nil, err
		}
		p.skip(false)
		if p.take("}") {
			return table, nil
		}
		if !p.take(",") {
			return nil, sentence("invalid inline table, expected `}`")
		}
	}
}

// quoted reads a string: basic or literal, of one line or of several.
func (p *tomlParser) quoted() (string, error) {
	quote := p.rest()[:1]
	if p.take(strings.Repeat(quote, 3)) {
		p.take("\n")
		quote = strings.Repeat(quote, 3)
	} else {
		p.at++
	}
	var text strings.Builder
	for {
		switch rest := p.rest(); {
		case rest == "" || rest[0] == '\n' && len(quote) == 1:
			return "", sentence("invalid basic string")
		case p.take(quote):
			return text.String(), nil
		case rest[0] == '\\' && quote[0] == '"':
			r, err := p.escape()
			if err != nil {
				return "", err
			}
			text.WriteString(r)
		default:
			_, size := utf8.DecodeRuneInString(rest)
			text.WriteString(rest[:size])
			p.at += size
		}
	}
}

var tomlEscapes = map[byte]string{'b': "\b", 't': "\t", 'n': "\n", 'f': "\f", 'r': "\r", '"': `"`, '\\': `\`}

func (p *tomlParser) escape() (string, error) {
	rest := p.rest()
	if len(rest) < 2 {
		return "", sentence("invalid escape sequence")
	}
	c := rest[1]
	if plain, is := tomlEscapes[c]; is {
		p.at += 2
		return plain, nil
	}
	if digits := map[byte]int{'u': 4, 'U': 8}[c]; digits > 0 && len(rest) >= 2+digits {
		n, err := strconv.ParseUint(rest[2:2+digits], 16, 32)
		if err == nil {
			p.at += 2 + digits
			return string(rune(n)), nil
		}
	}
	if c == '\n' || c == ' ' || c == '\t' { // the line goes on
		p.at++
		p.at += len(p.rest()) - len(strings.TrimLeft(p.rest(), " \t\n"))
		return "", nil
	}
	return "", sentence("invalid escape sequence, expected `b`, `f`, `n`, `r`, `t`, `u`, `U`, `\\`, `\"`")
}
