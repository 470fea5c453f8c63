package lb

import (
	"context"
	"fmt"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestChangesAreToldInOrder(t *testing.T) {
	var mu sync.Mutex
	var got []string
	a := newBackend(t, "a", named("a"))
	var b *Balancer
	b = New(Config{Name: "test", Targets: []Target{a.target()}, Interval: time.Hour, OnChange: func(s TargetStatus) {
		b.MarkDown("nobody", "does not matter") // no lock is held
		_ = b.Snapshot()
		mu.Lock()
		got = append(got, fmt.Sprint(s.Healthy, " ", s.Reason))
		mu.Unlock()
	}})
	if err := b.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer b.Kill()
	awaitHealth(t, b, "a", true)
	b.MarkDown("a", "killed")
	b.MarkDown("a", "killed again")
	b.Probe("a")
	want := []string{"true ", "false killed", "true "}
	eventually(t, func() string {
		mu.Lock()
		defer mu.Unlock()
		return cmp.Diff(want, got)
	})
}

func TestHealthCheckBegunBeforeMarkDownDoesNotCount(t *testing.T) {
	begun, answer := make(chan struct{}), make(chan error)
	b := start(t, Config{Targets: []Target{gone(t, "a")}, Interval: time.Hour,
		Check: func(ctx context.Context, _ Target) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			begun <- struct{}{}
			return <-answer
		}, Timeout: time.Hour})
	<-begun
	b.MarkDown("a", "killed")
	b.Probe("a")
	answer <- nil
	<-begun
	if s := status(t, b, "a"); s.Healthy || s.Reason != "killed" {
		t.Errorf("target is %+v, want it down", s)
	}
	answer <- nil
	awaitHealth(t, b, "a", true)
}

func TestOneTimeoutIsForgivenOneRefusalIsNot(t *testing.T) {
	b := New(Config{Name: "test", Targets: []Target{{Name: "a"}}})
	a := b.targets[0]
	judge := func(err error) bool {
		b.judge(a, a.gen, err)
		return b.Snapshot()[0].Healthy
	}
	for i, step := range []struct {
		err  error
		want bool
	}{
		{nil, true},
		{context.DeadlineExceeded, true}, {nil, true}, {context.DeadlineExceeded, true}, {context.DeadlineExceeded, false},
		{nil, true},
		{&AnswerError{Code: 500}, true}, {context.DeadlineExceeded, false},
		{nil, true},
		{syscall.EMFILE, true}, {syscall.EMFILE, true}, {syscall.EMFILE, true},
		{syscall.ECONNREFUSED, false}, {nil, true}, {syscall.ECONNRESET, false}, {nil, true}, {syscall.ENOENT, false},
	} {
		if got := judge(step.err); got != step.want {
			t.Fatalf("step %d (%v): healthy is %v, want %v", i, step.err, got, step.want)
		}
	}
	b.judge(a, a.gen, nil)
	for range 5 { // many clients that wait at the same time
		b.suspect(a, a.gen, errNoAnswer)
	}
	if !b.Snapshot()[0].Healthy {
		t.Error("many waiting clients count more than once")
	}
	if judge(context.DeadlineExceeded) {
		t.Error("a silence that clients met does not count")
	}
}

func TestSilenceOnAStarvedMachineCountsLittle(t *testing.T) {
	starved := true
	b := New(Config{Name: "test", Targets: []Target{{Name: "a"}, {Name: "b"}}, Starved: func() bool { return starved }})
	a, witness := b.targets[0], b.targets[1]
	b.judge(a, a.gen, nil)
	b.judge(witness, witness.gen, nil)
	healthy := func(err error) bool {
		b.judge(a, a.gen, err)
		return b.Snapshot()[0].Healthy
	}
	for i := range 2*starvedFactor - 1 {
		if !healthy(context.DeadlineExceeded) {
			t.Fatalf("unhealthy after %d silences", i+1)
		}
	}
	if healthy(context.DeadlineExceeded) {
		t.Error("a target that hangs is never found")
	}
	if !healthy(nil) || healthy(syscall.ECONNREFUSED) {
		t.Error("a refused connection counts at once, also on a starved machine")
	}
	starved = false
	if !healthy(nil) || !healthy(context.DeadlineExceeded) || healthy(context.DeadlineExceeded) {
		t.Error("where the machine has time, two silences count")
	}
}

func TestHeldTargetGetsNoConnectionUntilReleased(t *testing.T) {
	a := newBackend(t, "a", named("a"))
	b := start(t, Config{Targets: []Target{a.target()}})
	open := dial(t, b)
	send(t, open, clientHello(10))
	expect(t, open, "a")
	b.Hold("a", "cut off from clients")
	expectReset(t, open)
	b.Probe("a")
	refused := dial(t, b)
	send(t, refused, clientHello(10))
	expectReset(t, refused)
	if s := status(t, b, "a"); s.Healthy || s.Reason != "cut off from clients" {
		t.Errorf("target is %+v, want it held", s)
	}
	b.Release("a")
	awaitHealth(t, b, "a", true)
	if got := answeredBy(t, b); got != "a" {
		t.Errorf("answered by %q", got)
	}
}

func TestDrainedTargetFinishesItsConnections(t *testing.T) {
	a, c := newBackend(t, "a", named("a")), newBackend(t, "b", named("b"))
	b := start(t, Config{Targets: []Target{a.target(), c.target()}})
	conn := dial(t, b)
	send(t, conn, clientHello(10))
	expect(t, conn, "a")
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		b.Drain(context.Background(), "a", "stopping")
	}()
	awaitHealth(t, b, "a", false)
	if got := answeredBy(t, b); got != "b" {
		t.Errorf("answered by %q while a is drained", got)
	}
	send(t, conn, []byte("not done yet"))
	expect(t, conn, "not done yet")
	_ = conn.Close()
	<-drained

	b.Release("a")
	awaitHealth(t, b, "a", true)
	conn = dial(t, b)
	send(t, conn, clientHello(10))
	expect(t, conn, "a")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	b.Drain(ctx, "a", "stopping")
	expectReset(t, conn)
	b.Drain(ctx, "a", "stopping") // nothing to wait for
}
