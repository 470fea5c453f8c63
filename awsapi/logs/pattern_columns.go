package logs

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// columns are a pattern of space-delimited columns, [ip, user, ..., status = 4*].
type columns struct {
	before, behind []column // of the ellipsis; without one all are before it
	ellipsis       bool     // which stands for any number of columns
}

type column struct {
	name   string    // empty for one that only counts
	wanted condition // nil for anything
}

// parseColumns reads [COLUMN, ...], where a column is a name, nothing, or conditions on one name.
func parseColumns(ctx context.Context, text string) (*columns, error) {
	p := &reader{ctx: ctx, rest: text, compare: (*reader).columnComparison, ends: " \t\r\n)]&|,"}
	if !p.take("[") {
		return nil, p.unexpected("[")
	}
	c := &columns{}
	if p.take("]") { // any columns
		c.ellipsis = true
		return c, p.ended()
	}
	var names []string
	for {
		to := &c.before
		if c.ellipsis {
			to = &c.behind
		}
		if p.take("...") {
			if c.ellipsis {
				return nil, badPattern("it has more than one ellipsis")
			}
			c.ellipsis = true
		} else {
			one, err := p.column()
			if err != nil {
				return nil, err
			}
			if one.name != "" && slices.Contains(names, one.name) {
				return nil, badPattern("it has the column " + strconv.Quote(one.name) + " more than once")
			}
			names, *to = append(names, one.name), append(*to, one)
		}
		if p.take("]") {
			return c, p.ended()
		}
		if !p.take(",") {
			return nil, p.unexpected(", or ]")
		}
	}
}

func (p *reader) ended() error {
	if p.peek() != "" {
		return p.unexpected("nothing behind ]")
	}
	return nil
}

func (p *reader) column() (column, error) {
	text := p.peek()
	p.columnName = ""
	if strings.HasPrefix(text, ",") || strings.HasPrefix(text, "]") {
		return column{}, nil
	}
	if name := p.word(); name != "" {
		if next := p.peek(); strings.HasPrefix(next, ",") || strings.HasPrefix(next, "]") {
			return column{name: name}, nil
		}
	}
	p.rest = text
	wanted, err := p.either(0)
	return column{p.columnName, wanted}, err
}

// columnComparison reads NAME OPERATOR VALUE. The document that it is asked of is the column's field.
func (p *reader) columnComparison() (condition, error) {
	name := p.word()
	switch {
	case name == "":
		return nil, p.unexpected("a column's name")
	case p.columnName == "":
		p.columnName = name
	case !strings.EqualFold(name, p.columnName): // AWS's guide itself writes w1=ERROR || W1=WARNING
		return nil, badPattern("the conditions of the column " + strconv.Quote(p.columnName) + " are on another one, " +
			strconv.Quote(name))
	}
	operator, err := p.operator("an operator: =, !=, <, >, <= or >=")
	if err != nil {
		return nil, err
	}
	test, err := p.value(operator)
	if err != nil {
		return nil, err
	}
	return func(field any) bool {
		text := field.(string)
		if _, ok := numberOf(text); ok {
			return test(json.Number(text))
		}
		return test(text)
	}, nil
}

// word reads a name.
func (p *reader) word() string {
	text := p.peek()
	end := strings.IndexAny(text, " \t\r\n,[]()=!<>&|\"%")
	if end < 0 {
		end = len(text)
	}
	p.rest = text[end:]
	return text[:end]
}

// fields are the message's, one for each column; ok is false when the message has not these columns or does not meet
// their conditions.
func (c *columns) fields(message string) (fields []string, ok bool) {
	if c.ellipsis {
		fields = splitFields(message, -1)
	} else {
		fields = splitFields(message, len(c.before))
	}
	if least := len(c.before) + len(c.behind); len(fields) < least || !c.ellipsis && len(fields) != least {
		return nil, false
	}
	for i, field := range fields {
		if wanted := c.at(i, len(fields)).wanted; wanted != nil && !wanted(field) {
			return nil, false
		}
	}
	return fields, true
}

// at is the column of field i of n.
func (c *columns) at(i, n int) column {
	switch fromEnd := i - (n - len(c.behind)); {
	case i < len(c.before):
		return c.before[i]
	case fromEnd >= 0:
		return c.behind[fromEnd]
	}
	return column{}
}

func (c *columns) match(message string) bool {
	_, ok := c.fields(message)
	return ok
}

// values are a wanted message's fields, by $NAME, or $NUMBER for columns without a name.
func (c *columns) values(message string) map[string]string {
	fields, _ := c.fields(message)
	values := make(map[string]string, len(fields))
	for i, field := range fields {
		name := c.at(i, len(fields)).name
		if name == "" {
			name = strconv.Itoa(i + 1)
		}
		values["$"+name] = field
	}
	return values
}

// splitFields cuts a message at its spaces, but for those within brackets and double quotes, which do not belong to the
// field. Of more fields than most (any, when that is negative) the last holds all that is left as it stands: [w1=ERROR,
// w2] is for messages of many words.
func splitFields(message string, most int) []string {
	const spaces = " \t\r\n"
	var fields []string
	rest := strings.Trim(message, spaces)
	for rest != "" {
		field, after := rest, ""
		end := -1
		switch rest[0] {
		case '[':
			end = strings.IndexByte(rest, ']')
		case '"':
			end = 1 + strings.IndexByte(rest[1:], '"')
		}
		if end > 0 {
			field, after = rest[1:end], rest[end+1:]
		} else if end = strings.IndexAny(rest, spaces); end >= 0 {
			field, after = rest[:end], rest[end:]
		}
		after = strings.TrimLeft(after, spaces)
		if len(fields) == most-1 && after != "" {
			return append(fields, rest)
		}
		fields, rest = append(fields, field), after
	}
	return fields
}
