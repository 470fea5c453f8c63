package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/schemas"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/eks"
	"tripod/awsapi/eksauth"
	"tripod/awsapi/throttle"
	"tripod/awsapi/upstream"
	"tripod/awsapi/wire"
	"tripod/state"
)

// refusal is the error that the client gets for err: what the regional state could not do becomes the service's ServiceUnavailable.
func (x *exchange) refusal(r *http.Request, err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, state.ErrNoQuorum):
		return x.unavailable(err, "The regional state has no quorum, since two zones are down or cut off: nothing can be written. "+
			"Bring one back ('tripod status' names them, 'tripod start az/X' starts one) and try again.")
	case errors.Is(err, state.ErrConflict):
		return x.unavailable(err, "Others change the same records too often at this moment: try again.")
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return &wire.Error{Code: "RequestTimeoutException", Status: http.StatusRequestTimeout,
			Message: "The client went away before the call was done.", Cause: err}
	}
	e = wire.AsError(err, x.protocol)
	if x.service() == eksauth.Name {
		e.Code = "InternalServerException" // its model has no ServerException
	}
	return e
}

// unavailable is the service's ServiceUnavailable, which SDKs retry. cause is for the log.
func (x *exchange) unavailable(cause error, message string) *wire.Error {
	e := &wire.Error{Code: "ServiceUnavailableException", Status: http.StatusServiceUnavailable, Message: message}
	switch {
	case x.service() == eks.Name:
		e = wire.Modelled(&types.ServiceUnavailableException{Message: aws.String(message)}, schemas.ServiceUnavailableException)
	case x.protocol == wire.Query || x.protocol == wire.RestXML || x.protocol == wire.S3XML:
		e.Code = "ServiceUnavailable"
	case x.protocol == wire.EC2Query:
		e.Code = "Unavailable"
	}
	e.Cause = cause
	return e
}

// throttled refuses the call of an operation that was called too often.
func (s *server) throttled(x *exchange) error {
	if s.buckets == nil || x.operation == "" || s.buckets.Allow(s.AccountID, x.service(), x.operation) {
		return nil
	}
	switch {
	case x.service() == eks.Name:
		return wire.Modelled(&types.ThrottlingException{Message: aws.String(throttle.Message)}, schemas.ThrottlingException)
	case x.service() == eksauth.Name:
		return &wire.Error{Code: "ThrottlingException", Status: http.StatusTooManyRequests, Message: throttle.Message}
	case x.protocol == wire.Query:
		return &wire.Error{Code: "Throttling", Status: http.StatusBadRequest, Message: throttle.Message}
	case x.protocol == wire.EC2Query:
		return &wire.Error{Code: "RequestLimitExceeded", Status: http.StatusServiceUnavailable, Message: "Request limit exceeded."}
	}
	return &wire.Error{Code: "ThrottlingException", Status: http.StatusBadRequest, Message: throttle.Message}
}

// isUnknown says whether a service refused a call because it has no such operation.
func isUnknown(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && (e.Code == "InvalidAction" || e.Code == "UnknownOperationException" || e.Code == "NotImplemented")
}

// passAll is the action that a policy can allow for calls of a service whose own actions are not known.
const passAll = "PassOn"

// passOn has the upstream emulator answer a verified call that Tripod does not have. The caller needs a permission for it as for any other:
// service:ACTION on all resources, as which one is meant only the emulator knows; for all actions, or service:PassOn, where that is not
// known either: where the path says it and no name, or where two readers could take the call for two actions. What a policy may deny of
// that is denied. Without upstream the answer is unknown and says how to have one.
func (s *server) passOn(w http.ResponseWriter, r *http.Request, call *wire.Call, action string, unknown error) error {
	x := exchangeOf(r)
	x.call = nil
	if x.operation != "" || s.upstream != nil {
		if err := call.AuthorizeUnnamed(x.protocol, clip(x.service()), clip(action), passAll); err != nil {
			return err
		}
	}
	if owner := targetOwner(r); s.upstream != nil && x.protocol == wire.AWSJSON && owner != x.service() {
		// The emulator may go by the target and not by the signature; and where nobody here knows whose that is, take the call for any service's.
		if err := call.AuthorizeUnnamed(x.protocol, owner, clip(action), passAll); err != nil {
			return err
		}
	}
	if action == "" {
		action = passAll
	}
	var e *wire.Error
	if s.upstream == nil {
		if !errors.As(unknown, &e) || !isUnknown(unknown) {
			return unknown
		}
		told := *e
		told.Message += " 'tripod up --upstream http://127.0.0.1:5000' passes such calls on to another emulator there, " +
			"such as moto or LocalStack."
		return &told
	}
	x.passedOn = true
	err := s.upstream.Forward(w, r, call.Body, x.signature.Service, x.signature.Region)
	if errors.Is(err, upstream.ErrUnreachable) {
		e = x.unavailable(err, fmt.Sprintf("Tripod does not have %s:%s, and the emulator of --upstream %s does not answer: "+
			"start it, or change the flag.",
			clip(x.service()), clip(action), s.Upstream.Host))
		e.Status = http.StatusBadGateway
		return e
	}
	return err
}
