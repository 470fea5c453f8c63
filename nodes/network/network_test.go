package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/internal/link"
)

// serve answers on a unix socket until the test's end and returns what dials it.
func serve(t *testing.T, handle Handler) func() net.Conn {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "vpc.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- Serve(l, handle) }()
	t.Cleanup(func() {
		l.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return func() net.Conn {
		conn, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		return conn
	}
}

func TestConnectionsLeadToWhoHasTheAddress(t *testing.T) {
	from, to := netip.MustParseAddrPort("10.0.0.20:40000"), netip.MustParseAddrPort("10.0.32.9:8080")
	dial := serve(t, func(_ context.Context, from, to netip.AddrPort) (Answer, error) {
		switch to.Port() {
		case 8080:
			return func(conn net.Conn) {
				defer conn.Close()
				fmt.Fprintf(conn, "%v calls %v", from, to)
			}, nil
		case 22:
			return nil, fmt.Errorf("port 22: %w", ErrNotAllowed)
		case 23:
			return nil, errors.New("nothing\nlistens")
		}
		return nil, ErrNoAddress
	})
	conn := dial()
	if err := Connect(t.Context(), conn, from, to); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if want := "10.0.0.20:40000 calls 10.0.32.9:8080"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	for port, want := range map[uint16]error{22: ErrNotAllowed, 24: ErrNoAddress} {
		if err := Connect(t.Context(), dial(), netip.AddrPort{}, netip.AddrPortFrom(to.Addr(), port)); !errors.Is(err, want) {
			t.Errorf("port %d: got %v, want %v", port, err, want)
		}
	}
	err = Connect(t.Context(), dial(), from, netip.AddrPortFrom(to.Addr(), 23))
	if err == nil || err.Error() != "nothing listens" {
		t.Errorf("got %v", err)
	}
}

func TestWhoAsksForNothingIsRefused(t *testing.T) {
	dial := serve(t, func(context.Context, netip.AddrPort, netip.AddrPort) (Answer, error) {
		t.Error("somebody was asked for")
		return nil, ErrNoAddress
	})
	for question, want := range map[string]string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\n":     "HTTP/1.1 502 GET is not CONNECT\r\n\r\n",
		"CONNECT web:80 HTTP/1.1\r\n\r\n":       "HTTP/1.1 502 ParseAddr(\"web\"): unable to parse IP\r\n\r\n",
		"CONNECT\r\n\r\n":                       "HTTP/1.1 502 malformed HTTP request \"CONNECT\"\r\n\r\n",
		strings.Repeat("x", mostQuestion+1<<10): "", // what is not read of it resets the connection
	} {
		conn := dial()
		go io.WriteString(conn, question)
		got, err := io.ReadAll(conn)
		if want != "" && (err != nil || string(got) != want) || want == "" && strings.HasPrefix(string(got), "HTTP/1.1 2") {
			t.Errorf("%.20q: got %q, %v, want %q", question, got, err, want)
		}
	}
}

func TestWhoIsWaitedForIsInNobodysWay(t *testing.T) {
	hole, web := netip.MustParseAddrPort("10.0.32.9:80"), netip.MustParseAddrPort("10.0.32.10:80")
	waits := make(chan struct{}, 2*mostAsking)
	dial := serve(t, func(ctx context.Context, _, to netip.AddrPort) (Answer, error) {
		if to == hole {
			waits <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		return func(conn net.Conn) { conn.Close() }, nil
	})
	for range mostAsking + 10 {
		if _, err := fmt.Fprintf(dial(), "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n\r\n", hole); err != nil {
			t.Fatal(err)
		}
		<-waits
	}
	if err := Connect(t.Context(), dial(), netip.AddrPort{}, web); err != nil {
		t.Errorf("another address, while many wait for a black hole: %v", err)
	}
}

func TestConnectEndsWithItsContext(t *testing.T) {
	near, far := net.Pipe()
	defer near.Close()
	defer far.Close()
	go io.Copy(io.Discard, far)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := Connect(ctx, near, netip.AddrPort{}, netip.MustParseAddrPort("10.0.0.9:80")); err == nil {
		t.Error("Connect succeeded without an answer")
	}
}

func TestFeedAcceptsWhatItIsHanded(t *testing.T) {
	f := NewFeed(&net.TCPAddr{})
	near, far := net.Pipe()
	defer near.Close()
	go f.Hand(far)
	if conn, err := f.Accept(); err != nil || conn != far {
		t.Errorf("got %v, %v", conn, err)
	}
	f.Close()
	f.Close()
	if _, err := f.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept after Close: %v", err)
	}
	if err := f.Hand(far); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Hand after Close: %v", err)
	}
}

func TestPipesEndOneDirectionAlone(t *testing.T) {
	near, far := Pipe()
	defer near.Close()
	defer far.Close()
	read := make(chan string, 1)
	go func() {
		got, err := io.ReadAll(far)
		far.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(far, "answer")
		far.Close()
		read <- fmt.Sprint(string(got), err)
	}()
	io.WriteString(near, "question")
	if err := link.CloseWrite(near); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(near); string(got) != "answer" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	if got := <-read; got != "question<nil>" {
		t.Errorf("the far end read %s", got)
	}
}
