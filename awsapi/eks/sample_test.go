package eks

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"

	"tripod/awsapi/wire"
)

// sample is an input of an operation as a tree of JSON, valid until a test spoils it.
type sample struct {
	operation string
	schema    *smithy.Schema
	members   map[string]any
}

func validSample(operation string) sample {
	schema := wire.InputSchema(newInput(operation))
	return sample{operation, schema, validValue(schema).(map[string]any)}
}

// validValue is a value that breaks no constraint, with all members.
func validValue(schema *smithy.Schema) any {
	c := constraints[schema.TargetID().Name]
	switch schema.Type() {
	case smithy.ShapeTypeStructure:
		members := map[string]any{}
		for name, member := range schema.Members() {
			members[name] = validValue(member)
		}
		return members
	case smithy.ShapeTypeList:
		return []any{validValue(schema.ListMember())}
	case smithy.ShapeTypeMap:
		return map[string]any{"key": validValue(schema.MapValue())}
	case smithy.ShapeTypeBoolean:
		return true
	case smithy.ShapeTypeInteger:
		return json.Number("1")
	}
	if len(c.Enum) > 0 {
		return c.Enum[0]
	}
	return "a"
}

// send puts the input on the wire and gives back what became of it.
func (s sample) send(t *testing.T, do func(method, target, body string) echoed) error {
	t.Helper()
	binding, _ := smithy.SchemaTrait[*traits.HTTP](schemaOf(t, s.operation))
	target, query, body := binding.URI, url.Values{}, map[string]any{}
	for name, value := range s.members {
		member := s.schema.Member(name)
		if _, ok := smithy.SchemaTrait[*traits.HTTPLabel](member); ok {
			target = strings.Replace(target, "{"+name+"}", url.PathEscape(fmt.Sprint(value)), 1)
		} else if bound, ok := smithy.SchemaTrait[*traits.HTTPQuery](member); ok {
			list, ok := value.([]any)
			if !ok {
				list = []any{value}
			}
			for _, item := range list {
				query.Add(bound.Name, fmt.Sprint(item))
			}
		} else {
			body[name] = value
		}
	}
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	text := ""
	if len(body) > 0 {
		encoded, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	got := do(binding.Method, target, text)
	if got.operation != s.operation {
		t.Fatalf("%s: %s %s went to %q", s.operation, binding.Method, target, got.operation)
	}
	return got.err
}

// place is one value in a sample: its schema, where it stands, and how it is replaced or (with nothing) removed.
type place struct {
	operation string
	path      string
	schema    *smithy.Schema
	inBody    bool
	label     bool
	required  bool
	set       func(value any)
	remove    func() // nil where it is not a member of a structure
}

// places are all values in a sample at all depths.
func (s sample) places() []place {
	var all []place
	var members func(path string, schema *smithy.Schema, values map[string]any, inBody bool)
	var value func(p place, v any)
	value = func(p place, v any) {
		p.operation = s.operation
		all = append(all, p)
		switch v := v.(type) {
		case map[string]any:
			if p.schema.Type() == smithy.ShapeTypeStructure {
				members(p.path, p.schema, v, p.inBody)
				return
			}
			value(place{path: p.path + ".key", schema: p.schema.MapValue(), inBody: p.inBody,
				set: func(x any) { v["key"] = x }}, v["key"])
		case []any:
			value(place{path: p.path + ".1", schema: p.schema.ListMember(), inBody: p.inBody, set: func(x any) { v[0] = x }},
				v[0])
		}
	}
	members = func(path string, schema *smithy.Schema, values map[string]any, inBody bool) {
		shape := schema.TargetID().Name
		if shape == "" {
			shape = schema.ID().Name
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			member := schema.Member(name)
			p := place{path: path + "." + name, schema: member, inBody: inBody,
				required: slices.Contains(constraints[shape].Required, name),
				set:      func(x any) { values[name] = x }, remove: func() { delete(values, name) }}
			if path == "" {
				_, p.label = smithy.SchemaTrait[*traits.HTTPLabel](member)
				_, query := smithy.SchemaTrait[*traits.HTTPQuery](member)
				p.inBody = !p.label && !query
			}
			value(p, values[name])
		}
	}
	members("", s.schema, s.members, false)
	return all
}
