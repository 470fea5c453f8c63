package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Input is the value of a restJson1 operation's input as a client sent it: gathered from path, query, headers and body.
type Input struct {
	schema  *smithy.Schema
	members map[string]tree
}

// Parts are what a request's input is gathered from.
type Parts struct {
	// Labels are the path's parts by name, decoded; Params the query's parameters.
	Labels map[string]string
	Params url.Values
	Header http.Header
	Body   []byte
}

// InputOf gathers an operation's input by its schema. Members that the schema does not have are left out, as AWS
// ignores them. Bad JSON is SerializationException.
func InputOf(schema *smithy.Schema, parts Parts) (*Input, error) {
	in := &Input{schema: schema, members: map[string]tree{}}
	var body []string
	for name, member := range schema.Members() {
		if value, bound := boundValue(parts, member); !bound {
			body = append(body, name)
		} else if value != nil {
			in.members[name] = value
		}
	}
	if len(body) == 0 || len(parts.Body) == 0 {
		return in, nil
	}
	sent, err := parseJSON(parts.Body)
	if err != nil {
		return nil, serialization(err)
	}
	for _, name := range body {
		if value := sent[name]; value != nil {
			in.members[name] = value
		}
	}
	return in, nil
}

// boundValue is the value of a member that stands in the path, the query or a header, nil where it is not sent. Those
// of the query are texts, and lists of texts, whatever their types.
func boundValue(parts Parts, member *smithy.Schema) (value tree, bound bool) {
	name := member.MemberName()
	if _, ok := smithy.SchemaTrait[*traits.HTTPLabel](member); ok {
		if text, ok := parts.Labels[name]; ok {
			value = plain(text)
		}
		return value, true
	}
	if header, ok := smithy.SchemaTrait[*traits.HTTPHeader](member); ok {
		if len(parts.Header.Values(header.Name)) > 0 {
			value = plain(parts.Header.Get(header.Name))
		}
		return value, true
	}
	query, ok := smithy.SchemaTrait[*traits.HTTPQuery](member)
	if !ok {
		return nil, false
	}
	sent, ok := parts.Params[query.Name]
	switch {
	case !ok || len(sent) == 0:
	case member.Type() == smithy.ShapeTypeList:
		list := make([]tree, len(sent))
		for i, text := range sent {
			list[i] = plain(text)
		}
		value = list
	default:
		value = plain(sent[0])
	}
	return value, true
}

// plain is a text outside the body: it may stand for a number or a boolean, which in JSON have a form of their own.
type plain string

// Into fills the SDK's input type, given by pointer. A value of another type than the schema's is
// SerializationException.
func (in *Input) Into(target any) error {
	return fillStruct(target, in.schema, in.members)
}

// Text is a member's value if it is a text, and otherwise empty.
func (in *Input) Text(member string) string {
	return textOf(in.members[member])
}

// Values are what stands at a path of members, such as oidc.clientId, as texts: of a list each item's, and none where
// nothing stands.
func (in *Input) Values(path string) []string { return valuesAt(in.members, strings.Split(path, ".")) }

// ValuesWhere are the values at path in those structures of a list in which a member has that value.
func (in *Input) ValuesWhere(list, member, value, path string) []string {
	var all []string
	for _, item := range itemsAt(in.members, strings.Split(list, ".")) {
		if slices.Equal(valuesAt(item, []string{member}), []string{value}) {
			all = append(all, valuesAt(item, strings.Split(path, "."))...)
		}
	}
	return all
}

func itemsAt(value tree, path []string) []tree {
	for _, member := range path {
		structure, _ := value.(map[string]tree)
		value = structure[member]
	}
	items, _ := value.([]tree)
	return items
}

func valuesAt(value tree, path []string) []string {
	switch value := value.(type) {
	case []tree:
		var all []string
		for _, item := range value {
			all = append(all, valuesAt(item, path)...)
		}
		return all
	case map[string]tree:
		if len(path) == 0 {
			return []string{"{}"}
		}
		return valuesAt(value[path[0]], path[1:])
	}
	if value == nil || len(path) > 0 {
		return nil
	}
	return []string{fmt.Sprint(value)}
}

// textOf is a tree's text, wherever it stood; empty if it is none.
func textOf(value tree) string {
	switch value := value.(type) {
	case string:
		return value
	case plain:
		return string(value)
	}
	return ""
}

// serialization is the error of AWS's own framework, which no service models, for what cannot be read at all.
func serialization(err error) *Error {
	return &Error{Code: "SerializationException", Status: http.StatusBadRequest,
		Message: "The request cannot be read: " + err.Error() + "."}
}

// wrongType is the SerializationException for a value of a type that the schema does not have there.
func wrongType(path string, schema *smithy.Schema, value tree) error {
	return serialization(fmt.Errorf("%s must be %s, not %s", excerpt(path), typeName(schema), looks(value)))
}

func typeName(schema *smithy.Schema) string {
	switch schema.Type() {
	case smithy.ShapeTypeBoolean:
		return "true or false"
	case smithy.ShapeTypeByte, smithy.ShapeTypeShort, smithy.ShapeTypeInteger, smithy.ShapeTypeLong,
		smithy.ShapeTypeIntEnum:
		return "an integer in its type's range"
	case smithy.ShapeTypeFloat, smithy.ShapeTypeDouble:
		return "a number"
	case smithy.ShapeTypeTimestamp:
		return "a time in seconds since 1970"
	case smithy.ShapeTypeBlob:
		return "base64"
	case smithy.ShapeTypeList, smithy.ShapeTypeSet:
		return "a list"
	case smithy.ShapeTypeMap, smithy.ShapeTypeStructure, smithy.ShapeTypeUnion:
		return "an object"
	}
	return "a string"
}

// looks tells a value's type, and not the value: it may be a secret in the wrong place.
func looks(value tree) string {
	switch value.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string, plain:
		return "this string"
	case json.Number:
		return "this number"
	case []tree:
		return "a list"
	}
	return "an object"
}

// InputSchema is the schema of an SDK's input type, which the type tells only to a serializer.
func InputSchema(input smithy.Serializable) *smithy.Schema {
	seen := schemaWriter{Serializable: input}
	// The body operation writes no address, and an input without values can always be written.
	_ = restJSON.SerializeRequest(context.Background(), body, &seen, smithyhttp.NewStackRequest().(*smithyhttp.Request))
	return seen.schema
}

// schemaWriter notes the first structure that is written.
type schemaWriter struct {
	smithy.Serializable
	smithy.ShapeSerializer
	schema *smithy.Schema
}

// Serialize implements smithy.Serializable.
func (w *schemaWriter) Serialize(s smithy.ShapeSerializer) {
	w.ShapeSerializer = s
	w.Serializable.Serialize(w)
}

// WriteStruct implements smithy.ShapeSerializer.
func (w *schemaWriter) WriteStruct(schema *smithy.Schema) {
	if w.schema == nil {
		w.schema = schema
	}
	w.ShapeSerializer.WriteStruct(schema)
}
