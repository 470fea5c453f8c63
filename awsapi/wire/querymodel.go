package wire

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// QueryModel is what a service's model asks of the inputs of a query protocol.
type QueryModel struct {
	// Inputs are the operations' input shapes.
	Inputs map[string]string
	// Shapes are the structures, lists, numbers and secrets; others are texts.
	Shapes map[string]QueryShape
	// Constraints are those of all shapes.
	Constraints Constraints
	// Own are sentences that the service has for what breaks a shape's pattern, with the member's name in it; others
	// get the framework's.
	Own map[string]string
}

// QueryShape is what a value is made of. One of the four is set.
type QueryShape struct {
	Members map[string]string // of a structure: the members' shapes
	Item    string            // of a list: the items' shape
	Number  bool
	Secret  bool // a text that no answer repeats
}

// Check refuses parameters that break the model, with the sentence that AWS's services have for it. A parameter without
// a value counts as absent where it may be.
func (m *QueryModel) Check(operation string, params url.Values) error {
	if m == nil {
		return nil
	}
	c := queryChecker{QueryModel: m, params: params, validator: validator{constraints: m.Constraints}}
	c.structure("", "", m.Inputs[operation])
	slices.Sort(c.violations)
	switch n := len(c.violations); {
	case n > 1:
		return queryError(fmt.Sprintf("%d validation errors detected: %s", n, strings.Join(c.violations, "; ")))
	case n == 1:
		return queryError("1 validation error detected: " + c.violations[0])
	case len(c.own) > 0:
		return &Error{Code: "ValidationError", Status: http.StatusBadRequest, Message: slices.Min(c.own)}
	}
	return nil
}

type queryChecker struct {
	*QueryModel
	validator
	params url.Values
	own    []string
}

// value checks what stands at a parameter, such as Tags.member.1.Key; path is how sentences name it.
func (c *queryChecker) value(param, path, shape string) {
	s, known := c.Shapes[shape]
	switch {
	case s.Members != nil:
		c.structure(param, path, shape)
	case s.Item != "":
		c.list(param, path, shape)
	case known && s.Number:
		c.number(path, c.QueryModel.Constraints[shape], plain(c.params.Get(param)))
	default:
		c.plainText(param, path, shape)
	}
}

func (c *queryChecker) structure(param, path, shape string) {
	required := c.QueryModel.Constraints[shape].Required
	members := c.Shapes[shape].Members
	for _, name := range slices.Sorted(maps.Keys(members)) {
		at, named := dotted(param, name), memberPath(path, lowerFirst(name))
		needed := slices.Contains(required, name)
		switch given, empty := c.given(at); {
		case given && (!empty || needed):
			c.value(at, named, members[name])
		case !given && needed:
			c.missing(named)
		}
	}
}

// given says whether there is a parameter, or one below it, and whether all that there is has no value.
func (c *queryChecker) given(param string) (given, empty bool) {
	empty = true
	for name, values := range c.params {
		if name == param || strings.HasPrefix(name, param+".") {
			given, empty = true, empty && name == param && len(values) > 0 && values[0] == ""
		}
	}
	return given, empty
}

func (c *queryChecker) list(param, path, shape string) {
	prefix := param + ".member."
	seen := map[int]bool{}
	for name := range c.params {
		if rest, found := strings.CutPrefix(name, prefix); found {
			number, _, _ := strings.Cut(rest, ".")
			if n, err := strconv.Atoi(number); err == nil && n > 0 {
				seen[n] = true
			}
		}
	}
	c.size(path, "a list", c.QueryModel.Constraints[shape], len(seen))
	for i, n := range slices.Sorted(maps.Keys(seen)) {
		c.value(prefix+strconv.Itoa(n), itemPath(path, i), c.Shapes[shape].Item)
	}
}

func (c *queryChecker) plainText(param, path, shape string) {
	constraint, text := c.QueryModel.Constraints[shape], c.params.Get(param)
	if sentence := c.Own[shape]; sentence != "" && constraint.Pattern != "" {
		if !whole(constraint.Pattern).MatchString(text) && text != "" {
			c.own = append(c.own, fmt.Sprintf(sentence, path))
		}
		constraint.Pattern = ""
	}
	c.secret = c.Shapes[shape].Secret
	c.text(path, constraint, text)
}
