package insights

import (
	"encoding/json"
	"strconv"
	"strings"
)

// deepest is how far objects and lists of a message may stand in each other; what is deeper is no field.
const deepest = 100

// wanted is a field that is looked for: rest is its path from where the walk is.
type wanted struct {
	slot int
	rest string
}

// walker reads JSON once and finds fields in it by their paths, such as a.b[0].c or a.b.0.c, without building anything.
// Keys may have dots themselves.
type walker struct {
	text  string
	at    int
	found func(slot int, v value)
	stack []wanted // of all levels
}

// fragment is the first JSON object of a message, which may stand behind other text.
func fragment(message string) string {
	at := strings.IndexByte(message, '{')
	if at < 0 {
		return ""
	}
	return message[at:]
}

// walk says whether the text begins with a whole JSON value, and finds fields in it.
func (w *walker) walk(text string, fields []wanted, found func(slot int, v value)) bool {
	w.text, w.at, w.found, w.stack = text, 0, found, w.stack[:0]
	return w.value(fields, 0)
}

func (w *walker) blank() byte {
	for w.at < len(w.text) {
		switch c := w.text[w.at]; c {
		case ' ', '\t', '\r', '\n':
			w.at++
		default:
			return c
		}
	}
	return 0
}

// value reads one. fields are those that it is or has; one with an empty rest is it.
func (w *walker) value(fields []wanted, depth int) bool {
	if depth > deepest {
		return false
	}
	first, from := w.blank(), w.at
	var ok bool
	var v value
	switch {
	case first == '{':
		ok = w.object(fields, depth)
		v = value{kind: document}
	case first == '[':
		ok = w.list(fields, depth)
		v = value{kind: document}
	case first == '"':
		var escaped bool
		escaped, ok = w.skipString()
		if ok && len(fields) > 0 {
			v = textOf(unquote(w.text[from:w.at], escaped))
		}
	default:
		v, ok = w.literal()
	}
	if !ok {
		return false
	}
	for _, field := range fields {
		if field.rest == "" && v.kind != missing {
			if v.kind == document {
				v.text = w.text[from:w.at]
			}
			w.found(field.slot, v)
		}
	}
	return true
}

// unquote is what a JSON string says.
func unquote(quoted string, escaped bool) string {
	if !escaped {
		return quoted[1 : len(quoted)-1]
	}
	var s string
	if json.Unmarshal([]byte(quoted), &s) != nil {
		return quoted[1 : len(quoted)-1]
	}
	return s
}

func (w *walker) skipString() (escaped, ok bool) {
	w.at++
	for {
		end := strings.IndexByte(w.text[w.at:], '"')
		if end < 0 {
			return escaped, false
		}
		slashes := 0
		for slashes < end && w.text[w.at+end-1-slashes] == '\\' {
			slashes++
		}
		escaped = escaped || strings.IndexByte(w.text[w.at:w.at+end], '\\') >= 0
		w.at += end + 1
		if slashes%2 == 0 {
			return escaped, true
		}
	}
}

// literal reads a number, true, false or null.
func (w *walker) literal() (value, bool) {
	rest := w.text[w.at:]
	for _, word := range []string{"true", "false", "null"} {
		if strings.HasPrefix(rest, word) {
			w.at += len(word)
			if word == "null" {
				return value{}, true
			}
			return truth(word == "true"), true
		}
	}
	end := 0
	for end < len(rest) && (rest[end] >= '0' && rest[end] <= '9' || strings.IndexByte("+-.eE", rest[end]) >= 0) {
		end++
	}
	f, err := strconv.ParseFloat(rest[:end], 64)
	if err != nil {
		return value{}, false
	}
	w.at += end
	return value{kind: number, num: f, text: rest[:end]}, true
}

func (w *walker) object(fields []wanted, depth int) bool {
	w.at++
	if w.blank() == '}' {
		w.at++
		return true
	}
	for {
		if w.blank() != '"' {
			return false
		}
		from := w.at
		escaped, ok := w.skipString()
		if !ok {
			return false
		}
		key := unquote(w.text[from:w.at], escaped)
		if w.blank() != ':' {
			return false
		}
		w.at++
		inner := w.below(fields, key)
		ok = w.value(inner, depth+1)
		w.stack = w.stack[:len(w.stack)-len(inner)]
		if !ok {
			return false
		}
		switch w.blank() {
		case ',':
			w.at++
		case '}':
			w.at++
			return true
		default:
			return false
		}
	}
}

func (w *walker) list(fields []wanted, depth int) bool {
	w.at++
	if w.blank() == ']' {
		w.at++
		return true
	}
	for i := 0; ; i++ {
		var inner []wanted
		if len(fields) > 0 {
			inner = w.below(fields, strconv.Itoa(i))
		}
		ok := w.value(inner, depth+1)
		w.stack = w.stack[:len(w.stack)-len(inner)]
		if !ok {
			return false
		}
		switch w.blank() {
		case ',':
			w.at++
		case ']':
			w.at++
			return true
		default:
			return false
		}
	}
}

// below are those of the fields that are in the member with that key, on the stack.
func (w *walker) below(fields []wanted, key string) []wanted {
	from := len(w.stack)
	for _, field := range fields {
		rest := field.rest
		if rest != "" && rest[0] == '[' {
			index, behind, _ := strings.Cut(rest[1:], "]")
			if index == key {
				w.stack = append(w.stack, wanted{field.slot, strings.TrimPrefix(behind, ".")})
			}
			continue
		}
		if !strings.HasPrefix(rest, key) || key == "" {
			continue
		}
		switch behind := rest[len(key):]; {
		case behind == "":
			w.stack = append(w.stack, wanted{field.slot, ""})
		case behind[0] == '.':
			w.stack = append(w.stack, wanted{field.slot, behind[1:]})
		case behind[0] == '[':
			w.stack = append(w.stack, wanted{field.slot, behind})
		}
	}
	return w.stack[from:]
}

// Fields calls fn for every field that a message's JSON has, by its path with dots, with what it shows.
func Fields(message string, fn func(name, shown string)) {
	text := fragment(message)
	if text == "" {
		return
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var decoded map[string]any
	if decoder.Decode(&decoded) != nil {
		return
	}
	flatten("", decoded, fn)
}

func flatten(path string, decoded any, fn func(name, shown string)) {
	under := func(name string) string {
		if path == "" {
			return name
		}
		return path + "." + name
	}
	switch v := decoded.(type) {
	case map[string]any:
		for name, member := range v {
			flatten(under(name), member, fn)
		}
	case []any:
		for i, member := range v {
			flatten(under(strconv.Itoa(i)), member, fn)
		}
	case string:
		fn(path, v)
	case json.Number:
		fn(path, v.String())
	case bool:
		fn(path, truth(v).String())
	}
}
