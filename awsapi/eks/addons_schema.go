package eks

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// maxConfiguration is how many bytes an add-on's configuration values have at most.
const maxConfiguration = 64 << 10

// schema is the part of JSON Schema (draft 7) that the add-ons' schemas are written in. Without references, a schema
// ends the descent into a value.
type schema struct {
	Type       string             `json:"type"`
	Properties map[string]*schema `json:"properties"`
	Additional json.RawMessage    `json:"additionalProperties"` // false, or a schema
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	Enum       []any              `json:"enum"`
	Minimum    *float64           `json:"minimum"`
	Maximum    *float64           `json:"maximum"`
	AnyOf      []*schema          `json:"anyOf"`
}

// wrongConfiguration says what is wrong with an add-on's configuration values, JSON or YAML, or returns "".
func wrongConfiguration(o offer, values string) string {
	if strings.TrimSpace(values) == "" {
		return ""
	}
	if len(values) > maxConfiguration {
		return fmt.Sprintf("ConfigurationValue has more than %d bytes.", maxConfiguration)
	}
	var value any
	if err := yaml.UnmarshalStrict([]byte(values), &value); err != nil {
		return "ConfigurationValue is neither JSON nor YAML, or names something twice."
	}
	if value == nil {
		return ""
	}
	var s schema
	if err := json.Unmarshal(o.Schema, &s); err != nil { // a broken build
		panic(fmt.Sprintf("eks: the schema of %s: %v", o.Name, err))
	}
	if wrong := s.wrong("$", value); wrong != "" {
		return fmt.Sprintf("ConfigurationValue provided in request is not supported for add-on %s: %s. See 'aws eks "+
			"describe-addon-configuration'.", o.Name, wrong)
	}
	return ""
}

// wrong says where and how a value breaks the schema, or returns "".
func (s *schema) wrong(path string, value any) string {
	if len(s.AnyOf) > 0 {
		for _, one := range s.AnyOf {
			if one.wrong(path, value) == "" {
				return ""
			}
		}
		return clipPath(path) + " is of none of the types that are allowed"
	}
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
		return fmt.Sprintf("%s must be one of %v", clipPath(path), s.Enum)
	}
	ok := true
	switch value := value.(type) {
	case map[string]any:
		if s.Type == "object" || s.Type == "" {
			return s.wrongObject(path, value)
		}
		ok = false
	case []any:
		if s.Type == "array" || s.Type == "" {
			return s.wrongItems(path, value)
		}
		ok = false
	case string:
		ok = s.Type == "string" || s.Type == ""
	case bool:
		ok = s.Type == "boolean" || s.Type == ""
	case float64:
		whole := value == math.Trunc(value)
		if ok = s.Type == "number" || s.Type == "" || s.Type == "integer" && whole; ok {
			if s.Minimum != nil && value < *s.Minimum {
				return fmt.Sprintf("%s must be at least %v", clipPath(path), *s.Minimum)
			}
			if s.Maximum != nil && value > *s.Maximum {
				return fmt.Sprintf("%s must be at most %v", clipPath(path), *s.Maximum)
			}
		}
	case nil:
		ok = s.Type == "null" || s.Type == ""
	}
	if !ok {
		return fmt.Sprintf("%s must be of the type %s", clipPath(path), s.Type)
	}
	return ""
}

func (s *schema) wrongObject(path string, object map[string]any) string {
	for _, name := range s.Required {
		if _, found := object[name]; !found {
			return fmt.Sprintf("%s needs %s", clipPath(path), name)
		}
	}
	var additional *schema
	closed := string(s.Additional) == "false"
	if len(s.Additional) > 0 && s.Additional[0] == '{' {
		additional = &schema{}
		if err := json.Unmarshal(s.Additional, additional); err != nil { // a broken build
			panic(fmt.Sprintf("eks: additionalProperties at %s: %v", path, err))
		}
	}
	for _, name := range sortedKeys(object) {
		property, known := s.Properties[name]
		switch {
		case known:
		case closed:
			return fmt.Sprintf("%s has no property %s", clipPath(path), quote(name))
		case additional == nil:
			continue
		default:
			property = additional
		}
		if wrong := property.wrong(path+"."+name, object[name]); wrong != "" {
			return wrong
		}
	}
	return ""
}

func (s *schema) wrongItems(path string, items []any) string {
	if s.Items == nil {
		return ""
	}
	for i, item := range items {
		if wrong := s.Items.wrong(fmt.Sprintf("%s[%d]", path, i), item); wrong != "" {
			return wrong
		}
	}
	return ""
}

// clipPath is a path in a message: its names are the client's own text.
func clipPath(path string) string { return strings.Trim(quote(path), `"`) }
