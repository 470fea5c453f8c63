package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"tripod/internal/kubecall"
)

// probe speaks to one Kubernetes endpoint with nothing between: no client library's retries or rate limits.
type probe struct {
	server string
	token  func() string // nil: the client certificate speaks
	http   *http.Client
}

// newProbe takes the cluster CA in PEM. certificate may be nil.
func newProbe(server string, ca []byte, certificate *tls.Certificate, token func() string,
	timeout time.Duration) (*probe, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("the CA of %s is no PEM certificate", server)
	}
	config := &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	// no proxy; HTTP/1.1, so that a new connection is a new connection
	transport := &http.Transport{TLSClientConfig: config}
	return &probe{server: server, token: token, http: &http.Client{Transport: transport, Timeout: timeout}}, nil
}

// do sends one request and decodes the answer into out, if that is not nil.
func (p *probe) do(ctx context.Context, method, path string, body, out any) error {
	bearer := ""
	if p.token != nil {
		bearer = p.token()
	}
	request, err := kubecall.NewRequest(ctx, method, p.server+path, bearer, body)
	if err != nil {
		return err
	}
	return kubecall.Do(p.http, request, out)
}

// fresh drops the connection, so that the next request makes a new one.
func (p *probe) fresh() { p.http.CloseIdleConnections() }

// every is how often something is looked at that is waited for.
const every = 10 * time.Millisecond

// until calls ok every 10 ms until it returns nil, at most for limit, and returns when that was.
func until(ctx context.Context, limit time.Duration, what string, ok func() error) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		err := ok()
		if err == nil {
			return time.Now(), nil
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return time.Time{}, fmt.Errorf("%s: not within %v: %w", what, limit, err)
		}
	}
}

const (
	anyRequest     = "/api/v1/namespaces"
	ready          = "/readyz"
	serviceAccount = "/api/v1/namespaces/default/serviceaccounts/default"
)

// answers waits until a GET of path succeeds. An attempt that fails without an answer is followed by a new connection.
func (p *probe) answers(ctx context.Context, path string) (time.Time, error) {
	return until(ctx, 2*time.Minute, path, func() error {
		err := p.do(ctx, http.MethodGet, path, nil, nil)
		if answer := (*kubecall.StatusError)(nil); err != nil && !errors.As(err, &answer) {
			p.fresh()
		}
		return err
	})
}
