package wire

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	smithyhttp "github.com/aws/smithy-go/transport/http"
	"github.com/aws/smithy-go/transport/http/protocol/restjson1"
)

// body is an operation whose input is nothing but its body. The SDK publishes its JSON encoder only as the part of a
// protocol that writes requests; an output serialized as if it were this operation's input gives the response's body.
// The SDK's own response snapshots are made the same way.
var body = smithy.NewOperationSchema(
	smithy.NewSchema(smithy.ShapeID{Namespace: "tripod", Name: "Body"}, smithy.ShapeTypeOperation, 0,
		&traits.HTTP{Method: http.MethodPost, URI: "/", Code: http.StatusOK}),
	smithy.NewSchema(smithy.ShapeID{Namespace: "tripod", Name: "BodyInput"}, smithy.ShapeTypeStructure, 0), nil)

var restJSON = restjson1.New(nil)

// Encode is the JSON of an output or exception of an SDK with published schemas. Members bound to headers are not in
// it. always are boolean members of structures that are written when false too: the SDK, which writes requests, leaves
// out those whose zero value is the default, and AWS does not.
func Encode(shape smithy.Serializable, always ...*smithy.Schema) ([]byte, error) {
	request := smithyhttp.NewStackRequest().(*smithyhttp.Request)
	if err := restJSON.SerializeRequest(context.Background(), body, withFalse{shape, always}, request); err != nil {
		return nil, fmt.Errorf("encode %T: %w", shape, err)
	}
	stream := request.GetStream()
	if stream == nil {
		return []byte("{}"), nil
	}
	text, err := io.ReadAll(stream)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", shape, err)
	}
	return text, nil
}

// WriteJSON answers with an output in JSON: a shape of the SDK as Encode writes it, or what encoding/json writes. With
// an error it has written nothing.
func WriteJSON(w http.ResponseWriter, status int, contentType string, output any, always ...*smithy.Schema) error {
	var text []byte
	var err error
	if shape, ok := output.(smithy.Serializable); ok {
		text, err = Encode(shape, always...)
	} else {
		text, err = json.Marshal(output)
	}
	if err != nil {
		return err
	}
	Write(w, status, contentType, text)
	return nil
}

// withFalse is a shape whose booleans in always are written when false too. One of an operation that the model gives no
// output, which the SDK knows by a nil schema, is written as nothing.
type withFalse struct {
	smithy.Serializable
	always []*smithy.Schema
}

// Serialize implements smithy.Serializable.
func (v withFalse) Serialize(s smithy.ShapeSerializer) {
	v.Serializable.Serialize(&falseWriter{ShapeSerializer: s, always: v.always})
}

// falseWriter notes which booleans each open structure has got, and adds the missing ones as it closes.
type falseWriter struct {
	smithy.ShapeSerializer
	always []*smithy.Schema
	open   []openStruct
}

type openStruct struct {
	schema  *smithy.Schema
	written map[*smithy.Schema]bool
}

func (w *falseWriter) WriteStruct(schema *smithy.Schema) {
	w.open = append(w.open, openStruct{schema, map[*smithy.Schema]bool{}})
	if schema != nil {
		w.ShapeSerializer.WriteStruct(schema)
	}
}

func (w *falseWriter) WriteBool(schema *smithy.Schema, v bool) {
	if len(w.open) > 0 {
		w.open[len(w.open)-1].written[schema] = true
	}
	w.ShapeSerializer.WriteBool(schema, v)
}

func (w *falseWriter) CloseStruct() {
	closing := w.open[len(w.open)-1]
	w.open = w.open[:len(w.open)-1]
	if closing.schema == nil {
		return
	}
	for _, member := range w.always {
		if closing.schema.Member(member.MemberName()) == member && !closing.written[member] {
			w.ShapeSerializer.WriteBool(member, false)
		}
	}
	w.ShapeSerializer.CloseStruct()
}
