package logstore

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// reader reads lines of a journal quickly: as write writes them, without reflection, and with messages that are parts of the
// text wherever they need no decoding. What looks otherwise is read by encoding/json.
type reader struct {
	events  []Event         // of the last line, used again
	decoded strings.Builder // texts that needed decoding
	one     []byte          // the latest of these, used again
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
		if e.Message, rest, ok = r.text(rest); !ok {
			return b, false
		}
		r.events = append(r.events, e)
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

// mostAhead is up to how many bytes there is room for decoded texts of lines that follow.
const mostAhead = 64 << 10

// text reads a JSON string behind its first quotation mark: what it says, and what follows its last one. It is a part of what is read
// where it needs no decoding, or else of the line's decoded texts.
func (r *reader) text(in string) (text, rest string, ok bool) {
	end := strings.IndexByte(in, '"')
	if end < 0 {
		return "", "", false
	}
	at := strings.IndexByte(in[:end], '\\')
	if at < 0 {
		return in[:end], in[end+1:], true
	}
	if r.decoded.Cap()-r.decoded.Len() < len(in) {
		most := max(len(in), min(2*r.decoded.Cap(), mostAhead))
		r.decoded = strings.Builder{} // the texts that are in the last one stay there
		r.decoded.Grow(most)
	}
	out, from := r.one[:0], 0 // not in the builder, whose every write tells the collector of garbage
	for in[at] != '"' {
		out = append(out, in[from:at]...)
		width := 0
		if out, width = escape(out, in[at:]); width == 0 {
			return "", "", false
		}
		at += width
		for from = at; at < len(in) && in[at] != '"' && in[at] != '\\'; { // such texts have many of them
			at++
		}
		if at == len(in) {
			return "", "", false
		}
	}
	out = append(out, in[from:at]...)
	began := r.decoded.Len()
	r.decoded.Write(out)
	r.one = out
	return r.decoded.String()[began:], in[at+1:], true
}

// escape appends what begins with a backslash, as encoding/json writes it: a short form for the common characters, and \u00XX or
// \u202X for few others. It returns its length, 0 for other forms, which are left to encoding/json.
func escape(to []byte, in string) ([]byte, int) {
	if len(in) < 2 {
		return to, 0
	}
	c := in[1]
	switch c {
	case '"', '\\', '/':
	case 'n':
		c = '\n'
	case 't':
		c = '\t'
	case 'r':
		c = '\r'
	case 'b':
		c = '\b'
	case 'f':
		c = '\f'
	case 'u':
		if len(in) < 6 {
			return to, 0
		}
		code, err := strconv.ParseUint(in[2:6], 16, 32)
		if err != nil || code >= 0xd800 && code < 0xe000 {
			return to, 0
		}
		return utf8.AppendRune(to, rune(code)), 6
	default:
		return to, 0
	}
	return append(to, c), 2
}
