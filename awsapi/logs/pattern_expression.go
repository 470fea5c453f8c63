package logs

import (
	"context"
	"io"
	"regexp"
	"regexp/syntax"
	"unicode/utf8"
)

const (
	// quickWork is up to how many steps, instructions of an expression times bytes of a message, an expression is asked
	// without looking whether anybody still waits.
	quickWork = 1 << 20
	// lookEvery is after how many steps it is looked otherwise.
	lookEvery = 1 << 18
)

// parseExpression reads a regular expression between percent signs. RE2, which Go has, knows all that AWS allows, and
// more. It takes time in proportion to the expression and the message, which is long for a{1000} and a megabyte: so it
// ends with ctx, and says no then.
func parseExpression(ctx context.Context, text string) (match func(string) bool, rest string, err error) {
	end := 1
	for end < len(text) && text[end] != '%' {
		if text[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(text) {
		return nil, "", badPattern("a percent sign, which begins a regular expression, is not closed")
	}
	expression, err := regexp.Compile(text[1:end])
	if err != nil {
		return nil, "", badPattern("the regular expression between percent signs cannot be read")
	}
	size := instructions(text[1:end])
	return func(message string) bool {
		if size*len(message) <= quickWork {
			return expression.MatchString(message)
		}
		return expression.MatchReader(&interruptible{ctx: ctx, text: message, every: max(1, lookEvery/size)}) &&
			ctx.Err() == nil
	}, text[end+1:], nil
}

// instructions are how many an expression, which can be read, is compiled to.
func instructions(expression string) int {
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return quickWork
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return quickWork
	}
	return len(program.Inst)
}

// interruptible reads a text until ctx ends.
type interruptible struct {
	ctx   context.Context
	text  string
	every int // runes are read before it is looked again
	read  int
}

func (i *interruptible) ReadRune() (rune, int, error) {
	if i.read++; i.read%i.every == 0 && i.ctx.Err() != nil || i.text == "" {
		return 0, 0, io.EOF
	}
	r, size := utf8.DecodeRuneInString(i.text)
	i.text = i.text[size:]
	return r, size, nil
}
