package main

import (
	"cmp"
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"
)

// types are all structs that cross, found by following their fields.
type types struct {
	said  comments
	named map[string]*structure
	err   error // the first type that has no JSON that we know
}

// structure is a struct's JSON.
type structure struct {
	name, about string
	fields      []field
}

// field is a member of a structure's JSON.
type field struct {
	name, about string
	typ         reflect.Type
	required    bool
	depth       int // of the embedded struct that has it: an outer one hides an inner one of its name, as encoding/json does
}

func newTypes(said comments) *types { return &types{said: said, named: map[string]*structure{}} }

// of finds the structs of a value.
func (t *types) of(value any) {
	if value != nil {
		t.find(reflect.TypeOf(value))
	}
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
	textType     = reflect.TypeFor[encoding.TextMarshaler]()
)

func (t *types) find(typ reflect.Type) {
	switch {
	case typ == timeType || typ == durationType:
		return
	case slices.Contains([]reflect.Kind{reflect.Pointer, reflect.Slice, reflect.Map}, typ.Kind()):
		if typ.Kind() != reflect.Map || typ.Elem().Kind() != reflect.Interface {
			t.find(typ.Elem())
		}
		return
	case typ.Kind() != reflect.Struct:
		if _, known := primitives[typ.Kind()]; !known && t.err == nil {
			t.err = fmt.Errorf("%s is of a kind that this command does not know: add it to primitives", typ)
		}
		return
	case t.named[typ.Name()] != nil:
		return
	}
	s := &structure{name: typ.Name(), about: t.said[typ.Name()]}
	t.named[s.name] = s
	t.collect(s, typ, 0)
	for _, f := range s.fields {
		t.find(f.typ)
	}
}

// collect adds the members of a struct, and those of the structs that it embeds.
func (t *types) collect(s *structure, typ reflect.Type, depth int) {
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		if f.Anonymous && name == "" {
			t.collect(s, f.Type, depth+1)
			continue
		}
		one := field{name: cmp.Or(name, f.Name), about: t.said[typ.Name()+"."+f.Name], typ: f.Type, depth: depth,
			required: !strings.Contains(options, "omit")}
		if at := slices.IndexFunc(s.fields, func(other field) bool { return other.name == one.name }); at < 0 {
			s.fields = append(s.fields, one)
		} else if one.depth < s.fields[at].depth {
			s.fields[at] = one
		}
	}
}

// sorted are the structures in the order of their names.
func (t *types) sorted() []*structure {
	all := make([]*structure, 0, len(t.named))
	for _, s := range t.named {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b *structure) int { return strings.Compare(a.name, b.name) })
	return all
}

// primitives are the schemas of Go's kinds.
var primitives = map[reflect.Kind]object{
	reflect.String:  {{"type", "string"}},
	reflect.Bool:    {{"type", "boolean"}},
	reflect.Int:     {{"type", "integer"}},
	reflect.Int64:   {{"type", "integer"}, {"format", "int64"}},
	reflect.Uint64:  {{"type", "integer"}, {"minimum", 0}},
	reflect.Float64: {{"type", "number"}},
}

// durationNote is what a duration's number means.
const durationNote = "In nanoseconds."

// schema describes a type's JSON. What may be null says so: a list that is always there is null where Go has none.
func schema(typ reflect.Type, always bool) object {
	switch {
	case typ == timeType:
		return object{{"type", "string"}, {"format", "date-time"}}
	case typ == durationType:
		return primitives[reflect.Int64]
	case typ.Implements(textType):
		return primitives[reflect.String]
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return schema(typ.Elem(), true)
	case reflect.Slice:
		var kind any = "array"
		if always {
			kind = []string{"array", "null"}
		}
		return object{{"type", kind}, {"items", schema(typ.Elem(), true)}}
	case reflect.Map:
		if typ.Elem().Kind() == reflect.String {
			return object{{"type", "object"}, {"additionalProperties", primitives[reflect.String]}}
		}
		return object{{"type", "object"}}
	case reflect.Struct:
		return reference(typ.Name())
	}
	return primitives[typ.Kind()]
}

func reference(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	text := []byte{'{'}
	for i, m := range o {
		name, err := marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, name...), ':'), value...)
	}
	return append(text, '}'), nil
}

// marshal is json.Marshal that leaves signs alone which only HTML minds.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return []byte(strings.TrimSuffix(b.String(), "\n")), err
}
