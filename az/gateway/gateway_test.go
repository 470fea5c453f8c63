package gateway

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/internal/link"
	"tripod/internal/process"
	vpc "tripod/nodes/network"
)

// echo is a server that sends back what it gets, and ends its side when the client has ended its own.
func echo(t *testing.T) (port int) {
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
			go func() { io.Copy(conn, conn); conn.Close() }()
		}
	}()
	return listener.Addr().(*net.TCPAddr).Port
}

// testGateway is zone a's gateway, which knows one name in zone a, "here", and one in zone b, "there".
type testGateway struct {
	*Gateway
	tcp, unix string // where it listens
}

func newTestGateway(t *testing.T) *testGateway {
	t.Helper()
	here, there := echo(t), echo(t)
	route := func(_ context.Context, host string, _ int) (Destination, error) {
		switch host {
		case "here":
			return Destination{Zone: "us-east-1a", Target: "etcd/a", Network: "tcp",
				Address: fmt.Sprintf("127.0.0.1:%d", here)}, nil
		case "there":
			return Destination{Zone: "us-east-1b", Target: "etcd/b", Network: "tcp",
				Address: fmt.Sprintf("127.0.0.1:%d", there)}, nil
		case "nobody":
			return Destination{Zone: "us-east-1b", Network: "unix", Address: filepath.Join(t.TempDir(), "none")}, nil
		case "guarded":
			return Destination{Zone: "us-east-1a", Network: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", here),
				Dialer: &net.Dialer{Control: func(_, address string,
					_ syscall.RawConn) error {
					return fmt.Errorf("%s is not public", address)
				}}}, nil
		}
		return Destination{}, ErrDenied
	}
	g := New(Config{Zone: "us-east-1a", Secret: "open sesame", Route: route, Logger: slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry()})
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(shortDir(t), "gateway.sock")
	unix, err := process.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	g.ServeProxy(tcp)
	g.Serve(unix)
	t.Cleanup(func() {
		g.Stop()
		noneLeft(t)
	})
	return &testGateway{Gateway: g, tcp: tcp.Addr().String(), unix: path}
}

// connect asks a gateway for a tunnel. The tunnel is nil unless the answer is 200; otherwise body says why.
func connect(t *testing.T, network, address, to, password string) (tunnel net.Conn, status int, body string) {
	t.Helper()
	conn, err := net.Dial(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	header := ""
	if password != "" {
		header = "Proxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("zone:"+password)) + "\r\n"
	}
	fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", to, to, header)
	response, err := http.ReadResponse(bufio.NewReaderSize(conn, 16), &http.Request{Method: http.MethodConnect})
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(response.Body)
		if _, reason, _ := strings.Cut(response.Status, " "); reason != string(text) {
			t.Errorf("the status line says %q, and the body %q", reason, text)
		}
		return nil, response.StatusCode, string(text)
	}
	return conn, response.StatusCode, ""
}

// talk checks that the other end of a tunnel answers.
func talk(t *testing.T, conn net.Conn) {
	t.Helper()
	answer := make([]byte, 4)
	if _, err := io.WriteString(conn, "ping"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "ping" {
		t.Fatalf("the tunnel answers %q, %v", answer, err)
	}
}

func TestGatewayServesItsOwnZoneOnly(t *testing.T) {
	g := newTestGateway(t)
	for _, password := range []string{"", "wrong", "open sesame "} {
		if _, status, _ := connect(t, "tcp", g.tcp, "here:1", password); status != http.StatusProxyAuthRequired {
			t.Errorf("password %q: status %d, want 407", password, status)
		}
	}
	conn, _, _ := connect(t, "tcp", g.tcp, "here:1", "open sesame")
	talk(t, conn)
	conn, _, _ = connect(t, "unix", g.unix, "there:1", "") // the directory is the user's alone
	talk(t, conn)
}

func TestGatewayLooksAtTheAddressBeforeItConnects(t *testing.T) {
	g := newTestGateway(t)
	if _, status, text := connect(t, "unix", g.unix, "guarded:443", ""); status != http.StatusBadGateway ||
		!strings.Contains(text, "is not public") {
		t.Errorf("got %d %s, want 502 and the guard's sentence", status, text)
	}
}

func TestGatewayTakesOnlyConnect(t *testing.T) {
	g := newTestGateway(t)
	conn, err := net.Dial("unix", g.unix)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET http://here:1/ HTTP/1.1\r\nHost: here\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("got %v, %v", response, err)
	}
}

func TestGatewaySaysWhyItDoesNotConnect(t *testing.T) {
	g := newTestGateway(t)
	for to, want := range map[string]string{
		"example.com:443": "example.com:443 is not part of this region",
		"nobody:1":        "no such file",
	} {
		if _, status, body := connect(t, "unix", g.unix, to, ""); status != http.StatusBadGateway ||
			!strings.Contains(body, want) {
			t.Errorf("%s: status %d, %q; want 502 and %q", to, status, body, want)
		}
	}
}

func TestTunnelEndsOneSideAtATime(t *testing.T) {
	g := newTestGateway(t)
	for _, network := range []string{"tcp", "unix"} {
		address := map[string]string{"tcp": g.tcp, "unix": g.unix}[network]
		conn, _, _ := connect(t, network, address, "there:1", "open sesame")
		io.WriteString(conn, "the last word")
		if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(conn); err != nil || string(text) != "the last word" {
			t.Errorf("%s: after the half close: %q, %v", network, text, err)
		}
	}
	eventually(t, "tunnels that ended are forgotten", func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return len(g.open) == 0
	}, func() any { return g.open })
}

func TestUnreachableZoneIsResetAndRefused(t *testing.T) {
	for _, what := range []string{"us-east-1b", "etcd/b"} {
		t.Run(what, func(t *testing.T) {
			g := newTestGateway(t)
			conn, _, _ := connect(t, "tcp", g.tcp, "there:1", "open sesame")
			talk(t, conn)
			dialled, err := g.Dial(t.Context(), "there:1")
			if err != nil {
				t.Fatal(err)
			}
			defer dialled.Close()
			near, _, _ := connect(t, "tcp", g.tcp, "here:1", "open sesame")
			talk(t, near)

			g.SetUnreachable([]string{what})
			if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("an open tunnel sees %v, want a reset", err)
			}
			if _, err := dialled.Read(make([]byte, 1)); err == nil {
				t.Error("the agent's own connection is still open")
			}
			talk(t, near)
			if _, status, body := connect(t, "unix", g.unix, "there:1", ""); status != http.StatusBadGateway ||
				!strings.Contains(body, "unreachable") {
				t.Errorf("a new tunnel: status %d, %q", status, body)
			}
			if _, err := g.Dial(t.Context(), "there:1"); !errors.Is(err, errUnreachable) || !Gone(err) {
				t.Errorf("the agent's own new connection: %v", err)
			}

			g.SetUnreachable(nil)
			conn, _, _ = connect(t, "tcp", g.tcp, "there:1", "open sesame")
			talk(t, conn)
		})
	}
}

func TestZoneAlwaysReachesItself(t *testing.T) {
	g := newTestGateway(t)
	conn, _, _ := connect(t, "unix", g.unix, "here:1", "")
	g.SetUnreachable([]string{"us-east-1a"})
	talk(t, conn)
	conn, _, _ = connect(t, "unix", g.unix, "here:1", "")
	talk(t, conn)
}

func TestStopEndsEverything(t *testing.T) {
	g := newTestGateway(t)
	conn, _, _ := connect(t, "tcp", g.tcp, "there:1", "open sesame")
	talk(t, conn)
	g.Stop()
	if _, err := conn.Read(make([]byte, 1)); err == nil {
		t.Error("a tunnel outlives its gateway")
	}
	if _, err := g.Dial(t.Context(), "there:1"); err == nil {
		t.Error("a stopped gateway dials")
	}
	if conn, err := net.Dial("tcp", g.tcp); err == nil {
		conn.Close()
		t.Error("a stopped gateway listens")
	}
	g.Stop() // twice is no error
}

func TestStopDoesNotWaitForAClientThatSaysNothing(t *testing.T) {
	g := newTestGateway(t)
	silent, err := net.Dial("tcp", g.tcp)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	conn, _, _ := connect(t, "tcp", g.tcp, "here:1", "open sesame") // accepted later, so the silent one is being served
	talk(t, conn)
	started := time.Now()
	g.Stop()
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("stop took %s", took)
	}
}

func TestFirstBytesMayComeWithTheRequest(t *testing.T) {
	g := newTestGateway(t)
	conn, err := net.Dial("unix", g.unix)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprint(conn, "CONNECT here:1 HTTP/1.1\r\nHost: here:1\r\n\r\nearly")
	read := bufio.NewReader(conn)
	if _, err := http.ReadResponse(read, &http.Request{Method: http.MethodConnect}); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 5)
	if _, err := io.ReadFull(read, answer); err != nil || string(answer) != "early" {
		t.Errorf("got %q, %v", answer, err)
	}
}

// TestConnectionsWithinTheVPCMeetItsRules: what they do not admit fails as a time-out, and nobody comes out of the VPC that way. An
// answer comes to who has ended its own direction.
func TestConnectionsWithinTheVPCMeetItsRules(t *testing.T) {
	port := echo(t)
	to := Destination{Zone: "us-east-1a", Network: "tcp", Address: fmt.Sprintf("127.0.0.1:%d", port)}
	g := New(Config{Zone: "us-east-1a", Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Route: func(_ context.Context, host string, port int) (Destination, error) {
			to := to
			if host == "10.0.0.10" || host == "10.0.0.11" {
				to.Held = netip.AddrPortFrom(netip.MustParseAddr(host), uint16(port))
			}
			return to, nil
		},
		Admit: func(_ string, _ vpc.Source, to netip.AddrPort) (netip.AddrPort, error) {
			if to.Addr().String() == "10.0.0.11" {
				return netip.AddrPort{}, vpc.Filtered("sg-1 does not let it pass")
			}
			return netip.AddrPort{}, nil
		}})
	t.Cleanup(g.Stop)
	dial := func(address string) (net.Conn, error) {
		return g.DialWithin(t.Context(), "demo", vpc.Source{}, netip.MustParseAddrPort(address))
	}
	if _, err := dial("10.0.0.11:80"); !errors.Is(err, vpc.ErrFiltered) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("filtered: got %v", err)
	}
	if _, err := dial("192.0.2.1:443"); !errors.Is(err, ErrDenied) {
		t.Errorf("outside: got %v", err)
	}
	conn, err := dial("10.0.0.10:80")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "asked")
	if err := link.CloseWrite(conn); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(conn); string(text) != "asked" || err != nil {
		t.Errorf("got %q, %v", text, err)
	}
}
