package lb

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestConnectionsGoRoundTheHealthyTargets(t *testing.T) {
	var targets []Target
	for _, name := range []string{"a", "b", "c"} {
		targets = append(targets, newBackend(t, name, named(name)).target())
	}
	b := start(t, Config{Targets: targets})
	b.MarkDown("b", "killed")
	got := ""
	for range 6 {
		got += answeredBy(t, b)
	}
	if got != "acacac" {
		t.Errorf("connections went to %q, want acacac", got)
	}
}

func TestRefusedDialMarksTargetAndReachesAnother(t *testing.T) {
	b := start(t, Config{Targets: []Target{gone(t, "a"), newBackend(t, "b", named("b")).target()}})
	for range 2 {
		if got := answeredBy(t, b); got != "b" {
			t.Fatalf("answered by %q, want b", got)
		}
	}
	if s := status(t, b, "a"); s.Healthy || s.Reason != "refuses connections" {
		t.Errorf("target a is %+v, want it to be unhealthy", s)
	}
}

func TestNewConnectionSurvivesDeathOfItsTarget(t *testing.T) {
	for name, die := range map[string]func(net.Conn){"reset": reset, "closed": func(c net.Conn) { _ = c.Close() }} {
		t.Run(name, func(t *testing.T) {
			a := newBackend(t, "a", func(conn net.Conn) {
				_, _ = conn.Read(make([]byte, helloSize))
				die(conn)
			})
			got := make(chan []byte, 1)
			c := newBackend(t, "b", func(conn net.Conn) {
				buffer := make([]byte, helloSize)
				n, _ := conn.Read(buffer)
				got <- buffer[:n]
				_, _ = io.WriteString(conn, "welcome")
			})
			b := start(t, Config{Targets: []Target{a.target(), c.target()}})
			conn := dial(t, b)
			send(t, conn, clientHello(300))
			expect(t, conn, "welcome")
			if !bytes.Equal(<-got, clientHello(300)) {
				t.Error("the second target got other bytes than the client sent")
			}
		})
	}
}

func TestNewConnectionLeavesATargetThatIsMarkedDown(t *testing.T) {
	a, c := newBackend(t, "a", nil), newBackend(t, "b", named("b"))
	b := start(t, Config{Targets: []Target{a.target(), c.target()}, FirstByteDeadline: time.Hour})
	conn := dial(t, b)
	send(t, conn, clientHello(100))
	a.next()
	awaitOpen(t, b, 1)
	b.MarkDown("a", "killed")
	expect(t, conn, "b")
}

func TestSilentTargetIsReplacedBeforeFirstByte(t *testing.T) {
	a, c := newBackend(t, "a", nil), newBackend(t, "b", named("b"))
	b := start(t, Config{Targets: []Target{a.target(), c.target()}, FirstByteDeadline: 20 * time.Millisecond,
		Thresholds: Thresholds{Failing: 1}})
	if got := answeredBy(t, b); got != "b" {
		t.Fatalf("answered by %q, want b", got)
	}
	if a := status(t, b, "a"); a.Total != 1 {
		t.Errorf("target a is %+v, want it to have been tried once", a)
	}
}

func TestSlowAnswerArrivesWhenNobodyElseIsThere(t *testing.T) {
	a := newBackend(t, "a", nil)
	b := start(t, Config{Targets: []Target{a.target(), gone(t, "b")}, FirstByteDeadline: 10 * time.Millisecond})
	b.MarkDown("b", "killed")
	conn := dial(t, b)
	send(t, conn, clientHello(100))
	server := a.next()
	expectNothing(t, conn)
	send(t, server, []byte("at last"))
	expect(t, conn, "at last")
}

func TestSilenceAfterHalfAHelloIsNotTheTargetsFault(t *testing.T) {
	a, c := newBackend(t, "a", nil), newBackend(t, "b", nil)
	b := start(t, Config{Targets: []Target{a.target(), c.target()}, FirstByteDeadline: 10 * time.Millisecond})
	conn := dial(t, b)
	hello := clientHello(100)
	send(t, conn, hello[:50])
	server := a.next()
	expectNothing(t, conn)
	if s := status(t, b, "b"); s.Total != 0 {
		t.Errorf("target b is %+v, want it untouched", s)
	}
	_ = server
}

func TestPlaintextRequestIsNeverSentTwice(t *testing.T) {
	const request = "POST /clusters HTTP/1.1\r\n\r\n"
	a, c := newBackend(t, "a", nil), newBackend(t, "b", nil)
	b := start(t, Config{Targets: []Target{a.target(), c.target()}, FirstByteDeadline: 10 * time.Millisecond})
	conn := dial(t, b)
	send(t, conn, []byte(request))
	server := a.next()
	expect(t, server, request)
	expectNothing(t, conn) // a slow answer is waited for
	reset(server)
	expectReset(t, conn)
	if s := status(t, b, "b"); s.Total != 0 {
		t.Errorf("the request went to %+v, too", s)
	}
}

func TestEarlyDataIsNeverSentTwice(t *testing.T) {
	a, c := newBackend(t, "a", nil), newBackend(t, "b", nil)
	b := start(t, Config{Targets: []Target{a.target(), c.target()}})
	conn := dial(t, b)
	early := append(clientHello(100), 23, 3, 3, 0, 4, 'P', 'O', 'S', 'T')
	send(t, conn, early)
	server := a.next()
	expect(t, server, string(early))
	reset(server)
	expectReset(t, conn)
	if s := status(t, b, "b"); s.Total != 0 {
		t.Errorf("early data went to %+v, too", s)
	}
}

func TestClientThatWaitsForTheServerIsConnected(t *testing.T) {
	a := newBackend(t, "a", func(conn net.Conn) { _, _ = io.WriteString(conn, "220 at your service") })
	b := start(t, Config{Targets: []Target{a.target()}})
	expect(t, dial(t, b), "220 at your service")
}

func TestClientThatHasSaidNothingMovesWhenItsTargetDies(t *testing.T) {
	for name, request := range map[string][]byte{"tls": clientHello(10), "plaintext": []byte("GET / HTTP/1.1\r\n\r\n")} {
		t.Run(name, func(t *testing.T) {
			a, c := newBackend(t, "a", nil), newBackend(t, "b", named("b"))
			b := start(t, Config{Targets: []Target{a.target(), c.target()}})
			conn := dial(t, b)
			reset(a.next())
			send(t, conn, request)
			expect(t, conn, "b")
		})
	}
}

func TestClientThatHangsUpFreesItsTarget(t *testing.T) {
	for name, hangUp := range map[string]func(net.Conn){"reset": reset, "closed": func(c net.Conn) { _ = c.Close() }} {
		t.Run(name, func(t *testing.T) {
			a := newBackend(t, "a", nil)
			b := start(t, Config{Targets: []Target{a.target()}, FirstByteDeadline: time.Hour})
			conn := dial(t, b)
			send(t, conn, clientHello(100))
			a.next()
			awaitOpen(t, b, 1)
			hangUp(conn)
			awaitOpen(t, b, 0)
		})
	}
}

func TestOpeningOfAnyLengthArrivesWhole(t *testing.T) {
	for _, size := range []int{1, helloSize - 9, helloSize, 60000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			a := newBackend(t, "a", nil)
			b := start(t, Config{Targets: []Target{gone(t, "b"), a.target()}})
			conn := dial(t, b)
			hello := clientHello(size)
			go func() { _, _ = conn.Write(hello) }()
			server := a.next()
			expect(t, server, string(hello))
			send(t, server, []byte("fine"))
			expect(t, conn, "fine")
		})
	}
}

func TestHalfClosedConnectionStaysOpenTheOtherWay(t *testing.T) {
	a := newBackend(t, "a", nil)
	b := start(t, Config{Targets: []Target{a.target()}})
	conn := dial(t, b)
	send(t, conn, []byte("question"))
	_ = conn.CloseWrite()
	server := a.next()
	if got, err := io.ReadAll(server); string(got) != "question" || err != nil {
		t.Fatalf("target read %q, %v", got, err)
	}
	send(t, server, []byte("answer"))
	_ = server.Close()
	if got, err := io.ReadAll(conn); string(got) != "answer" || err != nil {
		t.Fatalf("client read %q, %v", got, err)
	}
	awaitOpen(t, b, 0)

	conn = dial(t, b)
	send(t, conn, clientHello(10))
	server = a.next()
	expect(t, server, string(clientHello(10)))
	_, _ = io.WriteString(server, "bye")
	_ = server.(*net.TCPConn).CloseWrite()
	if got, err := io.ReadAll(conn); string(got) != "bye" || err != nil {
		t.Fatalf("client read %q, %v", got, err)
	}
	send(t, conn, []byte("and thanks"))
	_ = conn.CloseWrite()
	if got, err := io.ReadAll(server); string(got) != "and thanks" || err != nil {
		t.Fatalf("target read %q, %v", got, err)
	}
	awaitOpen(t, b, 0)
}

func TestConnectionsToDeadTargetAreReset(t *testing.T) {
	a, c := newBackend(t, "a", named("a")), newBackend(t, "b", named("b"))
	b := start(t, Config{Targets: []Target{a.target(), c.target()}})
	conns := map[string]*net.TCPConn{}
	for _, name := range []string{"a", "b"} {
		conn := dial(t, b)
		send(t, conn, clientHello(10))
		expect(t, conn, name)
		conns[name] = conn
	}
	b.MarkDown("a", "killed")
	expectReset(t, conns["a"])
	send(t, conns["b"], []byte("still there?"))
	expect(t, conns["b"], "still there?")
}

func TestConnectionsToPausedTargetAreReset(t *testing.T) {
	var h health
	a, w := newBackend(t, "a", named("a")), newBackend(t, "witness", named("witness"))
	h.set("witness", &AnswerError{Code: 500}) // until the client has its connection to a
	b := start(t, Config{Targets: []Target{a.target(), w.target()}, Check: h.check, Interval: time.Millisecond})
	awaitHealth(t, b, "a", true)
	conn := dial(t, b)
	send(t, conn, clientHello(10))
	expect(t, conn, "a")
	h.set("witness", nil)
	awaitHealth(t, b, "witness", true)
	h.set("a", context.DeadlineExceeded)
	expectReset(t, conn)
	awaitHealth(t, b, "a", false)
}

func TestConnectionsAreKeptWhenAllTargetsAreSilent(t *testing.T) {
	var h health
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Targets: []Target{a.target()}, Check: h.check, Interval: time.Millisecond})
	awaitHealth(t, b, "a", true)
	conn := dial(t, b)
	send(t, conn, clientHello(10))
	expect(t, conn, "a")
	h.set("a", context.DeadlineExceeded)
	awaitHealth(t, b, "a", false)
	send(t, conn, []byte("still there?"))
	expect(t, conn, "still there?")
}

func TestConnectionsToUnreadyTargetAreKept(t *testing.T) {
	var h health
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Targets: []Target{a.target()}, Check: h.check, Interval: time.Millisecond})
	awaitHealth(t, b, "a", true)
	conn := dial(t, b)
	send(t, conn, clientHello(10))
	expect(t, conn, "a")
	h.set("a", &AnswerError{Code: 500, Body: "etcd failed"})
	awaitHealth(t, b, "a", false)
	send(t, conn, []byte("still there?"))
	expect(t, conn, "still there?")
	h.set("a", syscall.ECONNREFUSED) // until it is dead
	expectReset(t, conn)
}

func TestFailsOpenWhenNoTargetIsHealthy(t *testing.T) {
	var h health
	a, c := newBackend(t, "a", named("a")), gone(t, "b")
	h.set("a", &AnswerError{Code: 500})
	h.set("b", syscall.ECONNREFUSED)
	b := start(t, Config{Targets: []Target{c, a.target()}, Check: h.check, Interval: time.Millisecond})
	eventually(t, func() string {
		if a, c := status(t, b, "a"), status(t, b, "b"); a.Reason == notChecked || c.Reason == notChecked {
			return fmt.Sprintf("%+v, %+v", a, c)
		}
		return ""
	})
	for range 3 {
		if got := answeredBy(t, b); got != "a" {
			t.Errorf("answered by %q, want a", got)
		}
	}
	if s := status(t, b, "b"); s.Total != 0 || b.targets[0].dialFailures.Load() != 0 {
		t.Errorf("target b is %+v, want it left alone while a server lives that can say what is wrong", s)
	}
}

func TestClientIsResetWhenNobodyCanBeReached(t *testing.T) {
	b := start(t, Config{Targets: []Target{gone(t, "a"), gone(t, "b")}})
	conn := dial(t, b)
	send(t, conn, clientHello(10))
	expectReset(t, conn)
}

func TestSpliceableConnsAreUnwrapped(t *testing.T) {
	unix, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	for _, be := range []*backend{newBackend(t, "a", named("a")), newBackendOn(t, "a", unix, named("a"))} {
		b := start(t, Config{Targets: []Target{be.target()}})
		conn := dial(t, b)
		send(t, conn, clientHello(10))
		expect(t, conn, "a")
		b.run.mu.Lock()
		for f := range b.run.flows {
			if _, ok := f.client.(*net.TCPConn); !ok {
				t.Errorf("client's connection is a %T", f.client)
			}
			f.mu.Lock()
			switch f.leg.conn.(type) {
			case *net.TCPConn, *net.UnixConn:
			default:
				t.Errorf("target's connection is a %T", f.leg.conn)
			}
			f.mu.Unlock()
		}
		b.run.mu.Unlock()
		send(t, conn, []byte("echo"))
		expect(t, conn, "echo")
	}
}

func TestManyConnectionsAtOnceEndClean(t *testing.T) {
	const n = 500
	a, c := newBackend(t, "a", named("x")), newBackend(t, "b", named("x"))
	b := start(t, Config{Targets: []Target{a.target(), c.target()}})
	conns := make([]*net.TCPConn, n)
	for i := range conns {
		conns[i] = dial(t, b)
		send(t, conns[i], clientHello(10))
	}
	for _, conn := range conns {
		expect(t, conn, "x")
	}
	awaitOpen(t, b, n)
	b.MarkDown("a", "killed")
	awaitOpen(t, b, n/2)
	for _, conn := range conns {
		_ = conn.Close()
	}
	awaitOpen(t, b, 0)
}
