package emulator

import (
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/internal/options"
)

// frontsOf are those of a region without zones.
func frontsOf(t *testing.T) *fronts {
	t.Helper()
	s := &site{options: options.Up{Logger: slog.New(slog.DiscardHandler)}, logger: slog.New(slog.DiscardHandler), dir: &dataDir{}}
	var err error
	if s.events, err = openJournal(filepath.Join(t.TempDir(), "events.jsonl"), nil); err != nil {
		t.Fatal(err)
	}
	f := newFronts(s, newLife(), nil, nil)
	f.wake = func(string) {}
	t.Cleanup(func() { f.stop(); f.life.wait.Wait(); s.events.close() })
	return f
}

// shownAs is a load balancer with one listener.
func shownAs(name, protocol string, port int) api.LoadBalancer {
	return api.LoadBalancer{Name: name, ARN: "arn/" + name, DNSName: name + ".elb.localhost",
		Listeners: []api.BalancerListener{{Protocol: protocol, Port: port}}}
}

func freePortOf(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// at is where a load balancer's only listener is.
func (f *fronts) at(t *testing.T, name string) api.BalancerListener {
	t.Helper()
	for _, b := range f.loadBalancers() {
		if b.Name == name {
			return b.Listeners[0]
		}
	}
	t.Fatalf("there is no %s", name)
	return api.BalancerListener{}
}

func TestListenersHaveTheirOwnPortWhereItIsFree(t *testing.T) {
	f, port := frontsOf(t), freePortOf(t)
	f.update(1, []api.LoadBalancer{shownAs("first", "HTTP", port), shownAs("second", "HTTP", port), shownAs("third", "TCP", port)})
	own := loopback(port)
	if got := f.at(t, "first"); got.Address != own || got.URL != fmt.Sprintf("http://first.elb.localhost:%d", port) {
		t.Errorf("the first: %+v", got)
	}
	if got := f.at(t, "second"); got.Address != own { // HTTP tells by name who is wanted
		t.Errorf("the second: %+v", got)
	}
	third := f.at(t, "third")
	if third.Address == own || third.Address == "" || !strings.HasPrefix(third.URL, "third.elb.localhost:") {
		t.Errorf("the third, whose clients need not tell a name: %+v", third)
	}
	f.mu.Lock()
	guests := *f.doors[port].claims.Load()
	f.mu.Unlock()
	if len(guests) != 3 || guests[2].balancer != "arn/third" {
		t.Errorf("at its own number are %+v", guests)
	}
	f.update(2, []api.LoadBalancer{shownAs("third", "TCP", port), shownAs("second", "HTTP", port)})
	if got := f.at(t, "third"); got.Address != third.Address {
		t.Errorf("the third has moved from %s to %s", third.Address, got.Address)
	}
	f.update(1, nil) // an older copy
	if len(f.loadBalancers()) != 2 {
		t.Error("an older copy of the regional state counted")
	}
	f.update(3, nil)
	if conn, err := net.DialTimeout("tcp", own, 5*time.Second); err == nil {
		conn.Close()
		t.Error("the port of a load balancer that is gone answers")
	}
}

func TestPortThatIsTakenIsAnotherOne(t *testing.T) {
	f := frontsOf(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	f.update(1, []api.LoadBalancer{shownAs("web", "HTTP", port), shownAs("dns", "UDP", 53)})
	if got := f.at(t, "web"); got.Address == loopback(port) || got.Address == "" || !strings.HasPrefix(got.URL, "http://web.elb.localhost:") {
		t.Errorf("got %+v", got)
	}
	if got := f.at(t, "dns"); got.Address != "" || got.Trouble == "" {
		t.Errorf("UDP: got %+v", got)
	}
}

func TestClientsSayWhomTheyWant(t *testing.T) {
	ask := map[string]func(net.Conn){
		"web.elb.localhost": func(c net.Conn) { fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: WEB.elb.localhost:8080\r\n\r\nbody") },
		"tls.elb.localhost": func(c net.Conn) { tls.Client(c, &tls.Config{ServerName: "tls.elb.localhost"}).Handshake() },
		"":                  func(c net.Conn) { fmt.Fprint(c, "SSH-2.0-client\r\n\r\n") },
		"late.elb.localhost": func(c net.Conn) {
			fmt.Fprint(c, "GET / HT")
			fmt.Fprint(c, "TP/1.0\r\nHost: late.elb.localhost\r\n\r\n")
		},
	}
	for want, say := range ask {
		near, far := net.Pipe()
		go func() { say(far); far.Close() }()
		name, read := nameOf(near, 10*time.Second)
		near.Close()
		if name != want || len(read) == 0 {
			t.Errorf("got %q of %q, want %q", name, read, want)
		}
	}
	near, far := net.Pipe()
	go func() {
		io.WriteString(far, "GET / HTTP/1.1\r\n"+strings.Repeat("X-Header: value\r\n", mostHello/10))
		far.Close()
	}()
	if name, read := nameOf(near, 10*time.Second); name != "" || len(read) > mostHello {
		t.Errorf("a head without end: got %q after %d bytes", name, len(read))
	}
	near.Close()
}
