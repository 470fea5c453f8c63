// Package sts is AWS Security Token Service, API version 2011-06-15.
package sts

import (
	"net/http"
	"slices"
	"time"

	"tripod/awsapi/wire"
	"tripod/region"
)

const (
	// Version is the API's version, which every request names.
	Version = "2011-06-15"
	// Namespace is the XML namespace of the answers.
	Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	// Name is the service's signing name.
	Name = "sts"
)

// operations are all of the API's actions, whether Tripod has them or not.
var operations = []string{
	"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
	"GetAccessKeyInfo", "GetCallerIdentity", "GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken", "GetWebIdentityToken",
}

// unsigned are the actions that need no signature: they bring their own proof of identity.
var unsigned = []string{"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}

// NeedsSignature says whether an action must be signed.
func NeedsSignature(action string) bool { return !slices.Contains(unsigned, action) }

// Service answers STS calls.
type Service struct {
	// State has the roles, and the key that seals session tokens; nil means that there are no temporary credentials.
	State region.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Operation is the action's name if the API has it, and empty otherwise: fit for a metric's label.
func (s *Service) Operation(action string) string {
	if slices.Contains(operations, action) {
		return action
	}
	return ""
}

// Serve answers one call; errors are *wire.Error or unexpected.
func (s *Service) Serve(w http.ResponseWriter, call *wire.Call) error {
	action, version := call.Params.Get("Action"), call.Params.Get("Version")
	switch {
	case len(call.Params["Action"]) > 1 || len(call.Params["Version"]) > 1:
		return &wire.Error{Code: "MalformedQueryString", Status: http.StatusBadRequest, Message: "Action and Version must be given once."}
	case action == "":
		return &wire.Error{Code: "MissingAction", Status: http.StatusBadRequest, Message: "The request is missing an action or a required parameter."}
	case !slices.Contains(operations, action) || version != Version:
		return wire.UnknownOperation(wire.Query, "Could not find operation "+clip(action)+" for version "+clip(version))
	}
	var (
		result any
		err    error
	)
	switch {
	case action == "GetCallerIdentity":
		result = GetCallerIdentity(call)
	case action == "AssumeRole" && s.State != nil:
		result, err = s.assumeRole(call)
	case action == "AssumeRoleWithWebIdentity" && s.State != nil:
		result, err = s.assumeWithWebIdentity(call)
	case action == "GetSessionToken" && s.State != nil:
		result, err = s.sessionToken(call)
	case action == "DecodeAuthorizationMessage" && s.State != nil:
		result, err = s.decodeMessage(call)
	case action == "GetAccessKeyInfo":
		result, err = accessKeyInfo(call)
	default:
		err = wire.Unsupported(wire.Query, Name, action)
	}
	if err == nil {
		wire.WriteQueryResult(w, call, Namespace, result)
	}
	return err
}

// clip keeps a client's own text short in an answer to it.
func clip(text string) string {
	if text == "" {
		return "NO_VERSION_SPECIFIED"
	}
	return text[:min(len(text), 64)]
}
