package wire

import (
	"net/http"
	"strings"

	"github.com/aws/smithy-go"
)

// JSONAPI is a service of the awsJson1.1 protocol whose shapes the SDK publishes. X-Amz-Target names the operation.
type JSONAPI struct {
	// Name is the service's signing name.
	Name string
	// Actions are the operations that Tripod has, by name.
	Actions map[string]Action
	// AlwaysWritten are booleans that the service writes when false too; see Encode.
	AlwaysWritten []*smithy.Schema
}

// Operation is the action's name if the API has it, and empty otherwise.
func (api *JSONAPI) Operation(action string) string {
	if api.Actions[action] == nil {
		return ""
	}
	return action
}

// Serve answers one call. Where it returns an error it has written nothing.
func (api *JSONAPI) Serve(w http.ResponseWriter, call *Call) error {
	action := api.Actions[call.Operation]
	if action == nil {
		target := call.Request.Header.Get("X-Amz-Target")
		return Unsupported(AWSJSON, api.Name, excerpt(target[strings.LastIndexByte(target, '.')+1:]))
	}
	output, err := action(call)
	if err != nil {
		return err
	}
	body, err := Encode(output, api.AlwaysWritten...)
	if err != nil {
		return err
	}
	Write(w, http.StatusOK, "application/x-amz-json-1.1", body)
	return nil
}
