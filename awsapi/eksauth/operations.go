package eksauth

import (
	"net/http"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// Listing is the service as package awsapi lists it.
func (s *Service) Listing() operation.Service {
	return operation.Service{
		Title: "EKS Auth", Name: Name, Protocol: wire.RestJSON, APIs: []operation.API{s.API()},
		Documented: []operation.Documented{{Operation: Operation, State: operation.Works, Effect: effect}},
		BodyLimit:  64 << 10, // a token
		Errors:     operation.Errors{Throttled: throttled, Internal: "InternalServerException"},
	}
}

const effect = "credentials of the associated role, with session tags, session policy and target role; the caller's " +
	"permission, the token and the roles' trust policies are checked; whether the pod still runs is not asked"

// API is the service as it is called.
func (s *Service) API() *operation.RESTAPI {
	return &operation.RESTAPI{Name: Name, Operations: []operation.RESTOperation{{
		Name: Operation, Method: http.MethodPost, Path: Path, Status: http.StatusOK, Action: s.assumeRole,
	}}}
}

// throttled is ThrottlingException, which has status 429 in this service's model.
func throttled(message string) *wire.Error {
	return &wire.Error{Code: "ThrottlingException", Status: http.StatusTooManyRequests, Message: message}
}
