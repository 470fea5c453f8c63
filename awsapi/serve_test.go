package awsapi_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"tripod/awsapi"
)

func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, pool
}

// serve starts Serve and returns what ends it and waits.
func serve(t *testing.T, listener net.Listener, handler http.Handler, config *tls.Config) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- awsapi.Serve(ctx, listener, handler, config, nil) }()
	stopped := false
	stop = func() error {
		stopped = true
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(8 * time.Second):
			t.Fatal("Serve did not end")
			return nil
		}
	}
	t.Cleanup(func() {
		if !stopped {
			stop()
		}
	})
	return stop
}

func listen(t *testing.T, network, address string) net.Listener {
	t.Helper()
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	return listener
}

var scheme = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	text := "http"
	if r.TLS != nil {
		text = "https"
	}
	io.WriteString(w, text+" "+r.Proto)
})

func TestOnePortSpeaksHTTPAndHTTPS(t *testing.T) {
	config, pool := certificate(t)
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			address := "127.0.0.1:0"
			if network == "unix" {
				address = filepath.Join(t.TempDir(), "s")
			}
			listener := listen(t, network, address)
			stop := serve(t, listener, scheme, config)

			silent, err := net.Dial(network, listener.Addr().String()) // holds up nobody, not even the end
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "localhost"}, ForceAttemptHTTP2: true,
				DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, listener.Addr().String())
				},
			}
			defer transport.CloseIdleConnections()
			client := &http.Client{Transport: transport, Timeout: 5 * time.Second}
			for url, want := range map[string]string{"http://localhost/": "http HTTP/1.1",
				"https://localhost/": "https HTTP/2.0"} {
				response, err := client.Get(url)
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				if string(body) != want {
					t.Errorf("%s: got %s, want %s", url, body, want)
				}
			}
			if err := stop(); err != nil {
				t.Errorf("Serve ended with %v", err)
			}
			if conn, err := net.Dial(network, listener.Addr().String()); err == nil {
				conn.Close()
				t.Error("the listener is still open")
			}
		})
	}
}

func TestWithoutTLSHandshakesAreDropped(t *testing.T) {
	listener := listen(t, "tcp", "127.0.0.1:0")
	serve(t, listener, scheme, nil)
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	if err := tls.Client(conn, &tls.Config{ServerName: "localhost"}).Handshake(); err == nil {
		t.Error("a handshake succeeded")
	}
}

func TestRunningCallsAreFinished(t *testing.T) {
	listener := listen(t, "tcp", "127.0.0.1:0")
	entered, release := make(chan struct{}), make(chan struct{})
	stop := serve(t, listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-release
		io.WriteString(w, "done")
	}), nil)
	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listener.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-entered
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	waitClosed(t, listener)
	close(release)
	if err := <-ended; err != nil {
		t.Errorf("Serve ended with %v", err)
	}
	if got := <-answer; got != "done" {
		t.Errorf("the running call got %q", got)
	}
}

func TestBrokenListenerIsAnError(t *testing.T) {
	broken := &brokenListener{Listener: listen(t, "tcp", "127.0.0.1:0")}
	err := awsapi.Serve(context.Background(), broken, scheme, nil, nil)
	if !errors.Is(err, errBroken) {
		t.Errorf("got %v, want it broken", err)
	}
}

var errBroken = errors.New("the network is gone")

type brokenListener struct{ net.Listener }

func (*brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

func waitClosed(t *testing.T, listener net.Listener) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); ; {
		conn, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			return
		}
		conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("the listener is still open")
		}
	}
}
