package awsapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"tripod/awsapi/history"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/internal/sigv4"
	"tripod/region"
)

// exchange is one request on its way to its answer, and what is to be told about it afterwards. It belongs to
// the request's goroutine.
type exchange struct {
	http.ResponseWriter
	started      time.Time
	requestID    string
	signature    *sigv4.Signature  // as claimed; nil when there is none that can be understood
	signatureErr error             // why it cannot be understood
	service      operation.Service // a zero one where it is not here, or not known
	protocol     wire.Protocol
	operation    string // a name from a table, or empty
	principal    iam.Principal
	outcome

	// faults are those that somebody has put in force and that the call has met.
	faults []region.Fault

	// What only the history tells.
	claimed string // the operation as the client calls it
	// call is nil until the request is verified, and where Tripod does not have the operation: nobody knows then which
	// of its parameters are secrets.
	call *operation.Call
	size int // the body's, in bytes
}

// outcome is how an exchange ended.
type outcome struct {
	status        int
	code, message string // the error's, or empty
	passedOn      bool   // to the upstream emulator
	answer        []byte // its beginning, of calls whose answer is recorded
}

type exchangeKey struct{}

func (s *server) newExchange(w http.ResponseWriter, r *http.Request) *exchange {
	x := &exchange{ResponseWriter: w, started: s.Now(), requestID: wire.NewRequestID()}
	signature, err := sigv4.Parse(r)
	switch {
	case err == nil:
		x.signature = signature
		x.service = s.serviceNamed(signature.Service)
	case !errors.Is(err, sigv4.ErrMissing):
		x.signatureErr = err
	}
	x.protocol = wire.ProtocolOf(r, x.signingName(), x.service.Protocol)
	return x
}

func (x *exchange) attach(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

// exchangeOf is the exchange of a request inside the router.
func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

// signingName is that of the service that is called; empty where it is not known.
func (x *exchange) signingName() string {
	if x.signature == nil {
		return x.service.Name
	}
	return x.signature.Service
}

// WriteHeader notes the status that the client gets.
func (x *exchange) WriteHeader(status int) {
	x.status = status
	x.ResponseWriter.WriteHeader(status)
}

// Write keeps what the history shows of an answer.
func (x *exchange) Write(p []byte) (int, error) {
	if x.status == 0 {
		x.status = http.StatusOK
	}
	if x.code == "" && x.operation != "" && !x.passedOn && history.ShowsAnswer(x.operation) {
		x.answer = append(x.answer, p[:min(len(p), max(0, maxAnswer+1-len(x.answer)))]...)
	}
	return x.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (x *exchange) Unwrap() http.ResponseWriter { return x.ResponseWriter }
