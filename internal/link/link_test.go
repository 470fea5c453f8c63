package link

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// both is a fault of both directions.
func both(e Effect) Pair { return Pair{Out: Effects{e}, In: Effects{e}} }

// overTCP returns a link with a connection on it, and the connection's other end.
func overTCP(t *testing.T) (*Link, net.Conn, *net.TCPConn) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	l := New()
	near, err := l.Dial(t.Context(), func(ctx context.Context) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String())
	})
	if err != nil {
		t.Fatal(err)
	}
	far, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Shut(); near.Close(); far.Close() })
	return l, near, far.(*net.TCPConn)
}

// overPipe is overTCP in memory, for tests on synctest's clock.
func overPipe(l *Link) (near net.Conn, far net.Conn) {
	ours, theirs := net.Pipe()
	return l.Take(ours), theirs
}

// TestNothingIsLostWhileFaultsComeAndGo: what is written arrives, in order, whatever happens on the link meanwhile.
func TestNothingIsLostWhileFaultsComeAndGo(t *testing.T) {
	l, near, far := overTCP(t)
	client, server := tcpPair(t) // so that both ways are copied in bulk, as a gateway does
	const size = 32 << 20
	sum := func(seed uint64) (send func(net.Conn), want [32]byte) {
		data := make([]byte, size)
		r := rand.NewChaCha8([32]byte{byte(seed)})
		r.Read(data)
		return func(to net.Conn) {
			io.Copy(to, bytes.NewReader(data))
			to.(interface{ CloseWrite() error }).CloseWrite()
		}, sha256.Sum256(data)
	}
	up, wantUp := sum(1)
	down, wantDown := sum(2)
	go up(client)
	go down(far)
	var copies sync.WaitGroup
	copies.Go(func() { io.Copy(near, server); near.(*Conn).CloseWrite() })
	copies.Go(func() { io.Copy(server, near); server.CloseWrite() })
	var got [2][32]byte
	var readers sync.WaitGroup
	for i, from := range []io.Reader{far, client} {
		readers.Go(func() {
			h := sha256.New()
			io.Copy(h, from)
			h.Sum(got[i][:0])
		})
	}
	done := make(chan struct{})
	go func() { readers.Wait(); close(done) }()
	effects := []Effect{{}, {Drop: true}, {Latency: time.Millisecond, Jitter: time.Millisecond}, {Bandwidth: 64 << 20}, {}}
	for deadline := time.After(time.Minute); ; {
		select {
		case <-done:
			if got != [2][32]byte{wantUp, wantDown} {
				t.Error("what arrived is not what was sent")
			}
			copies.Wait()
			return
		case <-deadline:
			t.Fatal("the copies do not end")
		case <-time.After(time.Duration(rand.IntN(3000)) * time.Microsecond):
			l.Set(Pair{Out: Effects{effects[rand.IntN(len(effects))]}, In: Effects{effects[rand.IntN(len(effects))]}})
		}
	}
}

func tcpPair(t *testing.T) (*net.TCPConn, *net.TCPConn) {
	t.Helper()
	_, near, far := overTCP(t)
	return near.(*Conn).Conn.(*net.TCPConn), far
}

func TestACutLinkIsSilentAndDeliversWhenItIsMended(t *testing.T) {
	l, near, far := overTCP(t)
	go func() { far.Write([]byte("before")) }()
	buffer := make([]byte, 16)
	if n, err := near.Read(buffer); string(buffer[:n]) != "before" {
		t.Fatal(n, err)
	}
	l.Set(both(Effect{Drop: true}))
	if _, err := near.Write([]byte("ping")); err != nil {
		t.Fatal("a sender notices:", err)
	}
	far.Write([]byte("pong"))
	near.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := near.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the near end hears:", err)
	}
	far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := far.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the far end hears:", err)
	}
	asking, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := l.Dial(asking, nil); !errors.Is(err, ErrFault) || !errors.Is(err, context.DeadlineExceeded) {
		t.Error("a new connection:", err)
	}
	near.Close() // the far end is not to learn it
	far.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	if _, err := far.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the far end learns of the end:", err)
	}
	l.Set(Pair{})
	far.SetReadDeadline(time.Time{})
	got, err := io.ReadAll(far)
	if reset := errors.Is(err, syscall.ECONNRESET); string(got) != "ping" || !reset { // pong is not read
		t.Errorf("the far end gets %q, %v", got, err)
	}
}

func TestAFaultInterruptsWhoReads(t *testing.T) {
	l, near, far := overTCP(t)
	got := make(chan string, 1)
	go func() {
		buffer := make([]byte, 16)
		n, err := near.Read(buffer)
		if err != nil {
			got <- err.Error()
		}
		got <- string(buffer[:n])
	}()
	for range 100 { // whenever the reader begins
		l.Set(both(Effect{Drop: true}))
		l.Set(Pair{})
		l.Set(both(Effect{Latency: time.Microsecond}))
	}
	far.Write([]byte("hello"))
	if text := <-got; text != "hello" {
		t.Error(text)
	}
}

func TestALinkThatRejectsResets(t *testing.T) {
	l, near, far := overTCP(t)
	failed := make(chan error, 1)
	go func() { _, err := near.Read(make([]byte, 1)); failed <- err }()
	l.Set(Pair{Out: Effects{Effect{Reject: true}}})
	if err := <-failed; !errors.Is(err, syscall.ECONNRESET) {
		t.Error("who reads:", err)
	}
	if _, err := near.Write([]byte("x")); !errors.Is(err, syscall.ECONNRESET) {
		t.Error("who writes:", err)
	}
	if _, err := io.Copy(near, far); !errors.Is(err, syscall.ECONNRESET) {
		t.Error("who copies:", err)
	}
	if _, err := l.Dial(t.Context(), nil); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Error("a new connection:", err)
	}
}

// TestLatencyDelaysAndKeepsTheOrder: much is under way at the same time.
func TestLatencyDelaysAndKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		defer l.Shut()
		l.Set(both(Effect{Latency: 100 * time.Millisecond, Jitter: 20 * time.Millisecond}))
		near, far := overPipe(l)
		begun := time.Now()
		go func() {
			for i := range 10 {
				near.Write([]byte{byte(i)})
			}
			near.Close()
		}()
		all, err := io.ReadAll(far)
		if !bytes.Equal(all, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) || err != nil {
			t.Error(all, err)
		}
		if took := time.Since(begun); took < 80*time.Millisecond || took > 120*time.Millisecond {
			t.Errorf("it took %v", took)
		}
		begun = time.Now()
		if err := l.await(t.Context(), 0); err != nil || time.Since(begun) < 160*time.Millisecond {
			t.Errorf("a connection opens after %v, not after a round trip: %v", time.Since(begun), err)
		}
	})
}

func TestConnectionsShareTheBandwidth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		defer l.Shut()
		l.Set(Pair{Out: Effects{Effect{Bandwidth: 1 << 20}}})
		var readers sync.WaitGroup
		begun := time.Now()
		for range 4 {
			near, far := overPipe(l)
			go func() { near.Write(make([]byte, 1<<20)); near.Close() }()
			readers.Go(func() { io.Copy(io.Discard, far) })
		}
		readers.Wait()
		if took := time.Since(begun).Seconds(); took < 3.9 || took > 4.1 {
			t.Errorf("4 MiB took %.2f s at 1 MiB/s", took)
		}
	})
}

// TestOneWayIsBothWaysSoon: TCP needs acknowledgements.
func TestOneWayIsBothWaysSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		defer l.Shut()
		near, far := overPipe(l)
		l.Set(Pair{Out: Effects{{Drop: true}}})
		go far.Write([]byte("at once"))
		buffer := make([]byte, 16)
		if n, err := near.Read(buffer); string(buffer[:n]) != "at once" {
			t.Errorf("before the time-out %q arrives, %v", buffer[:n], err)
		}
		time.Sleep(firstResend)
		synctest.Wait()
		go far.Write([]byte("later"))
		near.SetReadDeadline(time.Now().Add(time.Hour))
		if n, err := near.Read(buffer); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after it %q arrives, %v", buffer[:n], err)
		}
		l.Set(Pair{})
		near.SetReadDeadline(time.Time{})
		if n, err := near.Read(buffer); string(buffer[:n]) != "later" {
			t.Errorf("healed, %q arrives, %v", buffer[:n], err)
		}
	})
}

// TestLossStalls: of 1,000 segments, one each, some 100 are sent again after 200 ms, 10 of them twice.
func TestLossStalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New()
		defer l.Shut()
		l.Set(Pair{Out: Effects{Effect{Loss: 0.1}}})
		near, far := overPipe(l)
		begun := time.Now()
		for range 1000 {
			near.Write([]byte{1})
			far.Read(make([]byte, 1))
		}
		// 1000 * 0.1 * 0.2 s, and 0.4 s more for each tenth of these, and so on: 25 s
		if took := time.Since(begun).Seconds(); took < 15 || took > 40 {
			t.Errorf("it took %.1f s", took)
		}
	})
}

func TestAShareOfTheConnections(t *testing.T) {
	l := New()
	l.Set(both(Effect{Reject: true, Share: 0.3}))
	refused := 0
	for range 2000 {
		if _, err := l.Dial(t.Context(), func(context.Context) (net.Conn, error) { return nil, io.EOF }); errors.Is(err, ErrFault) {
			refused++
		}
	}
	if refused < 500 || refused > 700 {
		t.Errorf("%d of 2000 are refused, want some 600", refused)
	}
}

// TestASenderWaitsWhenTheQueueIsFull: what stalls is bounded.
func TestASenderWaitsWhenTheQueueIsFull(t *testing.T) {
	l, near, _ := overTCP(t)
	l.Set(both(Effect{Drop: true}))
	near.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
	n, err := near.Write(make([]byte, 4<<20))
	if !errors.Is(err, os.ErrDeadlineExceeded) || n < mostQueued || n > mostQueued+chunk {
		t.Errorf("%d bytes are taken, %v", n, err)
	}
}

// TestTwoLinksInARow: a connection from one link to another, as a load balancer's.
func TestTwoLinksInARow(t *testing.T) {
	one, from, client := overTCP(t)
	two, to, target := overTCP(t)
	go func() { io.Copy(to, from); to.(*Conn).CloseWrite() }()
	go func() {
		for i := range 100 {
			client.Write([]byte{byte(i)})
			[]*Link{one, two}[i%2].Set(both(Effect{Latency: time.Duration(i%3) * time.Millisecond}))
		}
		client.CloseWrite()
	}()
	all, err := io.ReadAll(target)
	if len(all) != 100 || err != nil {
		t.Errorf("%d bytes, %v", len(all), err)
	}
}
