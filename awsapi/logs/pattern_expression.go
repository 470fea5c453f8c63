package logs

import (
	"context"
	"errors"

	"tripod/logs/expression"
)

// parseExpression reads a regular expression between percent signs. RE2, which Go has, knows all that AWS allows, and
// more. A match ends with ctx, and says no then.
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
	wanted, err := expression.Compile(text[1:end], expression.MostSize)
	if errors.Is(err, expression.ErrSize) {
		return nil, "", badPattern("the regular expression between percent signs is too large with its repetitions written out")
	}
	if err != nil {
		return nil, "", badPattern("the regular expression between percent signs cannot be read")
	}
	return func(message string) bool { return wanted.Match(ctx, message) }, text[end+1:], nil
}
