package operation

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/smithy-go"
	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
)

// JSONAPI is an API of the awsJson1.1 protocol whose shapes the SDK publishes: the header X-Amz-Target names the
// operation.
type JSONAPI struct {
	// Name is the service's signing name.
	Name string
	// Actions are the operations that Tripod has, by name.
	Actions map[string]Action
	// AlwaysWritten are booleans that the service writes when false too; see wire.Encode.
	AlwaysWritten []*smithy.Schema
}

// Streamed is the output of an operation that goes on: it writes itself. With an error it has written nothing.
type Streamed interface {
	ServeStream(w http.ResponseWriter) error
}

// Route adds the one path of the protocol.
func (api *JSONAPI) Route(router *mux.Router, handle func(operation string) http.Handler) {
	root(router, handle)
}

// Operation is the name if Tripod has such an operation, and otherwise empty.
func (api *JSONAPI) Operation(name string) string {
	if api.Actions[name] == nil {
		return ""
	}
	return name
}

// Names are the operations that Tripod has, sorted.
func (api *JSONAPI) Names() []string { return slices.Sorted(maps.Keys(api.Actions)) }

// Serve answers one call.
func (api *JSONAPI) Serve(w http.ResponseWriter, call *Call) error {
	action := api.Actions[call.Operation]
	if action == nil {
		return wire.UnsupportedTarget(api.Name, call.Request.Header.Get("X-Amz-Target"))
	}
	output, err := action(call)
	if err != nil {
		return err
	}
	if stream, ok := output.(Streamed); ok {
		return stream.ServeStream(w)
	}
	contentType := "application/x-amz-json-1.1"
	if asked, _, _ := strings.Cut(call.Request.Header.Get("Content-Type"), ";"); asked == "application/x-amz-json-1.0" {
		contentType = asked
	}
	return wire.WriteJSON(w, http.StatusOK, contentType, output, api.AlwaysWritten...)
}

// JSONOf makes an action of a function whose input and output are structs that encoding/json reads and writes: that of a
// service whose shapes Tripod has of its own. Members that the input does not have are refused by nobody.
func JSONOf[In, Out any](run func(*Call, *In) (*Out, error)) Action {
	return func(call *Call) (any, error) {
		in := new(In)
		if len(call.Body) > 0 {
			if err := json.Unmarshal(call.Body, in); err != nil {
				return nil, &wire.Error{Code: "SerializationException", Status: http.StatusBadRequest,
					Message: "The request's body is not the JSON that the operation takes.", Cause: err}
			}
		}
		out, err := run(call, in)
		if err != nil {
			return nil, err // not out: a nil pointer in an interface is not nil
		}
		return out, nil
	}
}

func (*JSONAPI) accepts(string) bool { return true }
func (*JSONAPI) xmlns() string       { return "" }
