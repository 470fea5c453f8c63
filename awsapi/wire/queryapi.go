package wire

import (
	"net/http"
	"slices"
)

// QueryAction answers one operation of a query protocol with the members of its answer, or an error (an *Error for the client's eyes).
type QueryAction func(*Call) (any, error)

// QueryAPI is a service of the awsQuery or ec2Query protocol. The parameter Action names the operation.
type QueryAPI struct {
	Protocol Protocol
	// Name is the service's signing name, Version the API's, which every call names, and Namespace that of its XML.
	Name, Version, Namespace string
	// Operations are all of the API's operations, sorted, whether Tripod has them or not.
	Operations []string
	// Actions are those that Tripod has, by name.
	Actions map[string]QueryAction
	// Model checks inputs before an action sees them; nil checks none.
	Model *QueryModel
	// Permit refuses calls, whatever their action; nil refuses none.
	Permit func(*Call) error
}

// Operation is the action's name if the API has it, and empty otherwise: fit for a metric's label.
func (api *QueryAPI) Operation(action string) string {
	if _, found := slices.BinarySearch(api.Operations, action); found {
		return action
	}
	return ""
}

// Serve answers one call; errors are *Error or unexpected. Where it returns one it has written nothing.
func (api *QueryAPI) Serve(w http.ResponseWriter, call *Call) error {
	if err := api.check(call.Params["Action"], call.Params["Version"]); err != nil {
		return err
	}
	call.Operation = call.Params.Get("Action")
	action := api.Actions[call.Operation]
	if action == nil {
		return Unsupported(api.Protocol, api.Name, call.Operation)
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
	if api.Protocol == EC2Query {
		WriteEC2(w, call, result)
	} else {
		WriteQueryResult(w, call, api.Namespace, result)
	}
	return nil
}

// check refuses a call that names no action of the API, or another version.
func (api *QueryAPI) check(actions, versions []string) error {
	refuse := func(code, message string) error {
		return &Error{Code: code, Status: http.StatusBadRequest, Message: message}
	}
	if len(actions) > 1 || len(versions) > 1 {
		return refuse("MalformedQueryString", "Action and Version must be given once.")
	}
	if len(actions) == 0 || actions[0] == "" {
		return refuse("MissingAction", "The request is missing an action or a required parameter.")
	}
	action, version := clipName(actions[0]), "NO_VERSION_SPECIFIED"
	if len(versions) == 1 && versions[0] != "" {
		version = clipName(versions[0])
	}
	known := api.Operation(actions[0]) != ""
	switch {
	case api.Protocol == EC2Query && version != api.Version:
		return refuse("NoSuchVersion", "The requested version ("+version+") of service "+api.Name+" does not exist: set Version to "+api.Version+".")
	case api.Protocol == EC2Query && !known:
		return refuse("InvalidAction", "The action "+action+" is not valid for this web service.")
	case !known || version != api.Version:
		return UnknownOperation(api.Protocol, "Could not find operation "+action+" for version "+version+": the API's is "+api.Version+".")
	}
	return nil
}
