package operation

import (
	"maps"
	"net/http"
	"slices"

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
	return wire.WriteJSON(w, http.StatusOK, "application/x-amz-json-1.1", output, api.AlwaysWritten...)
}

func (*JSONAPI) accepts(string) bool { return true }
func (*JSONAPI) xmlns() string       { return "" }
