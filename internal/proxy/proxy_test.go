package proxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	xproxy "golang.org/x/net/proxy"
)

// start serves a proxy that leads to a web server by any name but two, and returns the proxy's address.
func start(t *testing.T, password string) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s%s", r.Method, r.Host, r.URL.Path, r.Header.Get("Proxy-Authorization"))
	}))
	t.Cleanup(web.Close)
	p := &Proxy{Password: password, Dial: func(ctx context.Context, host string, port int) (net.Conn, error) {
		switch host {
		case "nobody.default.svc":
			return nil, errors.New("nobody.default.svc has no address")
		case "closed.default.svc":
			return nil, fmt.Errorf("sg-1 does not let it pass: %w", os.ErrDeadlineExceeded)
		}
		return new(net.Dialer).DialContext(ctx, "tcp", web.Listener.Addr().String())
	}}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			t.Error("the proxy does not end")
		}
	})
	return l.Addr().String()
}

// get fetches a URL by the proxy with that URL.
func get(t *testing.T, proxyURL, target string) (int, string) {
	t.Helper()
	at, err := url.Parse(proxyURL)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(at)}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(target)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(body))
}

func TestPlainRequestsAndSOCKSLeadToNames(t *testing.T) {
	address := start(t, "secret")
	for _, scheme := range []string{"http", "socks5", "socks5h"} {
		status, body := get(t, scheme+"://tripod:secret@"+address, "http://web.default.svc:8080/x")
		if status != 200 || body != "GET web.default.svc:8080 /x" {
			t.Errorf("%s: got %d %q", scheme, status, body)
		}
	}
}

func TestConnectIsATunnel(t *testing.T) {
	address := start(t, "")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "CONNECT 10.0.0.7:443 HTTP/1.1\r\nHost: 10.0.0.7:443\r\n\r\nGET / HTTP/1.0\r\nHost: early\r\n\r\n")
	text, err := io.ReadAll(conn)
	if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 200 ") || !strings.HasSuffix(string(text), "GET early /") {
		t.Errorf("got %q, %v", text, err)
	}
}

func TestRefusalsSayWhy(t *testing.T) {
	address := start(t, "")
	for target, want := range map[string]string{
		"http://nobody.default.svc/": "502 nobody.default.svc has no address",
		"http://closed.default.svc/": "504 sg-1 does not let it pass: i/o timeout",
	} {
		if status, body := get(t, "http://"+address, target); fmt.Sprint(status, " ", body) != want {
			t.Errorf("%s: got %d %q", target, status, body)
		}
	}
	dialer, err := xproxy.SOCKS5("tcp", address, nil, xproxy.Direct)
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"nobody.default.svc:80": "host unreachable", "closed.default.svc:80": "not allowed"} {
		if _, err := dialer.Dial("tcp", host); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s by SOCKS: got %v", host, err)
		}
	}
	response, err := http.Get("http://" + address + "/") // a browser that takes it for a site
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusBadRequest {
		t.Errorf("a request to the proxy itself: got %d", response.StatusCode)
	}
}

// TestWhoDoesNotKnowThePasswordIsRefused: other users of the machine can connect to the port.
func TestWhoDoesNotKnowThePasswordIsRefused(t *testing.T) {
	address := start(t, "secret")
	for _, proxyURL := range []string{"http://" + address, "http://tripod:wrong@" + address, "http://root:secret@" + address} {
		if status, _ := get(t, proxyURL, "http://web.default.svc/"); status != http.StatusProxyAuthRequired {
			t.Errorf("%s: got %d", proxyURL, status)
		}
	}
	for _, proxyURL := range []string{"socks5://" + address, "socks5://tripod:wrong@" + address} {
		if status, said := get(t, proxyURL, "http://web.default.svc/"); status != 0 {
			t.Errorf("%s: got %d %s", proxyURL, status, said)
		}
	}
	status, _ := get(t, "http://"+address, "https://web.default.svc/")
	if status != 0 {
		t.Errorf("CONNECT without the password: got %d", status)
	}
}

// FuzzSOCKS: whatever a client says, the proxy ends.
func FuzzSOCKS(f *testing.F) {
	f.Add([]byte("\x01\x00\x05\x01\x00\x03\x03web\x00\x50"))
	f.Add([]byte("\x02\x00\x02\x05\x01\x00\x01\x0a\x00\x00\x01\x00\x50"))
	f.Fuzz(func(_ *testing.T, said []byte) {
		p := &Proxy{Dial: func(context.Context, string, int) (net.Conn, error) { return nil, errSOCKS }}
		client, server := net.Pipe()
		go func() {
			client.Write(append([]byte{}, said...))
			client.Close()
		}()
		go io.Copy(io.Discard, client)
		p.serveSOCKS(context.Background(), server)
		server.Close()
	})
}
