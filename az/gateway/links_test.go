package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
	"testing"
	"time"

	"tripod/internal/link"
)

// TestALinksFaultIsOnWhatCrossesIt: what is open stalls and goes on, new connections wait, and the zone's own traffic is untouched.
func TestALinksFaultIsOnWhatCrossesIt(t *testing.T) {
	g := newTestGateway(t)
	tunnel, _, _ := connect(t, "unix", g.unix, "there:1", "")
	own, _, _ := connect(t, "unix", g.unix, "here:1", "")
	direct, err := g.Dial(t.Context(), "there:1")
	if err != nil {
		t.Fatal(err)
	}
	defer direct.Close()
	for _, conn := range []net.Conn{tunnel, own, direct} {
		talk(t, conn)
	}
	cut := link.Pair{Out: link.Effects{{Drop: true}}}
	g.SetLinks(link.Settings{Number: 1, Links: link.Pairs{"us-east-1b": cut}})
	for _, conn := range []net.Conn{tunnel, direct} {
		io.WriteString(conn, "ping")
		conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
		if n, err := conn.Read(make([]byte, 4)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes cross a link that is cut: %v", n, err)
		}
		conn.SetReadDeadline(time.Time{})
	}
	talk(t, own)
	waiting, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := g.Dial(waiting, "there:1"); !errors.Is(err, link.ErrFault) || Gone(err) {
		t.Errorf("a new connection: %v", err)
	}
	g.SetLinks(link.Settings{Number: 3})
	g.SetLinks(link.Settings{Number: 2, Links: link.Pairs{"us-east-1b": cut}}) // it was overtaken
	for _, conn := range []net.Conn{tunnel, direct} {
		if _, err := io.ReadFull(conn, make([]byte, 4)); err != nil {
			t.Errorf("what was sent does not arrive: %v", err)
		}
		talk(t, conn)
	}
	g.SetLinks(link.Settings{Number: 4, Links: link.Pairs{"us-east-1b": {In: link.Effects{{Reject: true}}}}})
	if _, err := tunnel.Read(make([]byte, 4)); err == nil {
		t.Error("a tunnel outlives the reset of its connection")
	}
	if _, status, said := connect(t, "unix", g.unix, "there:1", ""); status != http.StatusBadGateway {
		t.Errorf("a new tunnel: %d, %s", status, said)
	}
	talk(t, own)
}

// TestWhoIsGone is not who is behind a link that refuses: that one may live.
func TestWhoIsGone(t *testing.T) {
	refused := fmt.Errorf("dial: %w", syscall.ECONNREFUSED)
	for err, want := range map[error]bool{
		refused: true, fmt.Errorf("there:1 %w", errUnreachable): true, fmt.Errorf("%w: %w", link.ErrFault, syscall.ECONNREFUSED): false,
		context.DeadlineExceeded: false, io.EOF: false,
	} {
		if got := Gone(err); got != want {
			t.Errorf("%v: got %t", err, got)
		}
	}
}
