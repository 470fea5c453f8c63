package logs

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
)

// extractTime is how long a metric filter looks at one message.
const extractTime = time.Second

// extractor finds a metric filter's value and dimensions in messages, for one goroutine.
type extractor struct {
	patience *patience
	wanted   pattern
	value    func(document any, columns map[string]string) (float64, bool)
	// dimensions are by name what a match has; a match that lacks one has no value.
	dimensions map[string]func(document any, columns map[string]string) (string, bool)
	columns    *columns
	isJSON     bool
	// reads says that the value or a dimension stands in the message.
	reads bool
}

// patience is a context that ends while one message is looked at, and again with the next.
type patience struct {
	context.Context
	limit time.Duration
	until time.Time
}

func (p *patience) begin() { p.until = time.Now().Add(p.limit) }

func (p *patience) Err() error {
	if !time.Now().Before(p.until) {
		return context.DeadlineExceeded
	}
	return p.Context.Err()
}

// newExtractor reads a metric filter, and refuses one that no metric comes of.
func newExtractor(ctx context.Context, f metricFilter) (*extractor, error) {
	text := strings.TrimSpace(f.Pattern)
	patience := &patience{Context: ctx, limit: extractTime}
	wanted, err := parsePattern(patience, text)
	if err != nil {
		return nil, err
	}
	x := &extractor{patience: patience, wanted: wanted, isJSON: strings.HasPrefix(text, "{")}
	if strings.HasPrefix(text, "[") {
		if x.columns, err = parseColumns(patience, text); err != nil {
			return nil, err
		}
	}
	if number, ok := numberOf(f.Value); ok {
		x.value = func(any, map[string]string) (float64, bool) { return number, true }
	} else {
		at, err := x.selector(f.Value)
		if err != nil {
			return nil, invalid("Invalid metric transformation: metricValue %.100q is neither a number nor a field of the filter pattern.",
				f.Value)
		}
		x.value = func(document any, columns map[string]string) (float64, bool) {
			text, ok := at(document, columns)
			if !ok {
				return 0, false
			}
			return numberOf(text)
		}
	}
	switch {
	case len(f.Dimensions) > 0 && f.Default != nil:
		return nil, invalid("Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	case len(f.Dimensions) > mostDimensions:
		return nil, invalid("Invalid metric transformation: a metric filter has at most %d dimensions.", mostDimensions)
	}
	x.dimensions = map[string]func(any, map[string]string) (string, bool){}
	for name, where := range f.Dimensions {
		if x.dimensions[name], err = x.selector(where); err != nil {
			return nil, invalid("Invalid metric transformation: the value %.100q of the dimension %.100q is no field of the filter "+
				"pattern.", where, name)
		}
	}
	return x, nil
}

// selector reads $.name of a pattern on JSON, and $name of one of columns.
func (x *extractor) selector(text string) (func(document any, columns map[string]string) (string, bool), error) {
	x.reads = true
	switch {
	case x.isJSON:
		p := &reader{rest: text}
		selected, err := p.selector()
		if err != nil || p.peek() != "" {
			return nil, badPattern("a property such as $.name is expected")
		}
		return func(document any, _ map[string]string) (string, bool) {
			found := selected(document)
			if len(found) != 1 {
				return "", false
			}
			switch v := found[0].(type) {
			case string:
				return v, true
			case json.Number:
				return v.String(), true
			case bool:
				return map[bool]string{true: "true", false: "false"}[v], true
			}
			return "", false
		}, nil
	case x.columns != nil && strings.HasPrefix(text, "$") && x.columns.has(text[1:]):
		return func(_ any, columns map[string]string) (string, bool) {
			v, ok := columns[text]
			return v, ok
		}, nil
	}
	return nil, badPattern("it has no fields")
}

// has says whether a column has that name.
func (c *columns) has(name string) bool {
	named := func(one column) bool { return one.name == name }
	return name != "" && (slices.ContainsFunc(c.before, named) || slices.ContainsFunc(c.behind, named))
}

// extract says whether the filter wants a message, and what it finds there: no value where it is no number, or a dimension
// is missing. A message that would take longer than extractTime is not wanted.
func (x *extractor) extract(message string) (matched bool, value float64, dimensions map[string]string, ok bool) {
	x.patience.begin()
	if !x.wanted(message) || x.patience.Err() != nil {
		return false, 0, nil, false
	}
	var document any
	var fields map[string]string
	if x.reads && x.isJSON {
		decoder := json.NewDecoder(strings.NewReader(message))
		decoder.UseNumber()
		if decoder.Decode(&document) != nil {
			return false, 0, nil, false
		}
	}
	if x.reads && x.columns != nil {
		fields = x.columns.values(message)
	}
	if value, ok = x.value(document, fields); !ok {
		return true, 0, nil, false
	}
	dimensions = map[string]string{}
	for name, at := range x.dimensions {
		text, found := at(document, fields)
		if !found || text == "" {
			return true, 0, nil, false
		}
		dimensions[name] = text
	}
	return true, value, dimensions, true
}
