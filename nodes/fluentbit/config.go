package fluentbit

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// Property is one of a section, as it is written.
type Property struct{ Name, Value string }

// Section is a section of a configuration in Fluent Bit's classic mode.
type Section struct {
	Kind       string // OUTPUT, FILTER, PARSER
	Properties []Property
}

// All are the values of a property, which may be there more than once. Names are the same in capitals.
func (s Section) All(name string) (values []string) {
	for _, p := range s.Properties {
		if strings.EqualFold(p.Name, name) {
			values = append(values, p.Value)
		}
	}
	return values
}

// Get is the first value of a property; empty: it has none.
func (s Section) Get(name string) string {
	if all := s.All(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// Plugin is what a section is of, in small letters.
func (s Section) Plugin() string { return strings.ToLower(s.Get("Name")) }

// On is a switch's value; one that is not there is what it is by default.
func (s Section) On(name string, byDefault bool) (bool, error) {
	switch value := strings.ToLower(s.Get(name)); value {
	case "":
		return byDefault, nil
	case "on", "true", "yes", "1":
		return true, nil
	case "off", "false", "no", "0":
		return false, nil
	default:
		return false, fmt.Errorf("%q is no value of %s in %s", value, name, s.Plugin())
	}
}

// only says which property is none that is known here.
func (s Section) only(known ...string) error {
	for _, p := range s.Properties {
		if name := strings.ToLower(p.Name); !slices.Contains(known, name) && !slices.Contains(common, name) {
			return fmt.Errorf("%s: unknown configuration property '%s'", s.Plugin(), p.Name)
		}
	}
	return nil
}

// common are the properties that each plugin may have, and that change nothing here: it is tried again for ever.
var common = []string{"name", "match", "match_regex", "alias", "log_level", "retry_limit", "workers", "storage.total_limit_size",
	"net.connect_timeout", "net.keepalive", "net.keepalive_idle_timeout"}

var sectionForm = regexp.MustCompile(`^\[([A-Za-z_]+)\]$`)

// Parse reads a configuration in classic mode: sections in brackets, and below each, indented, its properties.
func Parse(text string) (sections []Section, err error) {
	for number, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		switch {
		case trimmed == "" || strings.HasPrefix(trimmed, "#"):
		case strings.HasPrefix(trimmed, "@"):
			return nil, fmt.Errorf("line %d: commands such as %s are not allowed", number+1, strings.Fields(trimmed)[0])
		case sectionForm.MatchString(trimmed):
			sections = append(sections, Section{Kind: strings.ToUpper(trimmed[1 : len(trimmed)-1])})
		case len(sections) == 0:
			return nil, fmt.Errorf("line %d is of no section", number+1)
		case line == strings.TrimLeft(line, " \t"):
			return nil, fmt.Errorf("line %d: invalid indentation level", number+1)
		default:
			name, value, _ := strings.Cut(strings.ReplaceAll(trimmed, "\t", " "), " ")
			last := &sections[len(sections)-1]
			last.Properties = append(last.Properties, Property{Name: name, Value: strings.TrimSpace(value)})
		}
	}
	return sections, nil
}

// Matches says whether a section takes the records of a tag.
func (s Section) matches() (func(tag string) bool, error) {
	if expression := s.Get("Match_Regex"); expression != "" {
		compiled, err := compile(expression)
		if err != nil {
			return nil, err
		}
		return compiled.matches, nil
	}
	match := s.Get("Match")
	if match == "" {
		return nil, fmt.Errorf("%s has neither Match nor Match_Regex", s.Plugin())
	}
	parts := strings.Split(match, "*")
	for i := range parts {
		parts[i] = regexp.QuoteMeta(parts[i])
	}
	compiled, err := regexp.Compile("(?s)^" + strings.Join(parts, ".*") + "$")
	if err != nil {
		return nil, err
	}
	return compiled.MatchString, nil
}

// What a match may cost: an expression has up to mostSteps instructions, and of a text those bytes are looked at which let their product be
// mostSteps * leastRead at most. An engine without backtracking takes about as many steps.
const (
	mostSteps = 2000
	leastRead = 64 << 10
)

// expression is a regular expression whose matches end soon.
type expression struct {
	*regexp.Regexp
	read int // bytes of a text that it looks at
}

// matches says whether it is in a text, or in what it looks at of it.
func (e expression) matches(text string) bool { return e.MatchString(text[:min(len(text), e.read)]) }

// find is what FindStringSubmatch finds; of a text that is too long to look at, nothing: half of it would be lost.
func (e expression) find(text string) []string {
	if len(text) > e.read {
		return nil
	}
	return e.FindStringSubmatch(text)
}

// compile reads a regular expression. What of Onigmo's RE2 does not have, such as a look ahead, is refused.
func compile(text string) (e expression, err error) {
	text = strings.TrimSuffix(strings.TrimPrefix(text, "/"), "/")
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return e, fmt.Errorf("regular expression %q: %w", text, err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return e, fmt.Errorf("regular expression %q: %w", text, err)
	}
	steps := len(program.Inst)
	if steps > mostSteps {
		return e, fmt.Errorf("regular expression %q: it has %d instructions, and may have %d", text, steps, mostSteps)
	}
	if e.Regexp, err = regexp.Compile(text); err != nil {
		return e, fmt.Errorf("regular expression %q: %w", text, err)
	}
	e.read = mostSteps * leastRead / steps
	return e, nil
}
