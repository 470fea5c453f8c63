package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"testing"
	"time"

	"tripod/lb/handover"
	"tripod/region"
)

// world is a zone with a load balancer's node and servers at addresses of the VPC.
type world struct {
	t    testing.TB
	node *Node

	mu      sync.Mutex
	servers map[netip.AddrPort]string // where they are really
	reports map[string]region.TargetReport
	changed chan struct{}
}

func newWorld(t testing.TB) *world {
	t.Helper()
	return newWorldWith(t, func(*Options) {})
}

func newWorldWith(t testing.TB, change func(*Options)) *world {
	t.Helper()
	w := &world{t: t, servers: map[netip.AddrPort]string{}, reports: map[string]region.TargetReport{},
		changed: make(chan struct{})}
	options := Options{Zone: "us-east-1a", Dial: w.dial, Report: w.report, Hurry: 5 * time.Millisecond, Now: time.Now,
		Logger: slog.New(slog.DiscardHandler), Client: netip.MustParseAddr("203.0.113.9")}
	change(&options)
	w.node = New(options)
	t.Cleanup(w.node.Close)
	return w
}

func (w *world) dial(ctx context.Context, _ netip.AddrPort, to Target) (net.Conn, error) {
	w.mu.Lock()
	at := w.servers[to.Address]
	w.mu.Unlock()
	if at == "" {
		at = "127.0.0.1:1" // nobody's
	}
	return new(net.Dialer).DialContext(ctx, "tcp", at)
}

func (w *world) report(r region.TargetReport) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports[r.ID] = r
	close(w.changed)
	w.changed = make(chan struct{})
}

// await waits until a target is found to be in a state.
func (w *world) await(id string, state region.TargetHealth) region.TargetReport {
	w.t.Helper()
	end := time.After(20 * time.Second)
	for {
		w.mu.Lock()
		r, changed := w.reports[id], w.changed
		w.mu.Unlock()
		if r.State == state {
			return r
		}
		select {
		case <-changed:
		case <-end:
			w.t.Fatalf("%s is %+v, want %s", id, r, state)
		}
	}
}

// server serves HTTP at an address of the VPC until the test ends, or stop is called.
func (w *world) server(at string, handler http.Handler) (stop func()) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	s := &http.Server{Handler: handler, Protocols: protocols}
	go s.Serve(l)
	w.put(at, l.Addr().String())
	stop = func() { w.put(at, ""); s.Close() }
	w.t.Cleanup(stop)
	return stop
}

func (w *world) put(at, real string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.servers[netip.MustParseAddrPort(at)] = real
}

// named answers its name, and what it is told of the client.
func named(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Served-By", name)
		for _, header := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Amzn-Trace-Id"} {
			w.Header().Set("Saw-"+header, r.Header.Get(header))
		}
		w.Header().Set("Saw-Host", r.Host)
		w.Header().Set("Saw-Path", r.URL.RequestURI())
		w.Write([]byte(name))
	})
}

const webARN = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/web/0123456789abcdef"

// group has one target at each of the addresses, of zone a but where said otherwise.
func group(change func(*Group), at ...string) Group {
	g := Group{TargetGroup: region.TargetGroup{Name: "web", ARN: webARN, Type: "ip", Protocol: "HTTP", Port: 80,
		Attributes: map[string]string{},
		Check: region.HealthCheck{Enabled: true, Protocol: "HTTP", Port: "traffic-port", Path: "/", Codes: "200", Interval: 60,
			Timeout: 5, Healthy: 2, Unhealthy: 2}}}
	for _, at := range at {
		a := netip.MustParseAddrPort(at)
		g.Targets = append(g.Targets, Target{Address: a,
			Target: region.Target{Group: "web", ID: a.Addr().String(), Port: int(a.Port()), Zone: "us-east-1a"}})
	}
	if change != nil {
		change(&g)
	}
	return g
}

func forward(arns ...string) region.RuleAction {
	f := &region.ForwardAction{}
	for _, arn := range arns {
		f.Groups = append(f.Groups, region.WeightedGroup{TargetGroup: arn, Weight: 1})
	}
	return region.RuleAction{Type: region.ActionForward, Forward: f}
}

const albARN = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/app/web/0123456789abcdef"

// carry has the node carry one load balancer.
func (w *world) carry(kind region.BalancerType, l Listener, groups ...Group) {
	c := Config{Groups: map[string]Group{}, Balancers: []Balancer{{Listeners: []Listener{l},
		LoadBalancer: region.LoadBalancer{Name: "web", ARN: albARN, Type: kind, Attributes: map[string]string{}}}}}
	for _, g := range groups {
		c.Groups[g.ARN] = g
	}
	w.node.Apply(c)
}

func listener(protocol string, port int, actions ...region.RuleAction) Listener {
	return Listener{Listener: region.Listener{ARN: albARN + "/1", Protocol: protocol, Port: port, Actions: actions}}
}

// dialer opens connections to the load balancer's port, as its front would hand them over.
func (w *world) dialer(port int) func(context.Context, string, string) (net.Conn, error) {
	return w.dialerOf(albARN, port)
}

func (w *world) dialerOf(balancer string, port int) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		client, err := new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
		if err != nil {
			return nil, err
		}
		server, err := l.Accept()
		if err != nil {
			return nil, err
		}
		w.node.Take(server.(*net.TCPConn), handover.Offer{Balancer: balancer, Port: port, Last: true})
		return client, nil
	}
}

// client speaks HTTP to the load balancer, each request on a connection of its own, and follows no redirects.
func (w *world) client(port int) *http.Client { return w.clientOf(albARN, port) }

func (w *world) clientOf(balancer string, port int) *http.Client {
	t := &http.Transport{DialContext: w.dialerOf(balancer, port), DisableKeepAlives: true,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	w.t.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// certificate is one for a name.
func certificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
