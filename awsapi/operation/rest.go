package operation

import (
	"net/http"
	"slices"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
)

// RESTAPI is an API of the restJson1 protocol: method and path name the operation.
type RESTAPI struct {
	// Name is the service's signing name.
	Name string
	// Operations are all of the API's, whether Tripod has them or not.
	Operations []RESTOperation
	// AlwaysWritten are booleans that the service writes when false too; see wire.Encode.
	AlwaysWritten []*smithy.Schema
}

// RESTOperation is an operation and how it is called.
type RESTOperation struct {
	Name string
	// Method and Path are as the model has them, such as GET and /clusters/{name}; Status is that of an answer.
	Method, Path string
	Status       int
	// Action is nil where Tripod does not have the operation.
	Action Action
}

// RESTOf is an operation whose schema says how it is called.
func RESTOf(schema *smithy.Schema, action Action) RESTOperation {
	name := schema.ID().Name
	binding, ok := smithy.SchemaTrait[*traits.HTTP](schema)
	if !ok { // a programming error: the schema is of something else
		panic("operation: " + name + " has no path")
	}
	return RESTOperation{Name: name, Method: binding.Method, Path: binding.URI, Status: binding.Code, Action: action}
}

// Route adds a route for every operation.
func (api *RESTAPI) Route(router *mux.Router, handle func(operation string) http.Handler) {
	for _, one := range api.Operations {
		router.Handle(one.Path, handle(one.Name)).Methods(one.Method)
	}
}

// Operation is the name if the API has such an operation, and otherwise empty.
func (api *RESTAPI) Operation(name string) string {
	if _, ok := api.named(name); !ok {
		return ""
	}
	return name
}

// Names are the operations that Tripod has, sorted.
func (api *RESTAPI) Names() []string {
	var names []string
	for _, one := range api.Operations {
		if one.Action != nil {
			names = append(names, one.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Serve answers a call of the operation by whose route it came.
func (api *RESTAPI) Serve(w http.ResponseWriter, call *Call) error {
	one, ok := api.named(call.Operation)
	if !ok || one.Action == nil {
		return wire.Unsupported(wire.RestJSON, api.Name, call.Operation)
	}
	output, err := one.Action(call)
	if err != nil {
		return err
	}
	return wire.WriteJSON(w, one.Status, "application/json", output, api.AlwaysWritten...)
}

func (api *RESTAPI) named(name string) (RESTOperation, bool) {
	i := slices.IndexFunc(api.Operations, func(one RESTOperation) bool { return one.Name == name })
	if i < 0 {
		return RESTOperation{}, false
	}
	return api.Operations[i], true
}

func (*RESTAPI) accepts(string) bool { return true }
func (*RESTAPI) xmlns() string       { return "" }
