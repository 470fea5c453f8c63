package awsapi

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"

	"tripod/awsapi/arczonalshift"
	"tripod/awsapi/ec2"
	"tripod/awsapi/eks"
	"tripod/awsapi/eksauth"
	"tripod/awsapi/history"
	"tripod/awsapi/kms"
	"tripod/awsapi/logs"
	"tripod/awsapi/quota"
	"tripod/awsapi/throttle"
	"tripod/awsapi/upstream"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/state"
)

const healthPath = "/healthz"

// Front is one zone's AWS endpoint.
type Front struct {
	// Region is the region's name, such as us-east-1; signatures must be scoped to it.
	Region string
	// AccountID is the account's 12 digits.
	AccountID string
	// Zones are the region's zones, such as us-east-1a, in order: the default VPC has a subnet in each.
	Zones []string
	// Zone is this zone's name, for the history.
	Zone string
	// Hosts are names, without port, under which the endpoint may be called beside loopback's and AWS's own.
	Hosts []string
	// State is the zone's copy of the regional state.
	State state.Updater
	// Lags says that this zone's copy may be old, as after a pause: the balancer is told to prefer other zones. Nil means that it never does.
	Lags func() bool
	// ControlPlane is what the region's clusters are made of.
	ControlPlane eks.ControlPlane
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger gets a line for every call; nil means none.
	Logger *slog.Logger
	// Registerer gets the metrics; nil means none.
	Registerer prometheus.Registerer
	// History gets a record of every call; nil means none. Its owner closes it once nothing is served any more.
	History *history.Log
	// ClientAddress is the IP address that calls are said to come from, as the connection, from a balancer on a unix socket,
	// does not tell it. Empty means 127.0.0.1.
	ClientAddress string
	// IssuerHosts may be asked for OpenID Connect issuers' keys, beside loopback.
	IssuerHosts iam.IssuerHosts
	// LogEvents has the events of CloudWatch Logs; nil means that the service is not there.
	LogEvents logs.Events
	// Quotas are the account's; nil: AWS's defaults.
	Quotas quota.Quotas
	// LenientReferences takes EKS's calls that name what is not there, and notes it in the history.
	LenientReferences bool
	// Throttle says that calls beyond AWS's rates are refused.
	Throttle bool
	// Upstream is the emulator that answers what Tripod does not have, as upstream.ParseUpstream makes it; nil means none.
	// AllowRemoteUpstream lets it be on another machine.
	Upstream            *url.URL
	AllowRemoteUpstream bool
}

// server is a Front at work.
type server struct {
	Front
	router   *mux.Router
	eks      *eks.Service
	kms      *kms.Service
	services []service
	calls    *prometheus.CounterVec
	buckets  *throttle.Throttle // nil: calls are not throttled
	upstream *upstream.Upstream // nil: there is none
}

// Handler is the endpoint's HTTP handler. It answers /healthz with 200 as long as the process lives and does not lag behind the other
// zones: a zone without quorum still answers reads.
func (f *Front) Handler() http.Handler {
	s := &server{Front: *f, calls: newCalls(f.Registerer)}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	s.Logger = s.Logger.With("component", "awsapi")
	s.eks = &eks.Service{
		Region: f.Region, AccountID: f.AccountID, State: f.State,
		VPC: ec2.VPC{AccountID: f.AccountID, Region: f.Region, Zones: f.Zones}, Quotas: f.Quotas, ControlPlane: f.ControlPlane,
		LenientReferences: f.LenientReferences,
		Probes:            eks.Probes{Now: s.Now},
	}
	s.kms = &kms.Service{Region: f.Region, AccountID: f.AccountID, State: f.State, Now: s.Now}
	s.services = s.allServices()
	if s.Throttle {
		s.buckets = throttle.New(s.Now)
	}
	if s.Upstream != nil {
		s.upstream = upstream.New(s.Upstream, s.AllowRemoteUpstream, s.Now)
	}
	s.router = s.routes()
	return s
}

// routes is the table of all that is answered. Paths are matched as they stand on the wire: ARNs in them are
// percent-encoded, and the signature is over the encoded form.
func (s *server) routes() *mux.Router {
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	router.HandleFunc(healthPath, s.healthz).Methods(http.MethodGet, http.MethodHead)
	s.eks.OIDCRoutes(router, func(r *http.Request, err error) {
		s.Logger.Error("cannot serve an OIDC document", "requestId", exchangeOf(r).requestID, "error", err)
	})

	eksRouter := router.MatcherFunc(signedFor(eks.Name)).Subrouter()
	s.eks.Routes(eksRouter, s.restOperation)
	eksRouter.PathPrefix("/").Handler(s.signed(func(w http.ResponseWriter, r *http.Request, _ *wire.Call) error {
		return wire.UnknownOperation(wire.RestJSON, "EKS has no operation "+clip(r.Method)+" "+clip(r.URL.EscapedPath())+".")
	}))

	authRouter := router.MatcherFunc(signedFor(eksauth.Name)).Subrouter()
	auth := &eksauth.Service{Region: s.Region, AccountID: s.AccountID, State: s.State, Now: s.Now}
	authRouter.Handle(eksauth.Path, s.rest(eksauth.Operation, http.StatusOK, auth.Answer)).Methods(http.MethodPost)
	authRouter.PathPrefix("/").Handler(s.signed(func(_ http.ResponseWriter, r *http.Request, _ *wire.Call) error {
		return wire.UnknownOperation(wire.RestJSON, "EKS Auth has no operation "+clip(r.Method)+" "+clip(r.URL.EscapedPath())+".")
	}))

	shiftRouter := router.MatcherFunc(signedFor(arczonalshift.Name)).Subrouter()
	shifts := &arczonalshift.Service{State: s.State, VPC: s.eks.VPC, Resources: s.eks.Shiftable, Now: s.Now}
	shifts.Routes(shiftRouter, s.rest)
	shiftRouter.PathPrefix("/").Handler(s.signed(func(_ http.ResponseWriter, r *http.Request, _ *wire.Call) error {
		return wire.UnknownOperation(wire.RestJSON, "ARC zonal shift has no operation "+clip(r.Method)+" "+clip(r.URL.EscapedPath())+".")
	}))

	for _, one := range s.services {
		at := router.MatcherFunc(signedFor(one.name)).Subrouter()
		at.Handle("/", s.signed(s.serviceCall)).Methods(http.MethodGet, http.MethodPost)
		at.PathPrefix("/").Handler(s.signed(func(_ http.ResponseWriter, r *http.Request, _ *wire.Call) error {
			return wire.UnknownOperation(one.protocol, strings.ToUpper(one.name)+" is called with GET / or POST /, not "+
				clip(r.Method)+" "+clip(r.URL.EscapedPath())+".")
		}))
	}

	router.MatcherFunc(signedFor("")).Handler(s.handler(s.unsigned))
	router.PathPrefix("/").Handler(s.signed(s.otherService))
	router.NotFoundHandler = s.handler(s.unsigned)
	return router
}

// network is EC2, as the other services ask it.
func (s *server) network() *ec2.Service {
	return &ec2.Service{VPC: s.eks.VPC, State: s.State, Now: s.Now, Clusters: s.eks.Networks}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := newExchange(w, r, s.Now())
	w.Header().Set("X-Amzn-Requestid", x.requestID)
	defer s.record(x, r)
	defer s.recoverPanic(x, r)
	if refusal := s.guard(r); refusal != nil {
		s.fail(x, r, refusal)
	} else {
		s.router.ServeHTTP(x, x.attach(r))
	}
}

func (s *server) healthz(w http.ResponseWriter, _ *http.Request) {
	if s.Lags != nil && s.Lags() {
		wire.Write(w, http.StatusServiceUnavailable, "text/plain; charset=utf-8", []byte("this zone has not heard from the others for a while\n"))
		return
	}
	wire.Write(w, http.StatusOK, "text/plain; charset=utf-8", []byte("ok\n"))
}

// clip keeps a client's own text short, and valid UTF-8, in an answer to it.
func clip(text string) string { return strings.ToValidUTF8(text[:min(len(text), 128)], "?") }
