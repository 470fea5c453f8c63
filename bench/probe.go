package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
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

// do sends one request and decodes the answer into out, if that is not nil. Statuses of 400 and above are errors.
func (p *probe) do(ctx context.Context, method, path string, body, out any) error {
	var reader io.Reader
	contentType := "application/json"
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(text)
	}
	if method == http.MethodPatch {
		contentType = "application/merge-patch+json"
	}
	request, err := http.NewRequestWithContext(ctx, method, p.server+path, reader)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", contentType)
	if p.token != nil {
		request.Header.Set("Authorization", "Bearer "+p.token())
	}
	response, err := p.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 400 {
		return &statusError{code: response.StatusCode, text: string(text[:min(len(text), 200)])}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

// fresh drops the connection, so that the next request makes a new one.
func (p *probe) fresh() { p.http.CloseIdleConnections() }

type statusError struct {
	code int
	text string
}

func (e *statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.code, e.text) }

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
		if answer := (*statusError)(nil); err != nil && !errors.As(err, &answer) {
			p.fresh()
		}
		return err
	})
}
