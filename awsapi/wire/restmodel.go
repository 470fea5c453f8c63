package wire

import (
	"encoding/json"
	"reflect"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// RESTModel is what the model of a restJson1 service says of its operations and of their inputs, where the SDK publishes
// no schemas of them.
type RESTModel struct {
	Operations map[string]RESTShape
	Shapes     map[string]ModelShape // by name: those that inputs hold
}

// RESTShape is an operation.
type RESTShape struct {
	Method, Path string
	Status       int    // of an answer
	Input        string // the shape
}

// ModelShape is a shape. A list's only member is member, a map's are key and value.
type ModelShape struct {
	Type    smithy.ShapeType
	Members map[string]ModelMember
}

// ModelMember is a member, and where it stands if not in the body.
type ModelMember struct {
	Shape         string
	Label         bool
	Query, Header string
}

// namespace is that of the schemas, which nobody looks at.
const namespace = "com.amazonaws"

// Operation is the schema of an operation: how it is called.
func (m RESTModel) Operation(name string) *smithy.Schema {
	o := m.Operations[name]
	return smithy.NewSchema(smithy.ShapeID{Namespace: namespace, Name: name}, smithy.ShapeTypeOperation, 0,
		&traits.HTTP{Method: o.Method, URI: o.Path, Code: o.Status})
}

// Input is the schema of an operation's input.
func (m RESTModel) Input(operation string) *smithy.Schema {
	return m.schema(m.Operations[operation].Input)
}

// schema is that of a shape. No service's inputs have shapes that hold themselves.
func (m RESTModel) schema(name string) *smithy.Schema {
	shape := m.Shapes[name]
	made := smithy.NewSchema(smithy.ShapeID{Namespace: namespace, Name: name}, shape.Type, len(shape.Members))
	for member, target := range shape.Members {
		var bound []smithy.Trait
		switch {
		case target.Label:
			bound = append(bound, &traits.HTTPLabel{})
		case target.Query != "":
			bound = append(bound, &traits.HTTPQuery{Name: target.Query})
		case target.Header != "":
			bound = append(bound, &traits.HTTPHeader{Name: target.Header})
		}
		made.AddMember(member, m.schema(target.Shape), bound...)
	}
	return made
}

// SDKOutput is an output of an SDK that publishes no schemas, whose types have a field for each member, named as the
// member is. What has no value is left out; a number or a boolean that is no pointer always has one.
type SDKOutput struct {
	Shape any
	// Lower says that members' names begin with a small letter.
	Lower bool
}

// MarshalJSON implements json.Marshaler.
func (o SDKOutput) MarshalJSON() ([]byte, error) {
	return json.Marshal(o.membersOf(reflect.ValueOf(o.Shape)))
}

// resultMetadata is the field of outputs that is no member.
const resultMetadata = "ResultMetadata"

// membersOf is a value as encoding/json writes it rightly; nil: it is not to be written.
func (o SDKOutput) membersOf(v reflect.Value) any {
	if moment, is := v.Interface().(time.Time); is {
		return float64(moment.UnixMilli()) / 1000
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return o.membersOf(v.Elem())
	case reflect.Struct:
		members := map[string]any{}
		for i := range v.NumField() {
			field := v.Type().Field(i)
			if !field.IsExported() || field.Name == resultMetadata {
				continue
			}
			name := field.Name
			if o.Lower {
				name = lowerFirst(name)
			}
			if value := o.membersOf(v.Field(i)); value != nil {
				members[name] = value
			}
		}
		return members
	case reflect.Slice:
		if v.IsNil() {
			return nil
		}
		items := make([]any, v.Len())
		for i := range items {
			items[i] = o.membersOf(v.Index(i))
		}
		return items
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		entries := map[string]any{}
		for key, value := range v.Seq2() {
			entries[key.String()] = o.membersOf(value)
		}
		return entries
	case reflect.String:
		if v.Type() != reflect.TypeFor[string]() && v.Len() == 0 { // an enum's zero value
			return nil
		}
	}
	return v.Interface()
}
