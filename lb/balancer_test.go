package lb

import (
	"context"
	"errors"
	"net"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestStopBeforeStartDoesNothing(t *testing.T) {
	b := New(Config{Name: "test", Targets: []Target{gone(t, "a")}})
	if err := b.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	b.Kill()
	if err := b.Start(context.Background()); err != nil {
		t.Fatalf("start after that: %v", err)
	}
	b.Kill()
}

func TestStopTwiceAtOnce(t *testing.T) {
	b := start(t, Config{Targets: []Target{newBackend(t, "a", nil).target()}})
	send(t, dial(t, b), clientHello(10))
	awaitOpen(t, b, 1)
	var wg sync.WaitGroup
	wg.Go(func() { _ = b.Stop(context.Background()) }) // waits for the connection
	wg.Go(func() { b.Kill() })                         // does not
	wg.Wait()
	if err := b.Stop(context.Background()); err != nil {
		t.Error(err)
	}
}

func TestStartTwiceIsRefused(t *testing.T) {
	b := start(t, Config{Targets: []Target{gone(t, "a")}})
	if err := b.Start(context.Background()); !errors.Is(err, ErrStarted) {
		t.Errorf("second start: %v", err)
	}
}

func TestStartAfterStopServesTheSamePort(t *testing.T) {
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Targets: []Target{a.target()}, Registerer: prometheus.NewRegistry()})
	before := b.Addr().String()
	if err := b.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := net.Dial("tcp", before); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dial while stopped: %v", err)
	}
	if s := status(t, b, "a"); s.Healthy {
		t.Error("target is called healthy while nobody looks after it")
	}
	if err := b.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got := b.Addr().String(); got != before {
		t.Errorf("listens on %s, before on %s", got, before)
	}
	if got := answeredBy(t, b); got != "a" {
		t.Errorf("answered by %q", got)
	}
}

func TestStartAfterStopWithAGivenListenerIsRefused(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, Config{Targets: []Target{gone(t, "a")}, Listener: listener})
	b.Kill()
	if err := b.Start(context.Background()); !errors.Is(err, ErrListenerUsed) {
		t.Errorf("start: %v", err)
	}
}

func TestFailedStartLeavesNothingBehind(t *testing.T) {
	taken := newBackend(t, "x", nil)
	registry := prometheus.NewRegistry()
	b := New(Config{Name: "test", Targets: []Target{gone(t, "a")}, Address: taken.target().Address, Registerer: registry})
	err := b.Start(context.Background())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.HasPrefix(err.Error(), "balancer test: start: ") {
		t.Errorf("start: %v", err)
	}
	if got, _ := registry.Gather(); len(got) != 0 {
		t.Errorf("metrics are still registered: %v", got)
	}
	_ = taken.listener.Close()
	if err := b.Start(context.Background()); err != nil {
		t.Errorf("start when the address is free: %v", err)
	}
	b.Kill()
	if err := b.Start(endedContext()); !errors.Is(err, context.Canceled) {
		t.Errorf("start with an ended context: %v", err)
	}
}

func TestKillWhileStartingLeavesNothingRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 50 {
		b := New(Config{Name: "test", Targets: []Target{{Name: "a", Address: "127.0.0.1:1"}}})
		var wg sync.WaitGroup
		wg.Go(func() { _ = b.Start(context.Background()) })
		wg.Go(b.Kill)
		wg.Wait()
		b.Kill()
	}
	awaitGoroutines(t, before)
}

func awaitGoroutines(t *testing.T, want int) {
	t.Helper()
	eventually(t, func() string {
		if runtime.NumGoroutine() <= want {
			return ""
		}
		stacks := make([]byte, 1<<20)
		return string(stacks[:runtime.Stack(stacks, true)])
	})
}

func TestStopLetsConnectionsFinish(t *testing.T) {
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Targets: []Target{a.target()}})
	conn := dial(t, b)
	send(t, conn, clientHello(10))
	expect(t, conn, "a")
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		_ = b.Stop(context.Background())
	}()
	eventually(t, func() string {
		other, err := net.Dial("tcp", b.Addr().String())
		if err == nil {
			_ = other.Close()
			return "new connections are still taken"
		}
		return ""
	})
	send(t, conn, []byte("not done yet"))
	expect(t, conn, "not done yet")
	select {
	case <-stopped:
		t.Fatal("stopped before the connection ended")
	default:
	}
	_ = conn.Close()
	<-stopped
}

func TestStopResetsWhatIsLeftWhenItsContextEnds(t *testing.T) {
	before := runtime.NumGoroutine()
	a := newBackend(t, "a", named("a"))
	silent := newBackend(t, "b", nil)
	b := start(t, Config{Targets: []Target{a.target(), silent.target()}})
	served, waiting := dial(t, b), dial(t, b)
	send(t, served, clientHello(10))
	expect(t, served, "a")
	send(t, waiting, clientHello(10))
	silent.next()
	idle := dial(t, b) // has said nothing
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	for _, conn := range []net.Conn{served, waiting, idle} {
		expectReset(t, conn)
	}
	awaitOpen(t, b, 0)
	_ = a.listener.Close()
	_ = silent.listener.Close()
	awaitGoroutines(t, before)
}

// failingListener has no file descriptors left for a while.
type failingListener struct {
	net.Listener
	failures int
}

func (l *failingListener) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestConnectionsAreTakenAgainAfterAcceptErrors(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Targets: []Target{a.target()}, Listener: &failingListener{listener, 3}})
	if got := answeredBy(t, b); got != "a" {
		t.Errorf("answered by %q", got)
	}
}

func TestMetricsCountWhatHappenedToEachTarget(t *testing.T) {
	registry := prometheus.NewRegistry()
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Name: "demo", Targets: []Target{gone(t, "b"), a.target()}, Registerer: registry})
	second := start(t, Config{Name: "other", Targets: []Target{a.target()}, Registerer: registry})
	if got := answeredBy(t, b); got != "a" {
		t.Fatalf("answered by %q", got)
	}
	awaitOpen(t, b, 0)
	second.Kill()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("names of metrics: %v, %v", problems, err)
	}
	got := make(map[string]float64)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			name := strings.TrimPrefix(family.GetName(), "tripod_lb_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	for name, want := range map[string]float64{
		"connections_total demo a":          1,
		"connections_open demo a":           0,
		"bytes_total demo to_target a":      109,
		"bytes_total demo to_client a":      1,
		"target_healthy demo a":             1,
		"target_healthy demo b":             0,
		"dial_failures_total demo b":        1,
		"retries_total demo b":              1,
		"resets_total demo a":               0,
		"unserved_connections_total demo":   0,
		"unserved_connections_total other!": 0,
	} {
		if strings.HasSuffix(name, "!") {
			if _, there := got[strings.TrimSuffix(name, "!")]; there {
				t.Errorf("%s is there after its balancer was killed", name)
			}
			continue
		}
		if value, there := got[name]; !there || value != want {
			t.Errorf("%s is %v (%v), want %v", name, value, there, want)
		}
	}
	if t.Failed() {
		t.Log(got)
	}
}
