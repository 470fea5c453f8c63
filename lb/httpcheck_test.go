package lb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// countConns counts the connections of a server.
func countConns(server *httptest.Server) *atomic.Int64 {
	var n atomic.Int64
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	return &n
}

func answer(code *atomic.Int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/readyz" || r.Host != "example.com" {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		w.WriteHeader(int(code.Load()))
		_, _ = fmt.Fprintf(w, "[-]etcd failed\nmore")
	})
}

func serverTarget(server *httptest.Server) Target {
	addr := server.Listener.Addr()
	return Target{Name: "a", Network: addr.Network(), Address: addr.String()}
}

func TestHTTPCheckKeepsOneConnection(t *testing.T) {
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	var code atomic.Int64
	for name, make := range map[string]func() (*httptest.Server, *tls.Config){
		"https": func() (*httptest.Server, *tls.Config) {
			s := httptest.NewUnstartedServer(answer(&code))
			return s, &tls.Config{}
		},
		"unix": func() (*httptest.Server, *tls.Config) {
			s := httptest.NewUnstartedServer(answer(&code))
			_ = s.Listener.Close()
			s.Listener = unix
			return s, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			code.Store(200)
			server, config := make()
			conns := countConns(server)
			if config != nil {
				server.StartTLS()
				config = server.Client().Transport.(*http.Transport).TLSClientConfig
			} else {
				server.Start()
			}
			defer server.Close()
			check := HTTPCheck(config, "/readyz", "example.com", nil)
			target := serverTarget(server)
			for range 5 {
				if err := check(context.Background(), target); err != nil {
					t.Fatal(err)
				}
			}
			code.Store(500)
			var bad *AnswerError
			if err := check(context.Background(), target); !errors.As(err, &bad) || bad.Code != 500 ||
				bad.Body != "[-]etcd failed" {
				t.Errorf("check of a server that answers 500: %v", err)
			}
			if got := conns.Load(); got != 1 {
				t.Errorf("%d connections, want 1", got)
			}
			code.Store(200)
			server.CloseClientConnections()
			if err := check(context.Background(), target); err != nil {
				t.Errorf("check after the server closed an idle connection: %v", err)
			}
			_ = check(endedContext(), target)
			server.CloseClientConnections()
			_ = server.Listener.Close()
			if err := check(context.Background(), target); classify(err) != failRefused {
				t.Errorf("check when nobody listens: %v", err)
			}
		})
	}
}

func TestHTTPCheckVerifiesTheCertificate(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	config := server.Client().Transport.(*http.Transport).TLSClientConfig
	check := HTTPCheck(config, "/readyz", "another.test:443", nil)
	var wrong *tls.CertificateVerificationError
	if err := check(context.Background(), serverTarget(server)); !errors.As(err, &wrong) {
		t.Errorf("check: %v", err)
	}
}

func TestHTTPCheckAsksAPausedServerOnce(t *testing.T) {
	a := newBackend(t, "a", nil)
	check := HTTPCheck(nil, "/readyz", "example.com", nil)
	for range 5 {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		if err := check(ctx, a.target()); classify(err) != failSilent {
			t.Errorf("check: %v", err)
		}
		cancel()
	}
	server := a.next()
	_, _ = io.WriteString(server, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
	if err := check(context.Background(), a.target()); err != nil {
		t.Errorf("check when it is resumed: %v", err)
	}
	if len(a.accepted) != 0 {
		t.Errorf("%d more connections were made", len(a.accepted))
	}
	_ = check(endedContext(), a.target())
	buffer, _ := io.ReadAll(server) // ends because the check let go
	if want := "GET /readyz HTTP/1.1\r\nHost: example.com\r\nUser-Agent: tripod-lb\r\nAccept: " +
		"*/*\r\n\r\n"; string(buffer) != want {
		t.Errorf("server read %q, want %q", buffer, want)
	}
}

func TestDefaultsAreCalmAndFindATargetThatHangsWithinSeconds(t *testing.T) {
	cfg := New(Config{}).cfg
	longest := cfg.Interval + time.Duration(cfg.Thresholds.Failing)*cfg.Timeout
	if cfg.Interval < time.Second || cfg.Timeout < 2*time.Second || longest > 6*time.Second {
		t.Errorf("a check comes every %v, takes up to %v, and a target that hangs is found after up to %v", cfg.Interval,
			cfg.Timeout, longest)
	}
	if exchangeTimeout <= cfg.Timeout {
		t.Errorf("an exchange ends after %v, before the check that waits for it, %v", exchangeTimeout, cfg.Timeout)
	}
}

func BenchmarkHTTPCheck(b *testing.B) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_,
			_ = io.WriteString(w, "ok")
	}))
	defer server.Close()
	check := HTTPCheck(server.Client().Transport.(*http.Transport).TLSClientConfig, "/readyz", "example.com", nil)
	defer func() { _ = check(endedContext(), serverTarget(server)) }()
	b.ReportAllocs()
	for b.Loop() {
		if err := check(context.Background(), serverTarget(server)); err != nil {
			b.Fatal(err)
		}
	}
}
