package awsapi

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/iam"
)

// record counts and logs a finished exchange. Services and operations are names from tables, never a client's own text, and principals
// are so many at most, so that nobody can make the metrics grow.
func (s *server) record(x *exchange, r *http.Request) {
	if r.URL.Path == healthPath {
		return
	}
	// A cluster's public OIDC documents are no call of an API.
	if s.History != nil && (x.code != "" || x.signingName() != "" || !strings.HasPrefix(r.URL.Path, "/id/")) {
		s.History.Append(s.historyOf(x, r))
	}
	service, operation, code := "none", x.operation, x.code
	if x.signingName() != "" {
		service = cmp.Or(x.service.Name, "other")
	}
	if operation == "" {
		operation = "none"
	}
	if code == "" {
		code = "OK"
	}
	s.calls.WithLabelValues(service, operation, s.principals.label(x.principal), code).Inc()
	s.durations.WithLabelValues(service).Observe(s.Now().Sub(x.started).Seconds())
	for _, fault := range x.faults {
		word, _, _ := strings.Cut(fault.Of, " ")
		s.faults.WithLabelValues(service, operation, word).Inc()
	}
	s.Logger.LogAttrs(r.Context(), slog.LevelInfo, "call",
		slog.String("requestId", x.requestID), slog.String("service", service), slog.String("operation", operation),
		slog.Int("status", x.status), slog.String("code", code), slog.String("principal", x.principal.ARN),
		slog.String("method", clip(r.Method)), slog.String("path", clip(r.URL.EscapedPath())),
		slog.Duration("duration", s.Now().Sub(x.started)))
}

func newCalls(registerer prometheus.Registerer) *prometheus.CounterVec {
	return registered(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tripod_aws_requests_total",
		Help: "Calls of the AWS endpoint by service, operation, principal and code: OK, or the error's name.",
	}, []string{"service", "operation", "principal", "code"}))
}

func newDurations(registerer prometheus.Registerer) *prometheus.HistogramVec {
	return registered(registerer, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "tripod_aws_request_duration_seconds",
		Help:    "Time that calls of the AWS endpoint took, by service.",
		Buckets: []float64{0.005, 0.025, 0.1, 0.5, 2.5, 10},
	}, []string{"service"}))
}

func newFaults(registerer prometheus.Registerer) *prometheus.CounterVec {
	return registered(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tripod_aws_faults_total",
		Help: "Calls of the AWS endpoint that met a fault that somebody has put in force, by service, operation and fault.",
	}, []string{"service", "operation", "fault"}))
}

// registered registers a metric. A Front made anew in the same process goes on counting in the old one.
func registered[C prometheus.Collector](registerer prometheus.Registerer, metric C) C {
	if registerer == nil {
		return metric
	}
	err := registerer.Register(metric)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	return metric
}

// mostPrincipals is how many have a label of their own: whoever may make users must not make the metrics grow without bounds.
const mostPrincipals = 100

// principals are those that have a label of their own in the metrics: the first ones that called.
type principals struct {
	mu   sync.Mutex
	seen map[string]bool
}

// label is the principal as its ARN ends: user/admin, root, and role/NAME for all sessions of a role. A service acts by its own name. It
// is none where nobody was known, and other where there are too many.
func (p *principals) label(principal iam.Principal) string {
	name := cmp.Or(principal.IssuerARN, principal.ARN)
	if fields := strings.SplitN(name, ":", 6); len(fields) == 6 {
		name = fields[5]
	}
	if name = cmp.Or(principal.Service, name); name == "" {
		return "none"
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.seen[name]:
		return name
	case len(p.seen) >= mostPrincipals:
		return "other"
	case p.seen == nil:
		p.seen = map[string]bool{}
	}
	p.seen[name] = true
	return name
}
