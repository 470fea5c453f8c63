package lb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; longEnough is how long it watches that something does not.
const (
	patience   = 10 * time.Second
	longEnough = 60 * time.Millisecond
)

func TestMain(m *testing.M) {
	if name := os.Getenv("TRIPOD_LB_TEST_SERVER"); name != "" {
		serveForTest(name)
		return
	}
	os.Exit(m.Run())
}

// eventually waits until what returns "", and fails with what it said last.
func eventually(t *testing.T, what func() string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		state := what()
		if state == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("still, after %v: %s", patience, state)
		}
		time.Sleep(time.Millisecond) // the pace of polling
	}
}

// clientHello is a TLS record with a ClientHello of size bytes, as far as the balancer reads one.
func clientHello(size int) []byte {
	b := []byte{recordHandshake, 3, 1, 0, 0, typeClientHello, 0, 0, 0}
	binary.BigEndian.PutUint16(b[3:], uint16(size+handshakeHeader))
	binary.BigEndian.PutUint16(b[7:], uint16(size))
	return append(b, make([]byte, size)...)
}

// backend is a server at the other side of the balancer.
type backend struct {
	t        *testing.T
	name     string
	listener net.Listener
	accepted chan net.Conn // those that nobody serves
	wg       sync.WaitGroup
}

// newBackend takes connections; serve may be nil, and closes its connection or leaves it to the test's end.
func newBackend(t *testing.T, name string, serve func(net.Conn)) *backend {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return newBackendOn(t, name, listener, serve)
}

func newBackendOn(t *testing.T, name string, listener net.Listener, serve func(net.Conn)) *backend {
	be := &backend{t: t, name: name, listener: listener, accepted: make(chan net.Conn, 2000)}
	be.wg.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			if serve == nil {
				be.accepted <- conn
				continue
			}
			be.wg.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close() })
	return be
}

// named answers the first bytes of a connection with a name and echoes what follows.
func named(name string) func(net.Conn) {
	return func(conn net.Conn) {
		buffer := make([]byte, helloSize)
		if _, err := conn.Read(buffer); err != nil {
			_ = conn.Close()
			return
		}
		_, _ = io.WriteString(conn, name)
		_, _ = io.Copy(conn, conn)
		_ = conn.Close()
	}
}

func (be *backend) target() Target {
	addr := be.listener.Addr()
	return Target{Name: be.name, Network: addr.Network(), Address: addr.String()}
}

func (be *backend) next() net.Conn {
	be.t.Helper()
	select {
	case conn := <-be.accepted:
		return conn
	case <-time.After(patience):
		be.t.Fatalf("target %s was not connected to", be.name)
		return nil
	}
}

// gone is a target where nobody listens.
func gone(t *testing.T, name string) Target {
	t.Helper()
	be := newBackend(t, name, nil)
	target := be.target()
	_ = be.listener.Close()
	be.wg.Wait()
	return target
}

// health is a Check whose results a test sets.
type health struct {
	mu     sync.Mutex
	errors map[string]error
}

func (h *health) set(name string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.errors == nil {
		h.errors = make(map[string]error)
	}
	h.errors[name] = err
}

func (h *health) check(_ context.Context, t Target) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.errors[t.Name]
}

// start starts a balancer that a test kills at its end. The default health check finds every target healthy once, and
// then says nothing, so that what else the balancer learns stays as it is.
func start(t testing.TB, cfg Config) *Balancer {
	t.Helper()
	if cfg.Name == "" {
		cfg.Name = "test"
	}
	waits := cfg.Check == nil
	if waits {
		var seen sync.Map
		cfg.Check = func(_ context.Context, target Target) error {
			if _, again := seen.LoadOrStore(target.Name, true); again {
				return syscall.EMFILE
			}
			return nil
		}
		cfg.Interval = time.Hour
	}
	b := New(cfg)
	if err := b.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Kill)
	if tt, ok := t.(*testing.T); ok && waits {
		for _, target := range cfg.Targets {
			awaitHealth(tt, b, target.Name, true)
		}
	}
	return b
}

func status(t *testing.T, b *Balancer, name string) TargetStatus {
	t.Helper()
	for _, s := range b.Snapshot() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no target %s", name)
	return TargetStatus{}
}

func awaitHealth(t *testing.T, b *Balancer, name string, want bool) {
	t.Helper()
	eventually(t, func() string {
		if s := status(t, b, name); s.Healthy != want {
			return fmt.Sprintf("want healthy %v, got %+v", want, s)
		}
		return ""
	})
}

// awaitOpen waits until so many connections are open to all targets together.
func awaitOpen(t *testing.T, b *Balancer, want int) {
	t.Helper()
	eventually(t, func() string {
		got := 0
		for _, s := range b.Snapshot() {
			got += s.Open
		}
		if got != want {
			return fmt.Sprintf("want %d open connections, got %d", want, got)
		}
		return ""
	})
}

func dial(t *testing.T, b *Balancer) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

func send(t *testing.T, conn net.Conn, b []byte) {
	t.Helper()
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
}

// expect reads exactly what is wanted.
func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	got := make([]byte, len(want))
	n, err := io.ReadFull(conn, got)
	if err != nil || string(got) != want {
		t.Fatalf("got %q, %v, want %q", got[:n], err, want)
	}
}

func expectReset(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("got %d bytes, %v, want a reset", n, err)
	}
}

// expectNothing watches a connection for a while.
func expectNothing(t *testing.T, conn net.Conn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(longEnough))
	if n, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("got %d bytes, %v, want silence", n, err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(patience))
}

// answeredBy opens a TLS-like connection and returns who answers.
func answeredBy(t *testing.T, b *Balancer) string {
	t.Helper()
	conn := dial(t, b)
	send(t, conn, clientHello(100))
	name := make([]byte, 1)
	if _, err := io.ReadFull(conn, name); err != nil {
		t.Fatalf("new connection: %v", err)
	}
	_ = conn.Close()
	return string(name)
}
