package wire

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go/encoding/cbor"
)

// Document is an input or output of a service that speaks several protocols, whose shapes Tripod has of its own: values are
// string, float64, bool, []any and Document; of outputs time.Time, too.
type Document = map[string]any

// Map is a map of numbers in an output: names are keys, and not members.
type Map map[string]float64

// Types says which members of a service's documents, at any depth, are whole numbers, other numbers and booleans. The query
// protocol writes all as text, and JSON has one kind of numbers.
type Types struct{ Integers, Floats, Booleans []string }

// DecodeRPC reads a call's input.
func DecodeRPC(p Protocol, types Types, params url.Values, body []byte) (Document, error) {
	malformed := func(err error) error {
		return &Error{Code: "SerializationException", Status: http.StatusBadRequest, Message: "The request's body cannot be read.", Cause: err}
	}
	switch p {
	case CBOR:
		if len(body) == 0 {
			return Document{}, nil
		}
		value, err := cbor.Decode(body)
		if err != nil {
			return nil, malformed(err)
		}
		if in, ok := ofCBOR(value).(Document); ok {
			return in, nil
		}
		return nil, malformed(errors.New("no map"))
	case AWSJSON:
		in := Document{}
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, malformed(err)
		}
		return in, nil
	}
	in := Document{}
	for name, values := range params {
		if name != "Action" && name != "Version" {
			put(in, strings.Split(name, "."), values[0])
		}
	}
	typed, ok := types.of("", listed(in)).(Document)
	if !ok {
		return nil, malformed(errors.New("no parameters"))
	}
	return typed, nil
}

// put puts a parameter where its name says: Dimensions.member.1.Name.
func put(in Document, path []string, value string) {
	if len(path) == 1 {
		in[path[0]] = value
		return
	}
	below, ok := in[path[0]].(Document)
	if !ok {
		below = Document{}
		in[path[0]] = below
	}
	put(below, path[1:], value)
}

// listed makes lists of the documents whose only member is member.
func listed(value any) any {
	in, ok := value.(Document)
	if !ok {
		return value
	}
	if members, ok := in["member"].(Document); ok && len(in) == 1 {
		numbers := make([]int, 0, len(members))
		for text := range members {
			if n, err := strconv.Atoi(text); err == nil {
				numbers = append(numbers, n)
			}
		}
		slices.Sort(numbers)
		items := make([]any, len(numbers))
		for i, n := range numbers {
			items[i] = listed(members[strconv.Itoa(n)])
		}
		return items
	}
	for name := range in {
		in[name] = listed(in[name])
	}
	return in
}

// of makes what was written as text what it is.
func (t Types) of(name string, value any) any {
	switch value := value.(type) {
	case Document:
		for member := range value {
			value[member] = t.of(member, value[member])
		}
	case []any:
		for i := range value {
			value[i] = t.of(name, value[i])
		}
	case string:
		if slices.Contains(t.Booleans, name) {
			return value == "true"
		}
		if slices.Contains(t.Integers, name) || slices.Contains(t.Floats, name) {
			if n, err := strconv.ParseFloat(value, 64); err == nil {
				return n
			}
		}
	}
	return value
}

func ofCBOR(value cbor.Value) any {
	switch value := value.(type) {
	case cbor.Map:
		document := Document{}
		for name, member := range value {
			if member := ofCBOR(member); member != nil {
				document[name] = member
			}
		}
		return document
	case cbor.List:
		items := make([]any, len(value))
		for i := range value {
			items[i] = ofCBOR(value[i])
		}
		return items
	case cbor.String:
		return string(value)
	case cbor.Bool:
		return bool(value)
	case *cbor.Tag:
		return ofCBOR(value.Value)
	}
	if n, err := cbor.AsFloat64(value); err == nil {
		return n
	}
	if n, err := cbor.AsInt64(value); err == nil {
		return float64(n)
	}
	return nil
}

// WriteRPC answers a call with its output; nil: it has none.
func WriteRPC(w http.ResponseWriter, r *http.Request, p Protocol, types Types, operation, requestID, xmlns string, out Document) {
	switch p {
	case CBOR:
		w.Header().Set("Smithy-Protocol", smithyCBOR)
		if out == nil {
			out = Document{}
		}
		Write(w, http.StatusOK, "application/cbor", cbor.Encode(types.cbor("", out)))
	case AWSJSON:
		contentType := "application/x-amz-json-1.1"
		if asked := mediaType(r); asked == "application/x-amz-json-1.0" {
			contentType = asked
		}
		text, _ := json.Marshal(inJSON(out))
		Write(w, http.StatusOK, contentType, text)
	default:
		WriteQueryResult(w, r, operation, requestID, xmlns, xmlDocument(out))
	}
}

func (t Types) cbor(name string, value any) cbor.Value {
	switch value := value.(type) {
	case Document:
		members := cbor.Map{}
		for member := range value {
			members[member] = t.cbor(member, value[member])
		}
		return members
	case Map:
		entries := cbor.Map{}
		for key := range value {
			entries[key] = cbor.Float64(value[key])
		}
		return entries
	case []any:
		items := cbor.List{}
		for i := range value {
			items = append(items, t.cbor(name, value[i]))
		}
		return items
	case string:
		return cbor.String(value)
	case bool:
		return cbor.Bool(value)
	case float64:
		if slices.Contains(t.Integers, name) && value >= 0 && value == math.Trunc(value) {
			return cbor.Uint(value)
		}
		return cbor.Float64(value)
	case time.Time:
		return &cbor.Tag{ID: 1, Value: cbor.Float64(float64(value.UnixMilli()) / 1000)}
	}
	return &cbor.Nil{}
}

// inJSON is an output as encoding/json writes it rightly.
func inJSON(value any) any {
	switch value := value.(type) {
	case Document:
		members := Document{}
		for name := range value {
			members[name] = inJSON(value[name])
		}
		return members
	case []any:
		items := make([]any, len(value))
		for i := range value {
			items[i] = inJSON(value[i])
		}
		return items
	case time.Time:
		return float64(value.UnixMilli()) / 1000
	}
	return value
}

// xmlDocument is an output as the query protocol has it.
type xmlDocument Document

// MarshalJSON is for clients of the query protocol that ask for JSON.
func (d xmlDocument) MarshalJSON() ([]byte, error) { return json.Marshal(inJSON(Document(d))) }

// MarshalXML implements xml.Marshaler.
func (d xmlDocument) MarshalXML(enc *xml.Encoder, start xml.StartElement) error {
	if err := enc.EncodeToken(start); err != nil {
		return err
	}
	if err := encodeMembers(enc, Document(d)); err != nil {
		return err
	}
	return enc.EncodeToken(start.End())
}

func encodeMembers(enc *xml.Encoder, members Document) error {
	names := make([]string, 0, len(members))
	for name := range members {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := encodeMember(enc, name, members[name]); err != nil {
			return err
		}
	}
	return nil
}

func encodeMember(enc *xml.Encoder, name string, value any) error {
	start := xml.StartElement{Name: xml.Name{Local: name}}
	text := ""
	switch value := value.(type) {
	case Document:
		return xmlDocument(value).MarshalXML(enc, start)
	case []any:
		if err := enc.EncodeToken(start); err != nil {
			return err
		}
		for i := range value {
			if err := encodeMember(enc, "member", value[i]); err != nil {
				return err
			}
		}
		return enc.EncodeToken(start.End())
	case Map:
		if err := enc.EncodeToken(start); err != nil {
			return err
		}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			if err := encodeMember(enc, "entry", Document{"key": key, "value": value[key]}); err != nil {
				return err
			}
		}
		return enc.EncodeToken(start.End())
	case string:
		text = value
	case bool:
		text = strconv.FormatBool(value)
	case float64:
		text = strconv.FormatFloat(value, 'f', -1, 64)
	case time.Time:
		text = value.UTC().Format("2006-01-02T15:04:05.000Z")
	}
	return enc.EncodeElement(text, start)
}
