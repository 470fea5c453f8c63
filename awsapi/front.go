package awsapi

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"tripod/awsapi/history"
	"tripod/awsapi/logs"
	"tripod/awsapi/operation"
	"tripod/awsapi/throttle"
	"tripod/awsapi/upstream"
	"tripod/awsapi/wire"
)

const healthPath = "/healthz"

// Front is one zone's AWS endpoint.
type Front struct {
	// Backend is what the services work on.
	Backend
	// Zone is this zone's name, for the history.
	Zone string
	// Hosts are names, without port, under which the endpoint may be called beside loopback's and AWS's own.
	Hosts []string
	// Lags says that this zone's copy may be old, as after a pause: the balancer is told to prefer other zones. Nil
	// means that it never does.
	Lags func() bool
	// Fresh returns when this zone's copy has what was acknowledged anywhere by now; each call waits for it. Nil means that it always has.
	Fresh func(context.Context) error
	// Logger gets a line for every call; nil means none.
	Logger *slog.Logger
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// History gets a record of every call; nil means none. Its owner closes it once nothing is served any more.
	History *history.Log
	// ClientAddress is the IP address that calls are said to come from, as the connection, from a balancer on a unix
	// socket, does not tell it. Empty means 127.0.0.1.
	ClientAddress string
	// Throttle says that calls beyond AWS's rates are refused.
	Throttle bool
	// Upstream is the emulator that answers what Tripod does not have, as upstream.ParseUpstream makes it; nil means
	// none. AllowRemoteUpstream lets it be on another machine.
	Upstream            *url.URL
	AllowRemoteUpstream bool
}

// server is a Front at work.
type server struct {
	Front
	router     *mux.Router
	services   []operation.Service
	calls      *prometheus.CounterVec
	durations  *prometheus.HistogramVec
	faults     *prometheus.CounterVec // calls that met one
	principals principals             // that calls are counted by
	buckets    *throttle.Throttle     // nil: calls are not throttled
	upstream   *upstream.Upstream     // nil: there is none
}

// Handler is the endpoint's HTTP handler. It answers /healthz with 200 as long as the process lives and does not lag
// behind the other zones: a zone without quorum still answers reads.
func (f *Front) Handler() http.Handler {
	s := &server{Front: *f, calls: newCalls(f.Registerer), durations: newDurations(f.Registerer), faults: newFaults(f.Registerer)}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Fresh == nil {
		s.Fresh = func(context.Context) error { return nil }
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Logger = s.Logger.With("component", "awsapi")
	s.services = slices.DeleteFunc(s.Services(), func(one operation.Service) bool {
		return one.Name == logs.Name && s.LogEvents == nil
	})
	if s.Throttle {
		s.buckets = throttle.New(s.Now)
	}
	if s.Upstream != nil {
		s.upstream = upstream.New(s.Upstream, s.AllowRemoteUpstream, s.Now)
	}
	s.router = s.routes()
	return s
}

// ServeHTTP answers a request: it is refused where a web page sent it, and else goes to the handler of its route.
func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.newExchange(w, r)
	w.Header().Set("X-Amzn-Requestid", x.requestID)
	defer s.record(x, r)
	defer s.recoverPanic(x, r)
	if refusal := s.checkHost(r); refusal != nil {
		s.fail(x, r, refusal)
	} else {
		s.router.ServeHTTP(x, x.attach(r))
	}
}

// routes is the table of all that is answered. Paths are matched as they stand on the wire: ARNs in them are
// percent-encoded, and the signature is over the encoded form.
func (s *server) routes() *mux.Router {
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	router.HandleFunc(healthPath, s.healthz).Methods(http.MethodGet, http.MethodHead)
	for _, service := range s.services {
		if service.Public != nil {
			service.Public(router, func(r *http.Request, err error) {
				s.Logger.Error("cannot serve a public document", "requestId", exchangeOf(r).requestID, "error", err)
			})
		}
	}
	for _, service := range s.services {
		calls := router.MatcherFunc(signedFor(service.Name)).Subrouter()
		for _, api := range service.APIs {
			api.Route(calls, s.operation)
		}
		calls.PathPrefix("/").Handler(s.signed(func(_ http.ResponseWriter, r *http.Request, _ *operation.Call) error {
			return service.UnknownPath(clip(r.Method), clip(r.URL.EscapedPath()))
		}))
	}
	router.MatcherFunc(signedFor("")).Handler(s.handler(s.unsigned))
	router.PathPrefix("/").Handler(s.signed(s.otherService))
	router.NotFoundHandler = s.handler(s.unsigned)
	return router
}

// signedFor matches requests whose credential is scoped to the service with that signing name; with "", those that are
// not signed, or not so that it can be understood.
func signedFor(service string) mux.MatcherFunc {
	return func(r *http.Request, _ *mux.RouteMatch) bool {
		x := exchangeOf(r)
		if x.signature == nil {
			return service == ""
		}
		return service != "" && x.signature.Service == service
	}
}

// serviceNamed is the service with that signing name, and a zero one where it is not here.
func (s *server) serviceNamed(name string) operation.Service {
	i := slices.IndexFunc(s.services, func(one operation.Service) bool { return one.Name == name })
	if i < 0 {
		return operation.Service{}
	}
	return s.services[i]
}

func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	if s.Lags != nil && s.Lags() {
		wire.Write(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8",
			[]byte("this zone has not heard from the others for a while\n"))
		return
	}
	wire.Write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// clip keeps a client's own text short, and valid UTF-8, in an answer to it.
func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), 128)], "?") }
