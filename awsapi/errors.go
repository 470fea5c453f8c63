package awsapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
	"tripod/state"
)

// fail answers with an error.
func (s *server) fail(x *exchange, r *http.Request, err error) {
	e := x.refusal(r, err)
	if e.Cause != nil {
		s.Logger.Error("a call failed", "requestId", x.requestID, "operation", x.operation, "error", e.Cause)
	}
	x.code, x.message = e.Code, e.Message
	namespace := x.service.Namespace(r.URL.Query().Get("Version"))
	if x.signature == nil {
		namespace = sts.Namespace // nobody else takes calls without a signature
	}
	wire.WriteError(x, r, x.protocol, e, x.requestID, namespace)
}

// recoverPanic makes a panic one failed call, whose client is told no more than of any other internal error.
func (s *server) recoverPanic(x *exchange, r *http.Request) {
	p := recover()
	switch {
	case p == nil:
	case p == http.ErrAbortHandler || x.status != 0: // too late for another answer: drop the connection
		x.code = "Aborted"
		panic(p)
	default:
		s.fail(x, r, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	}
}

// refusal is the error that the client gets for err: what the regional state could not do becomes the service's
// ServiceUnavailable.
func (x *exchange) refusal(r *http.Request, err error) *wire.Error {
	var e *wire.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, state.ErrCutOff):
		return x.unavailable(err, "This zone reaches no other zone, and may have missed changes. "+
			"Heal its links ('tripod status' names what is cut) and try again, or ask by the region's endpoint.")
	case errors.Is(err, state.ErrDown):
		return x.unavailable(err, "The disk of this zone's part of the regional state fails, and it has missed changes. "+
			"Heal it ('tripod status' names it, 'tripod heal disk/X' does) and try again, or ask by the region's endpoint.")
	case errors.Is(err, state.ErrNoQuorum):
		return x.unavailable(err, "The regional state has no quorum, since two zones are down or cut off: nothing "+
			"can be written. "+
			"Bring one back ('tripod status' names them, 'tripod start az/X' starts one) and try again.")
	case errors.Is(err, state.ErrConflict):
		return x.unavailable(err, "Others change the same records too often at this moment: try again.")
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		return &wire.Error{Code: "RequestTimeoutException", Status: http.StatusRequestTimeout,
			Message: "The client went away before the call was done.", Cause: err}
	}
	return x.service.Unexpected(x.protocol, err)
}

// unavailable is the service's ServiceUnavailable, which SDKs retry. cause is for the log.
func (x *exchange) unavailable(cause error, message string) *wire.Error {
	e := x.service.Unavailable(x.protocol, message)
	e.Cause = cause
	return e
}
