package awsapi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/awsapi/eks"
	"tripod/awsapi/eksauth"
	"tripod/awsapi/history"
	"tripod/awsapi/sts"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/internal/sigv4"
)

// exchange is one request on its way to its answer, and what is to be told about it afterwards. It belongs to
// the request's goroutine.
type exchange struct {
	http.ResponseWriter
	started      time.Time
	requestID    string
	signature    *sigv4.Signature // as claimed; nil when there is none that can be understood
	signatureErr error            // why it cannot be understood
	protocol     wire.Protocol
	operation    string // a name from a table, or empty
	principal    iam.Principal
	status       int
	code         string // the error's, or empty

	// What only the history tells.
	name    string // the service's of an unsigned call
	claimed string // the operation as the client calls it
	// call is nil until the request is verified, and where Tripod does not have the operation: nobody knows then which of its parameters are
	// secrets.
	call     *wire.Call
	size     int    // the body's, in bytes
	message  string // the error's
	passedOn bool   // to the upstream emulator
	answer   []byte // its beginning, of calls whose answer is recorded
}

type exchangeKey struct{}

func newExchange(w http.ResponseWriter, r *http.Request, now time.Time) *exchange {
	x := &exchange{ResponseWriter: w, started: now, requestID: wire.NewRequestID()}
	signature, err := sigv4.Parse(r)
	switch {
	case err == nil:
		x.signature = signature
	case !errors.Is(err, sigv4.ErrMissing):
		x.signatureErr = err
	}
	x.protocol = wire.ProtocolOf(r, x.service())
	return x
}

func (x *exchange) attach(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
}

// exchangeOf is the exchange of a request inside the router.
func exchangeOf(r *http.Request) *exchange { return r.Context().Value(exchangeKey{}).(*exchange) }

func (x *exchange) service() string {
	if x.signature == nil {
		return x.name
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

// fail answers with an error.
func (s *server) fail(x *exchange, r *http.Request, err error) {
	e := x.refusal(r, err)
	if e.Cause != nil {
		s.Logger.Error("a call failed", "requestId", x.requestID, "operation", x.operation, "error", e.Cause)
	}
	x.code, x.message = e.Code, e.Message
	namespace := ""
	if one, ok := s.serviceOf(x.service(), r.URL.Query().Get("Version")); ok {
		namespace = one.namespace
	} else if x.signature == nil {
		namespace = sts.Namespace
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

// record counts and logs a finished exchange. Labels and operations are names from tables, never a client's own text,
// so that nobody can make the metrics grow.
func (s *server) record(x *exchange, r *http.Request) {
	if r.URL.Path == healthPath {
		return
	}
	// A cluster's public OIDC documents are no call of an API.
	if s.History != nil && (x.code != "" || x.service() != "" || !strings.HasPrefix(r.URL.Path, "/id/")) {
		s.History.Append(s.historyOf(x, r))
	}
	service, operation, code := "none", x.operation, x.code
	if name := x.service(); name != "" {
		service = "other"
		if _, ok := s.serviceOf(name, ""); ok || name == eks.Name || name == eksauth.Name {
			service = name
		}
	}
	if operation == "" {
		operation = "none"
	}
	if code == "" {
		code = "OK"
	}
	s.calls.WithLabelValues(service, operation, code).Inc()
	s.Logger.LogAttrs(r.Context(), slog.LevelInfo, "call",
		slog.String("requestId", x.requestID), slog.String("service", service), slog.String("operation", operation),
		slog.Int("status", x.status), slog.String("code", code), slog.String("principal", x.principal.ARN),
		slog.String("method", clip(r.Method)), slog.String("path", clip(r.URL.EscapedPath())),
		slog.Duration("duration", s.Now().Sub(x.started)))
}

// newCalls makes the counter of calls and registers it. A Front made anew in the same process goes on counting in the old one.
func newCalls(registerer prometheus.Registerer) *prometheus.CounterVec {
	calls := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tripod_aws_requests_total",
		Help: "Calls of the AWS endpoint by service, operation and code: OK, or the error's name.",
	}, []string{"service", "operation", "code"})
	if registerer == nil {
		return calls
	}
	err := registerer.Register(calls)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return existing
		}
	}
	return calls
}
