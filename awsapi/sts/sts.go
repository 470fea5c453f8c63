// Package sts is AWS Security Token Service, API version 2011-06-15.
package sts

import (
	"slices"
	"time"

	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const (
	// Version is the API's version, which every request names.
	Version = "2011-06-15"
	// Namespace is the XML namespace of the answers.
	Namespace = "https://sts.amazonaws.com/doc/2011-06-15/"
	// Name is the service's signing name.
	Name = "sts"
)

// operations are all of the API's actions, sorted, whether Tripod has them or not.
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
	State state.Updater
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Issuers are those of tokens that are not from the region's own clusters.
	Issuers iam.Issuers
}

//go:generate go run ../../internal/constraints -query -model $STS_MODEL -package sts -out model_gen.go

// API is the service as it is called.
func (s *Service) API() *wire.QueryAPI {
	return &wire.QueryAPI{Protocol: wire.Query, Name: Name, Version: Version, Namespace: Namespace, Operations: operations,
		Actions: s.actions(), Permit: callable, Model: &model}
}

// actions are the operations that Tripod has, by name. Without state there are no temporary credentials.
func (s *Service) actions() map[string]wire.QueryAction {
	all := map[string]wire.QueryAction{
		"GetCallerIdentity": func(call *wire.Call) (any, error) { return GetCallerIdentity(call), nil },
		"GetAccessKeyInfo":  typed(s.accessKeyInfo),
	}
	if s.State != nil {
		all["AssumeRole"] = typed(s.assumeRole)
		all["AssumeRoleWithWebIdentity"] = typed(s.assumeWithWebIdentity)
		all["GetSessionToken"] = typed(s.sessionToken)
		all["GetFederationToken"] = typed(s.federationToken)
		all["DecodeAuthorizationMessage"] = typed(s.decodeMessage)
	}
	return all
}

// typed makes an action of a function: it fills the input.
func typed[In, Out any](run func(*wire.Call, *In) (*Out, error)) wire.QueryAction {
	return func(call *wire.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}

func (s *Service) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// clip keeps a client's own text short in an answer to it.
func clip(text string) string {
	return text[:min(len(text), 64)]
}
