package logs

import (
	"context"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// condition is a part of a JSON pattern, asked of a message that is JSON.
type condition func(document any) bool

// parseJSONPattern reads { CONDITION }. Messages that are no JSON object or list are not wanted.
func parseJSONPattern(ctx context.Context, text string) (pattern, error) {
	p := &reader{ctx: ctx, rest: text, compare: (*reader).comparison, ends: " \t\r\n)}&|"}
	if !p.take("{") {
		return nil, badPattern("it does not begin with {")
	}
	wanted, err := p.either(0)
	if err != nil {
		return nil, err
	}
	if !p.take("}") || p.peek() != "" {
		return nil, p.unexpected("} at the end")
	}
	return func(message string) bool {
		if trimmed := strings.TrimLeft(message, " \t\r\n"); trimmed == "" || trimmed[0] != '{' && trimmed[0] != '[' {
			return false // most messages are no JSON: they are not even tried
		}
		decoder := json.NewDecoder(strings.NewReader(message))
		decoder.UseNumber()
		var document any
		return decoder.Decode(&document) == nil && wanted(document)
	}, nil
}

// reader is what is left to read of a pattern with conditions.
type reader struct {
	ctx     context.Context
	rest    string
	compare func(*reader) (condition, error) // reads one comparison
	ends    string                           // what a value without quotes ends at
	// columnName is the name in the conditions that are being read, of a column.
	columnName string
}

// deepest is how many parentheses may stand in each other.
const deepest = 32

func (p *reader) peek() string {
	p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	return p.rest
}

// take reads the token if it comes next.
func (p *reader) take(token string) bool {
	rest, found := strings.CutPrefix(p.peek(), token)
	if found {
		p.rest = rest
	}
	return found
}

// takeWord reads a keyword, in whatever case, if it comes next.
func (p *reader) takeWord(word string) bool {
	text := p.peek()
	if len(text) < len(word) || !strings.EqualFold(text[:len(word)], word) || len(text) > len(word) &&
		inWord(rune(text[len(word)])) {
		return false
	}
	p.rest = text[len(word):]
	return true
}

func (p *reader) unexpected(wanted string) error {
	found := p.peek()
	if found == "" {
		found = "the end"
	}
	return badPattern("there should be " + wanted + " at " + strconv.Quote(found[:min(len(found), 40)]))
}

// either reads conditions with || between them, which bind less than &&.
func (p *reader) either(depth int) (condition, error) {
	first, err := p.both(depth)
	for err == nil && p.take("||") {
		var second condition
		if second, err = p.both(depth); err == nil {
			left := first
			first = func(document any) bool { return left(document) || second(document) }
		}
	}
	return first, err
}

func (p *reader) both(depth int) (condition, error) {
	first, err := p.single(depth)
	for err == nil && p.take("&&") {
		var second condition
		if second, err = p.single(depth); err == nil {
			left := first
			first = func(document any) bool { return left(document) && second(document) }
		}
	}
	return first, err
}

func (p *reader) single(depth int) (condition, error) {
	if !p.take("(") {
		return p.compare(p)
	}
	if depth == deepest {
		return nil, badPattern("its parentheses are nested too deep")
	}
	inner, err := p.either(depth + 1)
	if err == nil && !p.take(")") {
		err = p.unexpected(")")
	}
	return inner, err
}

// comparison reads SELECTOR OPERATOR VALUE.
func (p *reader) comparison() (condition, error) {
	selected, err := p.selector()
	if err != nil {
		return nil, err
	}
	some := func(test func(any) bool) condition {
		return func(document any) bool {
			for _, value := range selected(document) {
				if test(value) {
					return true
				}
			}
			return false
		}
	}
	switch {
	case p.takeWord("NOT"):
		if !p.takeWord("EXISTS") {
			return nil, p.unexpected("EXISTS")
		}
		return func(document any) bool { return len(selected(document)) == 0 }, nil
	case p.takeWord("EXISTS"):
		return some(func(any) bool { return true }), nil
	case p.takeWord("IS"):
		for word, value := range map[string]any{"NULL": nil, "TRUE": true, "FALSE": false} {
			if p.takeWord(word) {
				return some(func(found any) bool { return found == value }), nil
			}
		}
		return nil, p.unexpected("NULL, TRUE or FALSE")
	}
	operator, err := p.operator("an operator: =, !=, <, >, <=, >=, IS, EXISTS or NOT EXISTS")
	if err != nil {
		return nil, err
	}
	test, err := p.value(operator)
	if err != nil {
		return nil, err
	}
	return some(test), nil
}

func (p *reader) operator(wanted string) (string, error) {
	for _, operator := range []string{"!=", "<=", ">=", "=", "<", ">"} {
		if p.take(operator) {
			return operator, nil
		}
	}
	return "", p.unexpected(wanted)
}

// value reads what a property is compared with.
func (p *reader) value(operator string) (func(any) bool, error) {
	text := p.peek()
	equal, unequal := operator == "=", operator == "!="
	switch {
	case text == "":
		return nil, p.unexpected("a value")
	case text[0] == '%':
		expression, rest, err := parseExpression(p.ctx, text)
		if err != nil {
			return nil, err
		}
		p.rest = rest
		return textTest(operator, expression)
	case text[0] == '"':
		wanted, rest, err := unquote(text)
		if err != nil {
			return nil, err
		}
		p.rest = rest
		return textTest(operator, wildcard(wanted))
	}
	end := strings.IndexAny(text, p.ends)
	if end < 0 {
		end = len(text)
	}
	word := text[:end]
	p.rest = text[end:]
	if word == "" {
		return nil, p.unexpected("a value")
	}
	number, ok := numberOf(word)
	if !ok {
		if !equal && !unequal {
			return nil, badPattern("only numbers can be compared by " + operator)
		}
		return textTest(operator, wildcard(word))
	}
	return func(found any) bool {
		given, isNumber := found.(json.Number)
		if !isNumber {
			return unequal
		}
		value, err := given.Float64()
		return err == nil && compareNumbers(operator, value, number)
	}, nil
}

func compareNumbers(operator string, a, b float64) bool {
	switch operator {
	case "=":
		return a == b
	case "!=":
		return a != b
	case "<":
		return a < b
	case ">":
		return a > b
	case "<=":
		return a <= b
	}
	return a >= b
}

// textTest compares texts, and numbers as they are written, which can only be the same or not.
func textTest(operator string, same func(string) bool) (func(any) bool, error) {
	if operator != "=" && operator != "!=" {
		return nil, badPattern("texts can only be compared by = and !=")
	}
	return func(found any) bool {
		text, isText := found.(string)
		if number, isNumber := found.(json.Number); isNumber {
			text, isText = number.String(), true
		}
		return (isText && same(text)) == (operator == "=")
	}, nil
}

// wildcard compares with a text in which * stands for anything. Between the first part and the last, each is looked for
// behind the one before it: a regular expression takes a hundred times as long for many stars.
func wildcard(wanted string) func(string) bool {
	if !strings.Contains(wanted, "*") {
		return func(found string) bool { return found == wanted }
	}
	parts := strings.Split(wanted, "*")
	first, between, last := parts[0], parts[1:len(parts)-1], parts[len(parts)-1]
	return func(found string) bool {
		rest, begins := strings.CutPrefix(found, first)
		rest, ends := strings.CutSuffix(rest, last)
		for _, part := range between {
			var has bool
			if _, rest, has = strings.Cut(rest, part); !has {
				return false
			}
		}
		return begins && ends
	}
}

// numberOf is the number that a word is. Infinity and NaN are words.
func numberOf(word string) (float64, bool) {
	number, err := strconv.ParseFloat(word, 64)
	return number, err == nil && !math.IsInf(number, 0) && !math.IsNaN(number)
}
