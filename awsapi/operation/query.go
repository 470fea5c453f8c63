package operation

import (
	"maps"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"tripod/awsapi/wire"
)

// QueryAPI is an API of the awsQuery or ec2Query protocol: the parameter Action names the operation.
type QueryAPI struct {
	Protocol wire.Protocol
	// Name is the service's signing name, Version the API's, which every call names, and Namespace that of its XML.
	Name, Version, Namespace string
	// Operations are all of the API's operations, sorted, whether Tripod has them or not.
	Operations []string
	// Actions are those that Tripod has, by name.
	Actions map[string]Action
	// Model checks inputs before an action sees them; nil checks none.
	Model *wire.QueryModel
	// Permit authorizes calls, whatever their action; nil leaves it to the actions.
	Permit func(*Call) error
}

// QueryOf makes an action of a function: it decodes the input from the call's parameters, and asks for the service's
// permission of the operation's name on all resources.
func QueryOf[In, Out any](service string, run func(*Call, *In) (*Out, error)) Action {
	return func(call *Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		if err := call.Authorize(wire.Query, service+":"+call.Operation, "*"); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}

// Route adds the one path of the protocol.
func (api *QueryAPI) Route(router *mux.Router, handle func(operation string) http.Handler) {
	root(router, handle)
}

// Operation is the name if the API has such an operation, whether Tripod has it or not, and otherwise empty.
func (api *QueryAPI) Operation(name string) string {
	if _, found := slices.BinarySearch(api.Operations, name); found {
		return name
	}
	return ""
}

// Names are the operations that Tripod has, sorted.
func (api *QueryAPI) Names() []string { return slices.Sorted(maps.Keys(api.Actions)) }

// Serve answers one call; errors are *wire.Error or unexpected. Where it returns one it has written nothing.
func (api *QueryAPI) Serve(w http.ResponseWriter, call *Call) error {
	if err := api.check(call.Params["Action"], call.Params["Version"]); err != nil {
		return err
	}
	call.Operation = call.Params.Get("Action")
	action := api.Actions[call.Operation]
	if action == nil {
		return wire.Unsupported(api.Protocol, api.Name, call.Operation)
	}
	if api.Permit != nil {
		if err := api.Permit(call); err != nil {
			return err
		}
	}
	if err := api.Model.Check(call.Operation, call.Params); err != nil {
		return err
	}
	result, err := action(call)
	if err != nil {
		return err
	}
	if api.Protocol == wire.EC2Query {
		wire.WriteEC2(w, call.Operation, call.RequestID, result)
	} else {
		wire.WriteQueryResult(w, call.Request, call.Operation, call.RequestID, api.Namespace, result)
	}
	return nil
}

// check refuses a call that names no action of the API, or another version.
func (api *QueryAPI) check(actions, versions []string) error {
	refuse := func(code, message string) error {
		return &wire.Error{Code: code, Status: http.StatusBadRequest, Message: message}
	}
	if len(actions) > 1 || len(versions) > 1 {
		return refuse("MalformedQueryString", "Action and Version must be given once.")
	}
	if len(actions) == 0 || actions[0] == "" {
		return refuse("MissingAction", "The request is missing an action or a required parameter.")
	}
	action, version := wire.Clip(actions[0]), "NO_VERSION_SPECIFIED"
	if len(versions) == 1 && versions[0] != "" {
		version = wire.Clip(versions[0])
	}
	known := api.Operation(actions[0]) != ""
	switch {
	case api.Protocol == wire.EC2Query && version != api.Version:
		return refuse("NoSuchVersion",
			"The requested version ("+version+") of service "+api.Name+" does not exist: "+
				"set Version to "+api.Version+".")
	case api.Protocol == wire.EC2Query && !known:
		return refuse("InvalidAction", "The action "+action+" is not valid for this web service.")
	case !known || version != api.Version:
		return wire.UnknownOperation(api.Protocol,
			"Could not find operation "+action+" for version "+version+": the API's is "+api.Version+".")
	}
	return nil
}

func (api *QueryAPI) accepts(version string) bool { return api.Version == version }
func (api *QueryAPI) xmlns() string               { return api.Namespace }
