package events

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// pattern is an event pattern: for each field the values that it may have, or the pattern of what is within it. Under $or
// it has patterns of which one will do.
type pattern struct {
	values map[string][]any // matchers: a plain value, or an object such as {"prefix": "i-"}
	within map[string]pattern
	or     []pattern
}

func invalidPattern(format string, args ...any) error {
	return refuse("InvalidEventPatternException", "Event pattern is not valid. Reason: "+format, args...)
}

// parsePattern reads a pattern, and refuses what EventBridge refuses.
func parsePattern(text string) (pattern, error) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(text), &fields); err != nil {
		return pattern{}, invalidPattern("Filter is not an object")
	}
	return patternOf(fields)
}

func patternOf(fields map[string]any) (pattern, error) {
	p := pattern{map[string][]any{}, map[string]pattern{}, nil}
	if len(fields) == 0 {
		return p, invalidPattern("Empty objects are not allowed")
	}
	for name, value := range fields {
		var err error
		switch v := value.(type) {
		case map[string]any:
			p.within[name], err = patternOf(v)
		case []any:
			if name == "$or" {
				p.or, err = alternatives(v)
			} else if p.values[name] = v; len(v) == 0 {
				err = invalidPattern("Empty arrays are not allowed")
			} else {
				err = checkMatchers(v)
			}
		default:
			err = invalidPattern("\"%s\" must be an object or an array", name)
		}
		if err != nil {
			return p, err
		}
	}
	return p, nil
}

func alternatives(values []any) (all []pattern, err error) {
	for _, value := range values {
		fields, is := value.(map[string]any)
		if !is {
			return nil, invalidPattern("$or must be an array of objects")
		}
		one, err := patternOf(fields)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// matcher is what compares a value with a rule, by the name of its kind; nil: there is none of that name.
func matcher(name string) func(rule, value any) bool {
	switch name {
	case "prefix":
		return func(rule, value any) bool { return byText(rule, value, strings.HasPrefix) }
	case "suffix":
		return func(rule, value any) bool { return byText(rule, value, strings.HasSuffix) }
	case "equals-ignore-case":
		return func(rule, value any) bool { return byText(rule, value, strings.EqualFold) }
	case "wildcard":
		return func(rule, value any) bool { return byText(rule, value, wildcard) }
	case "numeric":
		return numeric
	case "anything-but":
		return anythingBut
	case "exists":
		return func(any, any) bool { return true } // where there is a value; see fits
	}
	return nil
}

func checkMatchers(values []any) error {
	for _, value := range values {
		object, is := value.(map[string]any)
		if !is {
			continue
		}
		for name := range object {
			if matcher(name) == nil || len(object) != 1 {
				return invalidPattern("Unrecognized match type %s", name)
			}
		}
	}
	return nil
}

// byText compares texts. A rule may ask for case to be ignored by an object with equals-ignore-case.
func byText(rule, value any, fits func(value, rule string) bool) bool {
	text, isText := value.(string)
	if object, is := rule.(map[string]any); is {
		wanted, _ := object["equals-ignore-case"].(string)
		return isText && fits(strings.ToLower(text), strings.ToLower(wanted))
	}
	wanted, is := rule.(string)
	return isText && is && fits(text, wanted)
}

func wildcard(value, rule string) bool {
	expression := "(?s)^" + strings.ReplaceAll(regexp.QuoteMeta(rule), `\*`, ".*") + "$"
	fits, err := regexp.MatchString(expression, value)
	return err == nil && fits
}

// numeric compares with pairs of an operator and a number.
func numeric(rule, value any) bool {
	pairs, _ := rule.([]any)
	number, is := value.(float64)
	if !is || len(pairs) == 0 || len(pairs)%2 != 0 {
		return false
	}
	for i := 0; i < len(pairs); i += 2 {
		wanted, is := pairs[i+1].(float64)
		fits := map[any]bool{"=": number == wanted, "<": number < wanted, "<=": number <= wanted, ">": number > wanted,
			">=": number >= wanted}[pairs[i]]
		if !is || !fits {
			return false
		}
	}
	return true
}

// anythingBut is a value, some, or an object with another kind of matcher.
func anythingBut(rule, value any) bool {
	switch r := rule.(type) {
	case []any:
		return !slices.ContainsFunc(r, func(one any) bool { return equal(one, value) })
	case map[string]any:
		for name, inner := range r {
			wanted, several := inner.([]any)
			if !several || name == "numeric" {
				wanted = []any{inner}
			}
			if match := matcher(name); match == nil || slices.ContainsFunc(wanted, func(one any) bool { return match(one, value) }) {
				return false
			}
		}
		return true
	}
	return !equal(rule, value)
}

func equal(a, b any) bool { return fmt.Sprintf("%T %v", a, a) == fmt.Sprintf("%T %v", b, b) }

// matches says whether an event, or what is within it, fits the pattern.
func (p pattern) matches(fields map[string]any) bool {
	for name, wanted := range p.values {
		value, exists := fields[name]
		if !slices.ContainsFunc(wanted, func(one any) bool { return fits(one, value, exists) }) {
			return false
		}
	}
	for name, inner := range p.within {
		within, is := fields[name].(map[string]any)
		if !is && fields[name] != nil || !inner.matches(within) {
			return false
		}
	}
	return len(p.or) == 0 || slices.ContainsFunc(p.or, func(one pattern) bool { return one.matches(fields) })
}

// fits says whether a field's value fits a matcher: of an array one element does.
func fits(wanted, value any, exists bool) bool {
	object, isObject := wanted.(map[string]any)
	if there, asks := object["exists"].(bool); asks {
		return exists == there
	}
	if !exists {
		return false
	}
	if list, is := value.([]any); is {
		return slices.ContainsFunc(list, func(one any) bool { return fits(wanted, one, true) })
	}
	if !isObject {
		return equal(wanted, value)
	}
	for name, rule := range object {
		if !matcher(name)(rule, value) {
			return false
		}
	}
	return true
}
