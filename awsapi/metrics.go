package awsapi

import (
	"cmp"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

// record counts and logs a finished exchange. Labels and operations are names from tables, never a client's own text,
// so that nobody can make the metrics grow.
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
	s.calls.WithLabelValues(service, operation, code).Inc()
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
		Help: "Calls of the AWS endpoint by service, operation and code: OK, or the error's name.",
	}, []string{"service", "operation", "code"}))
}

func newFaults(registerer prometheus.Registerer) *prometheus.CounterVec {
	return registered(registerer, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "tripod_aws_faults_total",
		Help: "Calls of the AWS endpoint that met a fault that somebody has put in force, by service, operation and fault.",
	}, []string{"service", "operation", "fault"}))
}

// registered registers a counter. A Front made anew in the same process goes on counting in the old one.
func registered(registerer prometheus.Registerer, counter *prometheus.CounterVec) *prometheus.CounterVec {
	if registerer == nil {
		return counter
	}
	err := registerer.Register(counter)
	var already prometheus.AlreadyRegisteredError
	if errors.As(err, &already) {
		if existing, ok := already.ExistingCollector.(*prometheus.CounterVec); ok {
			return existing
		}
	}
	return counter
}
