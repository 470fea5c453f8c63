package sts

import (
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// operations are all of the API's actions, sorted, whether Tripod has them or not.
var operations = []string{
	"AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "DecodeAuthorizationMessage",
	"GetAccessKeyInfo", "GetCallerIdentity", "GetDelegatedAccessToken", "GetFederationToken", "GetSessionToken",
	"GetWebIdentityToken",
}

// unsigned are the actions that need no signature: they bring their own proof of identity.
var unsigned = []string{"AssumeRoleWithSAML", "AssumeRoleWithWebIdentity"}

//go:generate go run ../../internal/constraints -query -model $STS_MODEL -package sts -out model_gen.go

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "STS", Name: Name, Protocol: wire.Query, APIs: []operation.API{s.API()}, Documented: documented(),
		Unsigned:  unsigned,
		BodyLimit: 256 << 10, // a policy of 2048 characters, ten policies' ARNs, 50 tags
	}
}

// API is the service as it is called.
func (s *Service) API() *operation.QueryAPI {
	return &operation.QueryAPI{
		Protocol: wire.Query, Name: Name, Version: Version, Namespace: Namespace, Operations: operations,
		Actions: s.actions(), Permit: callable, Model: &model,
	}
}

// actions are the operations that Tripod has, by name. Without state there are no temporary credentials.
func (s *Service) actions() map[string]operation.Action {
	all := map[string]operation.Action{
		"GetCallerIdentity": func(call *operation.Call) (any, error) { return GetCallerIdentity(call), nil },
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
func typed[In, Out any](run func(*operation.Call, *In) (*Out, error)) operation.Action {
	return func(call *operation.Call) (any, error) {
		in := new(In)
		if err := wire.DecodeQuery(call.Params, in); err != nil {
			return nil, err
		}
		return run(call, in)
	}
}
