package lb

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

func TestChecksAloneTellHowATargetIs(t *testing.T) {
	b := New(Config{Name: "test", Targets: []Target{{Name: "a"}, {Name: "b"}}, ChecksAlone: true,
		Thresholds: Thresholds{Healthy: 3, Refused: 2, Failing: 2}})
	a := b.targets[0]
	healthy := func() bool { return b.Snapshot()[0].Healthy }
	if b.MarkDown("a", "it is not there yet"); b.Snapshot()[0].Reason != "it is not there yet" {
		t.Error("a target that is new cannot be marked down")
	}
	if b.judge(a, a.gen, nil); !healthy() {
		t.Error("a target that is new needs more than one check")
	}
	b.MarkDown("a", "it is dead")
	b.suspect(a, a.gen, syscall.ECONNREFUSED)
	b.suspect(a, a.gen, errNoAnswer)
	if !healthy() {
		t.Error("others than checks have told how it is")
	}
	for i, step := range []struct {
		err  error
		want bool
	}{
		{syscall.ECONNREFUSED, true}, {nil, true}, {context.DeadlineExceeded, true}, {errors.New("500"), false}, {nil, false}, {nil, false},
		{context.DeadlineExceeded, false}, {nil, false}, {nil, false}, {nil, true},
	} {
		if b.judge(a, a.gen, step.err); healthy() != step.want {
			t.Fatalf("step %d (%v): healthy is %v, want %v", i, step.err, healthy(), step.want)
		}
	}
}

func TestNobodyIsMovedWhereChecksAreAlone(t *testing.T) {
	here, gone := newBackend(t, "a", named("a")), newBackend(t, "b", named("b"))
	b := start(t, Config{Targets: []Target{here.target(), gone.target()}, ChecksAlone: true, Interval: time.Hour,
		Check: func(context.Context, Target) error { return nil }})
	awaitHealth(t, b, "a", true)
	awaitHealth(t, b, "b", true)
	if err := gone.listener.Close(); err != nil {
		t.Fatal(err)
	}
	answered, ended := 0, 0
	for range 10 {
		conn := dial(t, b)
		send(t, conn, clientHello(10))
		if n, _ := conn.Read(make([]byte, 1)); n > 0 {
			answered++
		} else {
			ended++
		}
	}
	if answered != 5 || ended != 5 {
		t.Errorf("%d connections of 10 were answered, and %d ended: want half, as nobody has found out", answered, ended)
	}
}
