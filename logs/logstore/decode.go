package logstore

import (
	"encoding/json"
	"strconv"
	"strings"
)

// reader reads lines of a journal quickly: as write writes them, without reflection, and with messages that are parts of the
// text wherever they need no decoding. What looks otherwise is read by encoding/json.
type reader struct {
	events []Event // of the last line, used again
}

// read reads a line, without its line feed. The batch is good until the next call.
func (r *reader) read(line string) (batch, bool) {
	if b, ok := r.plain(line); ok {
		return b, true
	}
	var b batch
	return b, json.Unmarshal([]byte(line), &b) == nil
}

// batches calls fn for every batch of the text, which begins at offset start of the journal, until fn says that it is
// not to go on. The batch's events are good until fn returns, and their messages are parts of the text. Lines that cannot be read,
// of a disk that failed, are passed over.
func (r *reader) batches(text string, start int64, fn func(offset int64, b batch) bool) {
	for {
		line, rest, whole := strings.Cut(text, "\n")
		if !whole {
			return
		}
		if b, ok := r.read(line); ok && !fn(start, b) {
			return
		}
		text, start = rest, start+int64(len(line))+1
	}
}

// plain reads {"in":N,"mark":ANYTHING,"ev":[{"t":N,"m":"TEXT"},...]}.
func (r *reader) plain(line string) (b batch, ok bool) {
	r.events = r.events[:0]
	rest, ok := strings.CutPrefix(line, `{"in":`)
	if !ok {
		return b, false
	}
	if b.Ingested, rest, ok = integer(rest); !ok {
		return b, false
	}
	if marked, has := strings.CutPrefix(rest, `,"mark":`); has {
		if rest, ok = behindValue(marked); !ok {
			return b, false
		}
		b.Mark = json.RawMessage(marked[:len(marked)-len(rest)])
	}
	if rest, ok = strings.CutPrefix(rest, `,"ev":[`); !ok {
		return b, false
	}
	for {
		var e Event
		if rest, ok = strings.CutPrefix(rest, `{"t":`); !ok {
			return b, false
		}
		if e.Time, rest, ok = integer(rest); !ok {
			return b, false
		}
		if rest, ok = strings.CutPrefix(rest, `,"m":"`); !ok {
			return b, false
		}
		end, escaped := stringEnd(rest)
		if end < 0 {
			return b, false
		}
		if e.Message = rest[:end]; escaped {
			if e.Message, ok = unescape(e.Message); !ok {
				return b, false
			}
		}
		r.events, rest = append(r.events, e), rest[end+1:]
		switch {
		case strings.HasPrefix(rest, "},"):
			rest = rest[2:]
		case rest == "}]}":
			b.Events = r.events
			return b, true
		default:
			return b, false
		}
	}
}

func integer(text string) (n int64, rest string, ok bool) {
	end := 0
	if end < len(text) && text[end] == '-' {
		end++
	}
	for end < len(text) && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, err := strconv.ParseInt(text[:end], 10, 64)
	return n, text[end:], err == nil
}

// stringEnd is where the quotation mark is that ends a string, and whether the string has a backslash.
func stringEnd(text string) (end int, escaped bool) {
	from := 0
	for {
		quote := strings.IndexByte(text[from:], '"')
		if quote < 0 {
			return -1, escaped
		}
		quote += from
		slashes := 0
		for slashes < quote && text[quote-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return quote, escaped || strings.IndexByte(text[from:quote], '\\') >= 0
		}
		from, escaped = quote+1, true
	}
}

// behindValue is what follows a JSON value that is a number, a text, an object or a list.
func behindValue(text string) (rest string, ok bool) {
	depth := 0
	for at := 0; at < len(text); at++ {
		switch text[at] {
		case '"':
			end, _ := stringEnd(text[at+1:])
			if end < 0 {
				return "", false
			}
			at += 1 + end
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return "", false
			}
		case ',':
			if depth == 0 {
				return text[at:], true
			}
		}
	}
	return "", false
}

// unescape is what a JSON string without its quotation marks says, as encoding/json writes it: a short form for the common
// characters, and \u00XX or \u202X for few others. What has other forms is left to encoding/json.
func unescape(text string) (string, bool) {
	var b strings.Builder
	b.Grow(len(text))
	for {
		at := strings.IndexByte(text, '\\')
		if at < 0 {
			b.WriteString(text)
			return b.String(), true
		}
		b.WriteString(text[:at])
		if at+1 == len(text) {
			return "", false
		}
		width := 2
		switch c := text[at+1]; c {
		case '"', '\\', '/':
			b.WriteByte(c)
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r':
			b.WriteByte('\r')
		case 'b':
			b.WriteByte('\b')
		case 'f':
			b.WriteByte('\f')
		case 'u':
			if width = 6; at+width > len(text) {
				return "", false
			}
			r, err := strconv.ParseUint(text[at+2:at+6], 16, 32)
			if err != nil || r >= 0xd800 && r < 0xe000 {
				return "", false
			}
			b.WriteRune(rune(r))
		default:
			return "", false
		}
		text = text[at+width:]
	}
}
