package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"tripod/lb/handover"
	"tripod/region"
)

// get sends a request and returns the answer with its body.
func get(t *testing.T, c *http.Client, url string, change func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(r)
	}
	response, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response, string(body)
}

func TestRequestsReachHealthyTargetsInTurn(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", named("one"))
	w.server("10.0.0.2:80", named("two"))
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.1:80", "10.0.0.2:80"))
	w.await("10.0.0.1", region.TargetHealthy)
	w.await("10.0.0.2", region.TargetHealthy)
	served := map[string]int{}
	for range 10 {
		response, body := get(t, w.client(80), "http://web.localhost/a?b=c;d=%zz", func(r *http.Request) {
			r.Header.Set("X-Forwarded-For", "192.0.2.1")
		})
		served[body]++
		h := response.Header
		if h.Get("Saw-X-Forwarded-For") != "192.0.2.1, 203.0.113.9" || h.Get("Saw-X-Forwarded-Proto") != "http" ||
			h.Get("Saw-X-Forwarded-Port") != "80" || h.Get("Saw-Host") != "web.localhost" || h.Get("Saw-Path") != "/a?b=c;d=%zz" ||
			!strings.HasPrefix(h.Get("Saw-X-Amzn-Trace-Id"), "Root=1-") {
			t.Fatalf("the target saw %v", h)
		}
	}
	if served["one"] != 5 || served["two"] != 5 {
		t.Errorf("served: %v", served)
	}
}

func TestTargetThatCannotBeConnectedToCostsNoRequest(t *testing.T) {
	w := newWorld(t)
	stop := w.server("10.0.0.1:80", named("one"))
	w.server("10.0.0.2:80", named("two"))
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.1:80", "10.0.0.2:80"))
	w.await("10.0.0.1", region.TargetHealthy)
	w.await("10.0.0.2", region.TargetHealthy)
	stop()
	for range 6 {
		if response, body := get(t, w.client(80), "http://web/", nil); body != "two" {
			t.Fatalf("got %s: %s", response.Status, body)
		}
	}
}

func TestAnswersOfTheLoadBalancerItself(t *testing.T) {
	w := newWorld(t)
	rule := func(priority int, path string, a region.RuleAction) region.ListenerRule {
		return region.ListenerRule{Priority: priority, Actions: []region.RuleAction{a},
			Conditions: []region.RuleCondition{{Field: "path-pattern", Values: []string{path}}}}
	}
	l := listener("HTTP", 80, forward(webARN))
	l.Rules = []region.ListenerRule{
		rule(1, "/fixed", region.RuleAction{Type: region.ActionFixedResponse,
			Fixed: &region.FixedResponse{Status: 418, ContentType: "text/plain", Body: "short"}}),
		rule(2, "/old/*", region.RuleAction{Type: region.ActionRedirect,
			Redirect: &region.RedirectAction{Protocol: "HTTPS", Port: "443", Host: "#{host}", Path: "/new#{path}", Query: "#{query}", Status: 301}}),
		rule(3, "/in", region.RuleAction{Type: region.ActionOIDC}),
		rule(4, "/gone", forward("arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/gone/1")),
		rule(5, "/refused", forward(webARN)),
	}
	empty := group(func(g *Group) { g.ARN, g.Name = g.ARN+"0", "empty" })
	l.Actions = []region.RuleAction{forward(empty.ARN)}
	w.carry(region.ApplicationBalancer, l, group(nil, "10.0.0.1:80"), empty)
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/fixed":       {418, "short"},
		"/old/a?b=c":   {301, "301 Moved Permanently"},
		"/in":          {501, "501 Not Implemented"},
		"/gone":        {503, "503 Service Temporarily Unavailable"},
		"/no-targets":  {503, "503 Service Temporarily Unavailable"},
		"/refused":     {502, "502 Bad Gateway"},
		"/refused?a=b": {502, "502 Bad Gateway"},
	} {
		response, body := get(t, w.client(80), "http://web.example"+path, nil)
		if response.StatusCode != want.status || !strings.Contains(body, want.text) || response.Header.Get("Server") != "awselb/2.0" {
			t.Errorf("%s: got %s, %v: %s", path, response.Status, response.Header, body)
		}
		if location := response.Header.Get("Location"); want.status == 301 && location != "https://web.example:443/newold/a?b=c" {
			t.Errorf("redirected to %s", location)
		}
	}
	response, _ := get(t, w.client(80), "http://web/", func(r *http.Request) {
		r.Header.Set("X-Forwarded-For", strings.Repeat("192.0.2.1, ", 30)+"192.0.2.1")
	})
	if response.StatusCode != 463 {
		t.Errorf("31 addresses in X-Forwarded-For: %s", response.Status)
	}
}

func TestClientsStayWithTheirTarget(t *testing.T) {
	for kind, attributes := range map[string]map[string]string{
		"AWSALB":      {"stickiness.type": "lb_cookie"},
		"AWSALBAPP-0": {"stickiness.type": "app_cookie", "stickiness.app_cookie.cookie_name": "session"},
	} {
		w := newWorld(t)
		for at, name := range map[string]string{"10.0.0.1:80": "one", "10.0.0.2:80": "two"} {
			w.server(at, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "s"})
				io.WriteString(w, name)
			}))
		}
		attributes["stickiness.enabled"] = "true"
		w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(func(g *Group) { g.Attributes = attributes },
			"10.0.0.1:80", "10.0.0.2:80"))
		w.await("10.0.0.1", region.TargetHealthy)
		w.await("10.0.0.2", region.TargetHealthy)
		response, first := get(t, w.client(80), "http://web/", nil)
		var kept *http.Cookie
		for _, c := range response.Cookies() {
			if c.Name == kind {
				kept = c
			}
		}
		if kept == nil {
			t.Fatalf("%s: got the cookies %v", kind, response.Cookies())
		}
		for range 5 {
			if _, again := get(t, w.client(80), "http://web/", func(r *http.Request) { r.AddCookie(kept) }); again != first {
				t.Errorf("%s: went from %s to %s", kind, first, again)
			}
		}
	}
}

func TestHTTPSShowsTheCertificateOfTheNameAndSpeaksHTTP2(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", named("one"))
	l := listener("HTTPS", 443, forward(webARN))
	l.Shown = []tls.Certificate{certificate(t, "default.test"), certificate(t, "other.test")}
	w.carry(region.ApplicationBalancer, l, group(nil, "10.0.0.1:80"))
	for name, want := range map[string]string{"other.test": "other.test", "unknown.test": "default.test"} {
		conn, err := w.dialer(443)(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		secure := tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err := secure.Handshake(); err != nil {
			t.Fatal(err)
		}
		state := secure.ConnectionState()
		if got := state.PeerCertificates[0].DNSNames[0]; got != want || state.NegotiatedProtocol != "h2" {
			t.Errorf("%s: shown %s, speaks %s", name, got, state.NegotiatedProtocol)
		}
		secure.Close()
	}
	response, body := get(t, w.client(443), "https://default.test/", nil)
	if body != "one" || response.Header.Get("Saw-X-Forwarded-Proto") != "https" {
		t.Errorf("got %s, %v", body, response.Header)
	}
}

func TestUpgradedConnectionsGoBothWays(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "websocket" {
			return
		}
		conn, buffered, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
		line, _ := buffered.ReadString('\n')
		fmt.Fprint(conn, "echo ", line)
	}))
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.1:80"))
	conn, err := w.dialer(80)(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: web\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("got %v, %v", response, err)
	}
	fmt.Fprintln(conn, "hello")
	if got, err := reader.ReadString('\n'); got != "echo hello\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestHTTP2TargetsAndTrailers(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		w.Header().Set("Content-Type", "application/grpc")
		fmt.Fprint(w, r.Proto)
		w.Header().Set("Grpc-Status", "12")
	}))
	l := listener("HTTPS", 443, forward(webARN))
	l.Shown = []tls.Certificate{certificate(t, "web")}
	w.carry(region.ApplicationBalancer, l, group(func(g *Group) { g.Version, g.Check.Codes = "GRPC", "0-99" }, "10.0.0.1:80"))
	w.await("10.0.0.1", region.TargetHealthy)
	c := w.client(443)
	c.Transport.(*http.Transport).ForceAttemptHTTP2 = true
	response, body := get(t, c, "https://web/pkg.Service/Method", nil)
	if body != "HTTP/2.0" || response.Trailer.Get("Grpc-Status") != "12" || response.Proto != "HTTP/2.0" {
		t.Errorf("got %s by %s, trailers %v", body, response.Proto, response.Trailer)
	}
}

func TestSilentTargetIsAGatewayTimeOut(t *testing.T) {
	w := newWorld(t)
	release := make(chan struct{})
	defer close(release)
	w.server("10.0.0.1:80", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	l := listener("HTTP", 80, forward(webARN))
	w.node.Apply(Config{Groups: map[string]Group{webARN: group(func(g *Group) { g.Check.Enabled = false }, "10.0.0.1:80")},
		Balancers: []Balancer{{Listeners: []Listener{l}, LoadBalancer: region.LoadBalancer{Name: "web", ARN: albARN,
			Type: region.ApplicationBalancer, Attributes: map[string]string{"idle_timeout.timeout_seconds": "1"}}}}})
	w.await("10.0.0.1", region.TargetUnavailable)
	response, body := get(t, w.client(80), "http://web/", nil)
	if response.StatusCode != 504 || !strings.Contains(body, "504 Gateway Time-out") {
		t.Errorf("got %s: %s", response.Status, body)
	}
}

// TestRulesChangeUnderWay: a listener goes on with its connections while its rules and targets change.
func TestRulesChangeUnderWay(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", named("one"))
	w.server("10.0.0.2:80", named("two"))
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.1:80"))
	dial := w.dialer(80)
	dials := 0
	c := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dials++
			return dial(ctx, network, address)
		}}}
	defer c.CloseIdleConnections()
	if _, body := get(t, c, "http://web/", nil); body != "one" {
		t.Fatalf("got %s", body)
	}
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.2:80"))
	if _, body := get(t, c, "http://web/", nil); body != "two" || dials != 1 {
		t.Errorf("got %s after %d connections", body, dials)
	}
	w.node.Apply(Config{})
	if _, err := c.Get("http://web/"); err == nil {
		t.Error("a listener that is gone answers")
	}
}

// TestClientsAreCounted: connections that end are counted out, and beyond a number nobody is taken.
func TestClientsAreCounted(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", named("one"))
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(nil, "10.0.0.1:80"))
	w.await("10.0.0.1", region.TargetHealthy)
	for range 20 {
		get(t, w.client(80), "http://web/", nil)
	}
	for end := time.Now().Add(20 * time.Second); w.node.open.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d are counted and none is open", w.node.open.Load())
		}
	}
	w.node.open.Add(mostOpen)
	if w.node.Willing(handover.Offer{Balancer: albARN, Port: 80, Last: true}) {
		t.Error("one more is taken")
	}
	conn, err := w.dialer(80)(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	if n, err := conn.Read(make([]byte, 1)); err == nil || n > 0 {
		t.Error("one more was taken")
	}
}
