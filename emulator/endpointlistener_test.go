package emulator

import (
	"crypto/rand"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"tripod/lb"
	"tripod/region"
)

// testListener is an endpoint's listener at work: behind it an echo, and a clock that the test moves.
type testListener struct {
	*endpointListener
	balancer *lb.Balancer
	time     time.Time
	told     chan string
}

func newTestListener(t *testing.T, client string) *testListener {
	t.Helper()
	address, _ := netip.ParseAddr(client)
	g := &testListener{time: time.Now(), told: make(chan string, 16)}
	g.endpointListener = &endpointListener{publicAddress: "127.0.0.1:0", privateAddress: freeAddress(t),
		sockets: []string{filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), rand.Text()[:8]+".sock")}, client: address,
		refusals: refusals{
			now:  func() time.Time { return g.time },
			tell: func(reason string, n int) { g.told <- strings.Repeat("+", n) + reason },
		}}
	if err := g.open(); err != nil {
		t.Fatal(err)
	}
	echo := listen(t)
	g.balancer = lb.New(lb.Config{Name: "test", Listener: g.endpointListener, Admit: g.admit,
		Targets: []lb.Target{{Name: "echo", Address: echo.Addr().String()}}})
	if err := g.balancer.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.balancer.Kill)
	return g
}

// listen is an echo until the test ends.
func listen(t *testing.T) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { defer conn.Close(); io.Copy(conn, conn) }()
		}
	}()
	return listener
}

func freeAddress(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func (g *testListener) set(access region.EndpointAccess) error {
	return (&cluster{listener: g.endpointListener, balancer: g.balancer}).grant(access)
}

func dial(t *testing.T, network, address string) (net.Conn, error) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err == nil {
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(10 * time.Second))
	}
	return conn, err
}

// speaks says whether the echo answers on the connection.
func speaks(conn net.Conn, err error) error {
	if err == nil {
		_, err = conn.Write([]byte("x"))
	}
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 1))
	}
	return err
}

func TestPublicAccessOffCutsOffClientsAndNobodyElse(t *testing.T) {
	g := newTestListener(t, "")
	public, private := g.Addr().String(), g.privateAddress
	if err := speaks(dial(t, "tcp", public)); err == nil {
		t.Error("somebody came in before it was said who may")
	}
	if err := g.set(region.EndpointAccess{Public: true, Private: true,
		PublicCIDRs: []string{"203.0.113.0/24"}}); err != nil {
		t.Fatal(err)
	}
	open := map[string]net.Conn{}
	for address, network := range map[string]string{public: "tcp", private: "tcp", g.sockets[0]: "unix"} {
		conn, err := dial(t, network, address)
		if err := speaks(conn, err); err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		open[address] = conn
	}
	if err := g.set(region.EndpointAccess{Private: true}); err != nil {
		t.Fatal(err)
	}
	if err := speaks(open[public], nil); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("an open connection to the public endpoint: %v", err)
	}
	if err := speaks(dial(t, "tcp", public)); err == nil {
		t.Error("a new connection to the public endpoint works")
	}
	for _, address := range []string{private, g.sockets[0]} {
		if err := speaks(open[address], nil); err != nil {
			t.Errorf("%s suffers: %v", address, err)
		}
	}
	if err := g.set(region.EndpointAccess{Public: true, PublicCIDRs: []string{"0.0.0.0/0"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := dial(t, "tcp", private); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the private endpoint after its end: %v", err)
	}
	if err := speaks(open[private], nil); err == nil {
		t.Error("an open connection to the private endpoint survives its end")
	}
	if err := speaks(open[g.sockets[0]], nil); err != nil {
		t.Errorf("the zones' own suffer: %v", err)
	}
	if err := speaks(dial(t, "tcp", public)); err != nil {
		t.Errorf("the public endpoint is open again: %v", err)
	}
}

func TestPublicCIDRsSeeTheAddressThatClientsAreSaidToHave(t *testing.T) {
	for client, admitted := range map[string]bool{"203.0.113.7": true, "198.51.100.1": false, "": true} {
		g := newTestListener(t, client)
		if err := g.set(region.EndpointAccess{Public: true, PublicCIDRs: []string{"192.0.2.1/32",
			"203.0.113.0/24"}}); err != nil {
			t.Fatal(err)
		}
		if err := speaks(dial(t, "tcp", g.Addr().String())); (err == nil) != admitted {
			t.Errorf("client %q: %v", client, err)
		}
	}
}

func TestRefusalsAreToldNowAndThen(t *testing.T) {
	g := newTestListener(t, "198.51.100.1")
	if err := g.set(region.EndpointAccess{Public: true, PublicCIDRs: []string{"203.0.113.0/24"}}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		speaks(dial(t, "tcp", g.Addr().String()))
	}
	want := "198.51.100.1 is in none of publicAccessCidrs 203.0.113.0/24"
	if got := <-g.told; got != "+"+want || len(g.told) != 0 {
		t.Errorf("told %q, and %d more", got, len(g.told))
	}
	g.refusals.mu.Lock()
	g.time = g.time.Add(refusalPause)
	g.refusals.mu.Unlock()
	speaks(dial(t, "tcp", g.Addr().String()))
	if got := <-g.told; got != "+++"+want {
		t.Errorf("told %q", got)
	}
}

func TestPrivatePortThatIsTakenLeavesThePublicEndpointAlone(t *testing.T) {
	g := newTestListener(t, "")
	squatter, err := net.Listen("tcp", g.privateAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer squatter.Close()
	both := region.EndpointAccess{Public: true, Private: true}
	if err := g.set(both); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	if err := speaks(dial(t, "tcp", g.Addr().String())); err != nil {
		t.Error(err)
	}
	squatter.Close()
	if err := g.set(both); err != nil {
		t.Error(err)
	}
	if err := speaks(dial(t, "tcp", g.privateAddress)); err != nil {
		t.Error(err)
	}
}

func TestPrivatePortsAreNobodyElses(t *testing.T) {
	used := map[int]bool{portRange - 1: true} // the AWS endpoint's, maybe
	for port := range privateOffset {
		used[port] = true
	}
	for port := clusterOffset; port < clusterOffset+mostClusters*10; port++ {
		used[port] = true
	}
	for slot := range mostClusters {
		port := privatePort(0, clusterOffset+slot*10)
		if used[port] || port >= portRange {
			t.Errorf("the private port of cluster %d is %d", slot, port)
		}
		used[port] = true
	}
}
