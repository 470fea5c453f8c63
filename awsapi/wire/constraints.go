package wire

import (
	"encoding/base64"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/aws/smithy-go"
)

// Constraint is what a service's model asks of the values of one shape, beside their type. Its zero value asks nothing.
type Constraint struct {
	// Required are a structure's members that must be there, in ascending order.
	Required []string
	// Enum are the only texts, in the model's order; empty means any.
	Enum []string
	// Min and Max are bounds: of a number's value, of a text's length in Unicode characters, of a list's or map's size.
	Min, Max *int64
	// Pattern is what the whole text must match, in RE2's syntax; empty means anything.
	Pattern string
}

// Constraints are a service's, by shape name.
type Constraints map[string]Constraint

// mostViolations is how many violations one error names: enough to mend a request, and no way to make answers large.
const mostViolations = 10

// Validate finds what in the input breaks the constraints: one sentence as AWS's services write it, or empty.
func (in *Input) Validate(constraints Constraints) string {
	v := validator{constraints: constraints}
	v.structure("", in.schema, in.schema.ID().Name, in.members)
	n := len(v.violations)
	if n == 0 {
		return ""
	}
	noun := "errors"
	if n == 1 {
		noun = "error"
	}
	slices.Sort(v.violations)
	return fmt.Sprintf("%d validation %s detected: %s", n, noun, strings.Join(v.violations, "; "))
}

type validator struct {
	constraints Constraints
	violations  []string
	secret      bool // the text is one that nobody may see again
}

// refuse notes a violation. value is the JSON's, or for lists and maps nothing but their kind.
func (v *validator) refuse(path, value, constraint string) {
	if len(v.violations) < mostViolations {
		v.violations = append(v.violations, fmt.Sprintf("Value %s at '%s' failed to satisfy constraint: %s", value,
			excerpt(path), constraint))
	}
}

func (v *validator) missing(path string) { v.refuse(path, "null", "Member must not be null") }

func (v *validator) structure(path string, schema *smithy.Schema, shape string, members map[string]tree) {
	for _, name := range v.constraints[shape].Required {
		if members[name] == nil {
			v.missing(memberPath(path, lowerFirst(name))) // so AWS's services write a path, however they name members
		}
	}
	for name, value := range members {
		if member := schema.Member(name); member != nil && value != nil {
			v.value(memberPath(path, lowerFirst(name)), member, value)
		}
	}
}

// value checks a value that is not null and has the schema's type.
func (v *validator) value(path string, schema *smithy.Schema, value tree) {
	shape := schema.TargetID().Name
	c := v.constraints[shape]
	switch value := value.(type) {
	case string:
		if schema.Type() == smithy.ShapeTypeBlob {
			v.size(path, "a blob", c, base64Size(value)) // not what is in it: it may be a secret
		} else {
			v.text(path, c, value)
		}
	case []tree:
		v.size(path, "a list", c, len(value))
		for i, item := range value {
			if item == nil {
				v.missing(itemPath(path, i))
			} else {
				v.value(itemPath(path, i), schema.ListMember(), item)
			}
		}
	case map[string]tree:
		if schema.Type() == smithy.ShapeTypeStructure {
			v.structure(path, schema, shape, value)
		} else {
			v.entries(path, schema, c, value)
		}
	case plain:
		if schema.Type() == smithy.ShapeTypeString || schema.Type() == smithy.ShapeTypeEnum {
			v.text(path, c, string(value))
		} else {
			v.number(path, c, value)
		}
	default:
		v.number(path, c, value)
	}
}

func (v *validator) entries(path string, schema *smithy.Schema, c Constraint, entries map[string]tree) {
	v.size(path, "a map", c, len(entries))
	key := v.constraints[schema.MapKey().TargetID().Name]
	for name, value := range entries {
		v.text(path+".key", key, name)
		if at := memberPath(path, excerpt(name)); value == nil {
			v.missing(at)
		} else {
			v.value(at, schema.MapValue(), value)
		}
	}
}

func (v *validator) text(path string, c Constraint, text string) {
	quoted := "'" + echo(text) + "'"
	if v.secret {
		quoted = "'***Sensitive Data Redacted***'"
	}
	if len(c.Enum) > 0 && !slices.Contains(c.Enum, text) {
		v.refuse(path, quoted, "Member must satisfy enum value set: ["+strings.Join(c.Enum, ", ")+"]")
	}
	v.bounds(path, quoted, "length", c, int64(utf8.RuneCountInString(text)))
	if c.Pattern != "" && !whole(c.Pattern).MatchString(text) {
		v.refuse(path, quoted, "Member must satisfy regular expression pattern: "+c.Pattern)
	}
}

// echo is a client's own value in an answer to it: all of it, as AWS has it, within reason.
func echo(text string) string { return shorten(text, 1<<10) }

// base64Size is how many bytes a text in base64 stands for.
func base64Size(text string) int {
	return base64.StdEncoding.DecodedLen(len(text)) - (len(text) - len(strings.TrimRight(text, "=")))
}

func (v *validator) size(path, kind string, c Constraint, n int) {
	v.bounds(path, fmt.Sprintf("(%s of %d)", kind, n), "length", c, int64(n))
}

func (v *validator) number(path string, c Constraint, value tree) {
	if c.Min == nil && c.Max == nil {
		return
	}
	if n, ok := integer(value); ok {
		v.bounds(path, "'"+strconv.FormatInt(n, 10)+"'", "value", c, n)
	}
}

// bounds checks a value or length. A length of at least one is written so as AWS does.
func (v *validator) bounds(path, value, noun string, c Constraint, n int64) {
	least, most := int64(math.MinInt64), int64(math.MaxInt64)
	if c.Min != nil {
		least = *c.Min
	}
	if c.Max != nil {
		most = *c.Max
	}
	if n < least {
		v.refuse(path, value, fmt.Sprintf("Member must have %s greater than or equal to %d", noun, least))
	}
	if n > most {
		v.refuse(path, value, fmt.Sprintf("Member must have %s less than or equal to %d", noun, most))
	}
}

var patterns sync.Map // of *regexp.Regexp by pattern

// javaRune is a character in a model's pattern, as Java writes one.
var javaRune = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// whole is a pattern that the whole text must match, as in AWS's services, whether or not the model anchors it.
func whole(pattern string) *regexp.Regexp {
	if known, ok := patterns.Load(pattern); ok {
		return known.(*regexp.Regexp)
	}
	known, _ := patterns.LoadOrStore(pattern, regexp.MustCompile(`\A(?:`+javaRune.ReplaceAllString(pattern,
		`\x{$1}`)+`)\z`)) // the generator has compiled it too
	return known.(*regexp.Regexp)
}
