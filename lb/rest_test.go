package lb

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestWhatIsSuspendedIsNotJudged: a check that began before is not counted, and none begins before Resume.
func TestWhatIsSuspendedIsNotJudged(t *testing.T) {
	begun, answer := make(chan struct{}), make(chan error)
	b := start(t, Config{Targets: []Target{gone(t, "a")}, Interval: time.Millisecond, Timeout: time.Hour,
		Thresholds: Thresholds{Failing: 1},
		Check: func(ctx context.Context, _ Target) error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			begun <- struct{}{}
			return <-answer
		}})
	<-begun
	answer <- nil
	awaitHealth(t, b, "a", true)
	<-begun
	b.Suspend()
	b.Suspend()
	answer <- context.DeadlineExceeded
	select {
	case <-begun:
		t.Error("a health check began while the balancer was suspended")
	case <-time.After(longEnough):
	}
	if s := status(t, b, "a"); !s.Healthy {
		t.Errorf("the target is %+v, want it healthy", s)
	}
	b.Resume()
	<-begun
	answer <- &AnswerError{Code: 500}
	awaitHealth(t, b, "a", false)
	go func() {
		for range begun {
			answer <- nil
		}
	}()
}

func TestSuspendedBalancerStops(t *testing.T) {
	b := start(t, Config{Targets: []Target{newBackend(t, "a", named("a")).target()}})
	awaitHealth(t, b, "a", true)
	b.Suspend()
	b.Kill()
}

// TestTargetsAreWokenBeforeTheyAreDialled, by each connection, and its bytes are counted.
func TestTargetsAreWokenBeforeTheyAreDialled(t *testing.T) {
	awake := make(chan struct{})
	var asked atomic.Bool
	b := start(t, Config{Targets: []Target{newBackend(t, "a", named("a")).target()}, Wake: func(ctx context.Context) {
		asked.Store(true)
		select {
		case <-awake:
		case <-ctx.Done():
		}
	}})
	if activity := b.Activity(); activity.Clients != 0 || !activity.Since.IsZero() {
		t.Errorf("nobody came, but the activity is %+v", activity)
	}
	conn := dial(t, b)
	send(t, conn, clientHello(100))
	eventually(t, func() string {
		if asked.Load() {
			return ""
		}
		return "nobody asked for the targets to be woken"
	})
	expectNothing(t, conn)
	if activity := b.Activity(); activity.Clients != 1 {
		t.Errorf("a client waits, but the activity is %+v", activity)
	}
	close(awake)
	expect(t, conn, "a")
	if activity := b.Activity(); activity.Bytes == 0 && runtime.GOOS == "linux" {
		t.Errorf("bytes were carried, but the activity is %+v", activity)
	}
	_ = conn.Close()
	eventually(t, func() string {
		if activity := b.Activity(); activity.Clients == 0 && !activity.Since.IsZero() {
			return ""
		}
		return "the client's end was not noted"
	})
}
