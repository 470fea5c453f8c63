package awsapi

import (
	"net/http"
	"slices"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// maxUnsignedBody bounds the body of STS's calls with a token instead of a signature, in bytes: 100,000 characters of a
// SAML assertion, or 20,000 of a token and policies.
const maxUnsignedBody = 384 << 10

// unsigned answers a request that has no signature, or none that can be understood.
func (s *server) unsigned(w http.ResponseWriter, r *http.Request) error {
	x := exchangeOf(r)
	if x.signatureErr != nil {
		return wire.IncompleteSignature(x.protocol, x.signatureErr.Error())
	}
	if x.protocol == wire.Query {
		body, err := readBody(w, r, maxUnsignedBody)
		if err != nil {
			return err
		}
		if answered, err := s.unsignedCall(w, r, body); answered || err != nil {
			return err
		}
	}
	return wire.MissingAuthentication(x.protocol)
}

// unsignedCall answers an operation that AWS takes without a signature: its caller proves itself otherwise.
func (s *server) unsignedCall(w http.ResponseWriter, r *http.Request, body []byte) (answered bool, err error) {
	if r.URL.Path != "/" {
		return false, nil
	}
	params, err := callParams(r, body)
	if err != nil {
		return false, err
	}
	x, action := exchangeOf(r), params.Get("Action")
	for _, service := range s.services {
		if slices.Contains(service.Unsigned, action) {
			x.service = service
		}
	}
	if x.service.Name == "" {
		return false, nil
	}
	if err := s.Fresh(r.Context()); err != nil {
		return false, err
	}
	api := x.service.API("")
	x.size = len(body)
	x.claimed, x.operation = action, api.Operation(action)
	x.call = &operation.Call{Operation: x.operation, RequestID: x.requestID, Params: params, Body: body, Request: r,
		Keys: s.conditionKeys(r, params)}
	if err := s.throttled(x); err != nil {
		return false, err
	}
	if err := s.faulted(x, r, x.operation); err != nil {
		return false, err
	}
	err = api.Serve(w, x.call)
	if err == nil {
		isKnown(r.Context()) // by the token that the call brought
	}
	if isUnknown(err) {
		x.call = nil
	}
	return true, err
}
