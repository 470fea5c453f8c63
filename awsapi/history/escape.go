package history

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Escape turns what is left of control characters in a JSON text into JSON's own escapes, so that the text means the
// same and is harmless in a terminal: DEL, the controls from U+0080 on, and those that turn the direction of writing.
// JSON lets them stand only inside strings. Line ends are left alone.
func Escape(text []byte) []byte {
	if bytes.IndexFunc(text, mustEscape) < 0 {
		return text
	}
	var b bytes.Buffer
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\ufffd`)
		case mustEscape(r) && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case mustEscape(r):
			b.WriteString(`\ufffd`)
		default:
			b.Write(text[:size])
		}
		text = text[size:]
	}
	return b.Bytes()
}

func mustEscape(r rune) bool {
	return r >= 0x7f && (r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) ||
		r == '\u2028' || r == '\u2029')
}
