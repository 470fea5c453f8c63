package podcmd

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
)

// httpCall is one request of curl's or wget's.
type httpCall struct {
	url     *url.URL
	method  string
	header  http.Header
	host    string // header Host; empty: the URL's
	body    []byte
	connect time.Duration  // to connect; 0: as long as it takes
	whole   time.Time      // until when all has to be done; zero: no limit
	roots   *x509.CertPool // nil: the system's, of which containers have none
	trusts  bool           // any certificate
	places  map[string]netip.Addr
}

// httpAnswer is what came of it.
type httpAnswer struct {
	*http.Response
	conn      net.Conn
	at        netip.AddrPort
	found     time.Time // when the name's addresses were known
	connected time.Time
}

// stage is how far a call has come that has failed.
type stage int

const (
	stageName stage = iota
	stageConnect
	stageTLS
	stageAnswer
)

// callError is why a call has failed.
type callError struct {
	stage stage
	err   error
}

func (e *callError) Error() string { return e.err.Error() }
func (e *callError) Unwrap() error { return e.err }

// parseURL reads a URL, whose scheme may be left out.
func parseURL(text string) (*url.URL, bool) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, false
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, true
}

func portOf(u *url.URL) int {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return port
	}
	return map[string]int{"http": 80, "https": 443}[u.Scheme]
}

// do makes the call. The caller closes the answer's connection. An error of the host's is itself, others are a *callError.
func (s *shell) do(n Networked, c httpCall) (*httpAnswer, error) {
	answer := &httpAnswer{}
	addresses, err := s.placesOf(n, c)
	if err != nil {
		return answer, &callError{stageName, err}
	}
	answer.found = s.host.Now()
	timeout := c.connect
	if !c.whole.IsZero() {
		if rest := c.whole.Sub(answer.found); timeout == 0 || rest < timeout {
			timeout = max(time.Millisecond, rest)
		}
	}
	if answer.conn, answer.at, err = s.connect(n, addresses, portOf(c.url), timeout); err != nil {
		if errors.Is(err, ErrRefused) || errors.Is(err, errNoAnswer) {
			return answer, &callError{stageConnect, err}
		}
		return answer, err
	}
	answer.connected = s.host.Now()
	if !c.whole.IsZero() {
		answer.conn.SetDeadline(time.Now().Add(c.whole.Sub(answer.connected)))
	}
	stop := closeAfter(n.Context(), answer.conn)
	if c.url.Scheme == "https" {
		secure := tls.Client(answer.conn, &tls.Config{ServerName: c.url.Hostname(), RootCAs: c.roots, InsecureSkipVerify: c.trusts,
			MinVersion: tls.VersionTLS12})
		if err := secure.HandshakeContext(n.Context()); err != nil {
			stop()
			answer.conn.Close()
			return answer, &callError{stageTLS, err}
		}
		answer.conn = secure
	}
	answer.conn = &watched{answer.conn, stop}
	if answer.Response, err = exchange(answer.conn, c); err != nil {
		answer.conn.Close()
		return answer, &callError{stageAnswer, err}
	}
	return answer, nil
}

func (s *shell) placesOf(n Networked, c httpCall) ([]netip.Addr, error) {
	if at, said := c.places[net.JoinHostPort(c.url.Hostname(), strconv.Itoa(portOf(c.url)))]; said {
		return []netip.Addr{at}, nil
	}
	return s.resolve(n, c.url.Hostname())
}

// exchange sends a call and reads the head of the answer.
func exchange(conn net.Conn, c httpCall) (*http.Response, error) {
	request := &http.Request{Method: c.method, URL: c.url, Host: c.host, Header: c.header, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if len(c.body) > 0 {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	}
	if err := request.Write(conn); err != nil {
		return nil, err
	}
	return http.ReadResponse(bufio.NewReader(conn), request)
}

// watched is a connection that the end of a context closes.
type watched struct {
	net.Conn
	stop func()
}

func (w *watched) Close() error {
	w.stop()
	return w.Conn.Close()
}

// closeAfter closes a connection when ctx ends, until its answer is called.
func closeAfter(ctx context.Context, conn net.Conn) (stop func()) {
	end := context.AfterFunc(ctx, func() { conn.Close() })
	return func() { end() }
}

// isTimeout says that a connection's deadline has passed.
func isTimeout(err error) bool { return errors.Is(err, os.ErrDeadlineExceeded) }
