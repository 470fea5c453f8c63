package node

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod/region"
)

// echo serves TCP at an address of the VPC: it says its name and then what it is told.
func (w *world) echo(at, name string) (stop func()) {
	w.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.WriteString(conn, name+" ")
				io.Copy(conn, conn)
			}()
		}
	}()
	w.put(at, l.Addr().String())
	stop = func() { w.put(at, ""); l.Close() }
	w.t.Cleanup(stop)
	return stop
}

func tcpGroup(change func(*Group), at ...string) Group {
	return group(func(g *Group) {
		g.Protocol, g.Check.Protocol = "TCP", "TCP"
		if change != nil {
			change(g)
		}
	}, at...)
}

// talk says hello and returns the whole answer.
func (w *world) talk(port int) string {
	w.t.Helper()
	conn, err := w.dialer(port)(w.t.Context(), "", "")
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(conn, "hello")
	conn.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(conn)
	if err != nil {
		return err.Error()
	}
	return string(got)
}

func TestConnectionsReachTargetsOfTheZoneAlone(t *testing.T) {
	w := newWorld(t)
	w.echo("10.0.0.1:80", "one")
	w.echo("10.0.0.2:80", "two")
	far := func(g *Group) { g.Targets[1].Zone = "us-east-1b" }
	w.carry(region.NetworkBalancer, listener("TCP", 80, forward(webARN)), tcpGroup(far, "10.0.0.1:80", "10.0.0.2:80"))
	w.await("10.0.0.1", region.TargetHealthy)
	for range 4 {
		if got := w.talk(80); got != "one hello" {
			t.Fatalf("got %q", got)
		}
	}
	w.carry(region.NetworkBalancer, listener("TCP", 80, forward(webARN)), tcpGroup(func(g *Group) {
		far(g)
		g.Attributes["load_balancing.cross_zone.enabled"] = "true"
	}, "10.0.0.1:80", "10.0.0.2:80"))
	w.await("10.0.0.2", region.TargetHealthy)
	if got := w.talk(80) + w.talk(80); !strings.Contains(got, "one hello") || !strings.Contains(got, "two hello") {
		t.Errorf("got %q", got)
	}
}

func TestTargetThatIsKnownToBeLostIsUnhealthyAtOnce(t *testing.T) {
	w := newWorld(t)
	w.echo("10.0.0.1:80", "one")
	w.echo("10.0.0.2:80", "two")
	at := []string{"10.0.0.1:80", "10.0.0.2:80"}
	w.carry(region.NetworkBalancer, listener("TCP", 80, forward(webARN)), tcpGroup(nil, at...))
	w.await("10.0.0.1", region.TargetHealthy)
	w.await("10.0.0.2", region.TargetHealthy)
	conn, err := w.dialer(80)(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	greeting := make([]byte, 4)
	if _, err := io.ReadFull(conn, greeting); err != nil {
		t.Fatal(err)
	}
	its := map[string]int{"one ": 0, "two ": 1}[string(greeting)]
	w.carry(region.NetworkBalancer, listener("TCP", 80, forward(webARN)),
		tcpGroup(func(g *Group) { g.Targets[its].Lost = "its zone is out" }, at...))
	if r := w.await("10.0.0."+itoa(its+1), region.TargetUnhealthy); r.Reason != region.ReasonTimeout {
		t.Errorf("got %+v", r)
	}
	if _, err := io.ReadAll(conn); err == nil {
		t.Error("a connection to a lost target was not reset")
	}
	for range 4 {
		if got := w.talk(80); strings.HasPrefix(got, string(greeting)) {
			t.Errorf("got %q of a target that is lost", got)
		}
	}
	w.carry(region.NetworkBalancer, listener("TCP", 80, forward(webARN)), tcpGroup(nil, at...))
	w.await("10.0.0."+itoa(its+1), region.TargetHealthy)
}

func TestChecksHaveReasons(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", named("one"))
	w.carry(region.ApplicationBalancer, listener("HTTP", 80, forward(webARN)), group(func(g *Group) { g.Check.Codes = "201,300-399" },
		"10.0.0.1:80", "10.0.0.2:80"))
	if r := w.await("10.0.0.1", region.TargetUnhealthy); r.Reason != region.ReasonWrongCode ||
		r.Description != "Health checks failed with these codes: [200]" {
		t.Errorf("got %+v", r)
	}
	if r := w.await("10.0.0.2", region.TargetUnhealthy); r.Reason != region.ReasonFailedChecks {
		t.Errorf("got %+v", r)
	}
}

func TestProxyProtocolTellsOfTheClient(t *testing.T) {
	from, to := netip.MustParseAddrPort("203.0.113.9:4000"), netip.MustParseAddrPort("127.0.0.1:80")
	if got := string(proxyHeader(1, from, to)); got != "PROXY TCP4 203.0.113.9 127.0.0.1 4000 80\r\n" {
		t.Errorf("got %q", got)
	}
	want := "\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\x7f\x00\x00\x01\x0f\xa0\x00\x50"
	if got := string(proxyHeader(2, from, to)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A connection on which nothing comes for as long as its listener says is reset; one on which something does stays.
func TestIdleConnectionsEnd(t *testing.T) {
	w := newWorld(t)
	w.echo("10.0.0.1:80", "one")
	l := listener("TCP", 80, forward(webARN))
	l.Attributes = map[string]string{"tcp.idle_timeout.seconds": "1"}
	w.carry(region.NetworkBalancer, l, tcpGroup(nil, "10.0.0.1:80"))
	w.await("10.0.0.1", region.TargetHealthy)
	open := func() net.Conn {
		conn, err := w.dialer(80)(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	silent, busy := open(), open()
	began := time.Now()
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(silent)
		ended <- err
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for range 10 { // for twice as long as the silent one has
		<-tick.C
		if _, err := busy.Write([]byte("x")); err != nil {
			t.Fatalf("the busy one: %v", err)
		}
		if _, err := io.ReadFull(busy, make([]byte, 1)); err != nil {
			t.Fatalf("the busy one, after %s: %v", time.Since(began), err)
		}
	}
	if err := <-ended; !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the silent one ended with %v", err)
	}
}

// A network load balancer sends to an application load balancer, which sees the client.
func TestAnApplicationLoadBalancerIsATarget(t *testing.T) {
	w := newWorld(t)
	w.server("10.0.0.1:80", named("one"))
	const nlbARN = "arn:aws:elasticloadbalancing:us-east-1:1:loadbalancer/net/front/0123456789abcdef"
	const frontARN = "arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/front/0123456789abcdef"
	front := group(nil)
	front.Name, front.ARN, front.Type, front.Protocol = "front", frontARN, "alb", "TCP"
	front.Check.Interval = 1
	front.Targets = []Target{{Target: region.Target{Group: "front", ID: albARN, Port: 80}}}
	web := group(nil, "10.0.0.1:80")
	before := Balancer{LoadBalancer: region.LoadBalancer{Name: "front", ARN: nlbARN, Type: region.NetworkBalancer},
		Listeners: []Listener{{Listener: region.Listener{ARN: nlbARN + "/1", Protocol: "TCP", Port: 8080,
			Actions: []region.RuleAction{forward(frontARN)}}}}}
	behind := Balancer{LoadBalancer: region.LoadBalancer{Name: "web", ARN: albARN, Type: region.ApplicationBalancer},
		Listeners: []Listener{listener("HTTP", 80, forward(webARN))}}
	w.node.Apply(Config{Groups: map[string]Group{webARN: web, frontARN: front}, Balancers: []Balancer{behind, before}})
	w.await("10.0.0.1", region.TargetHealthy)
	w.await(albARN, region.TargetHealthy)
	got, _ := get(t, w.clientOf(nlbARN, 8080), "http://front/x", nil)
	if got.Header.Get("X-Served-By") != "one" || got.Header.Get("Saw-X-Forwarded-For") != "203.0.113.9" {
		t.Errorf("got %v", got.Header)
	}
	w.node.Apply(Config{Groups: map[string]Group{frontARN: front}, Balancers: []Balancer{before}})
	w.await(albARN, region.TargetUnhealthy)
}
