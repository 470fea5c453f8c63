package reconcile

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// bench runs a loop in a bubble whose clock is the test's.
type bench struct {
	Loop
	changes chan struct{}
	ended   chan struct{} // closed when Run has returned
	watches int           // that are open
	calls   []time.Duration
	began   time.Time
	log     bytes.Buffer
	stop    context.CancelFunc
}

// start runs a loop whose n-th call, from 1 on, is do's.
func start(t *testing.T, pauses Pauses, do func(n int) (time.Duration, error)) *bench {
	b := &bench{changes: make(chan struct{}, 1), ended: make(chan struct{}), began: time.Now()}
	b.Loop = Loop{Key: "do it", Pauses: pauses, Logger: slog.New(slog.NewTextHandler(&b.log, nil))}
	b.Watch = func() (<-chan struct{}, func()) { b.watches++; return b.changes, func() { b.watches-- } }
	b.Do = func(context.Context) (time.Duration, error) {
		b.calls = append(b.calls, time.Since(b.began))
		return do(len(b.calls))
	}
	ctx, stop := context.WithCancel(t.Context())
	b.stop = stop
	go func() { defer close(b.ended); b.Run(ctx) }()
	synctest.Wait()
	return b
}

// end stops the loop, and checks that nothing is left of it.
func (b *bench) end(t *testing.T) {
	t.Helper()
	b.stop()
	<-b.ended
	if b.watches != 0 {
		t.Errorf("%d watches are open", b.watches)
	}
}

// pass lets time pass.
func pass(d time.Duration) {
	time.Sleep(d) // the bubble's clock
	synctest.Wait()
}

func TestLoopRunsAtItsStartAndAfterChangesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Pauses{}, func(int) (time.Duration, error) { return 0, nil })
		if len(b.calls) != 1 || b.watches != 1 {
			t.Fatalf("at its start: %d calls, %d watches", len(b.calls), b.watches)
		}
		pass(1000 * time.Hour)
		if len(b.calls) != 1 {
			t.Errorf("nothing has changed, and it was called at %v", b.calls)
		}
		b.changes <- struct{}{}
		synctest.Wait()
		if len(b.calls) != 2 {
			t.Errorf("after a change: %v", b.calls)
		}
		b.end(t)
	})
}

func TestChangeDuringACallIsSeenAfterIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b *bench
		b = start(t, Pauses{}, func(n int) (time.Duration, error) {
			if n == 2 {
				b.changes <- struct{}{}
				time.Sleep(time.Minute)
			}
			return 0, nil
		})
		b.changes <- struct{}{}
		pass(time.Hour)
		if len(b.calls) != 3 {
			t.Errorf("it was called at %v, want again after the second call", b.calls)
		}
		b.end(t)
	})
}

func TestLoopIsCalledAgainWhenItSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		again := []time.Duration{Now, time.Minute, 24 * time.Hour, 0}
		b := start(t, Pauses{}, func(n int) (time.Duration, error) { return again[n-1], nil })
		pass(1000 * time.Hour)
		if want := []time.Duration{0, Now, Now + time.Minute, Now + time.Minute + 24*time.Hour}; !slices.Equal(b.calls,
			want) {
			t.Errorf("it was called at %v, want %v", b.calls, want)
		}
		b.end(t)
	})
}

func TestChangeComesBeforeTheTimeThatWasSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Pauses{}, func(n int) (time.Duration, error) {
			if n == 1 {
				return time.Hour, nil
			}
			return 0, nil // and what was said before does not count any more
		})
		pass(time.Minute)
		b.changes <- struct{}{}
		pass(10 * time.Hour)
		if want := []time.Duration{0, time.Minute}; !slices.Equal(b.calls, want) {
			t.Errorf("it was called at %v, want %v", b.calls, want)
		}
		b.end(t)
	})
}

func TestFailuresAreRetriedAfterLongerAndLongerPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Pauses{First: time.Second, Most: 4 * time.Second}, func(n int) (time.Duration, error) {
			if n == 6 {
				return Now, nil // the pauses begin anew
			}
			return 0, errors.New("it cannot be")
		})
		pass(20 * time.Second)
		b.end(t)
		most := []time.Duration{1, 2, 4, 4, 4, 0, 1, 2}
		for n, most := range most {
			pause, most := b.calls[n+1]-b.calls[n], most*time.Second
			if least := most * 3 / 4; pause < least || pause > max(most, Now) {
				t.Errorf("pause %d is %v, want from %v to %v", n+1, pause, least, most)
			}
		}
	})
}

func TestPausesDiffer(t *testing.T) {
	p := Pauses{First: 4 * time.Second, Most: time.Hour}
	if least, most := p.after(1, 0.999), p.after(1, 0); most != 4*time.Second || least > 3010*time.Millisecond ||
		least < 3*time.Second {
		t.Errorf("got from %v to %v", least, most)
	}
	if got := (Pauses{}).after(1000, 0); got != time.Minute {
		t.Errorf("after many failures the pause is %v", got)
	}
	if got := (Pauses{}).after(1, 0); got != time.Second {
		t.Errorf("the first pause is %v", got)
	}
}

func TestChangeEndsAPauseAfterAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Pauses{First: time.Hour, Most: time.Hour}, func(n int) (time.Duration, error) {
			if n == 1 {
				return 0, errors.New("it cannot be")
			}
			return 0, nil
		})
		b.changes <- struct{}{}
		pass(10 * time.Hour)
		if len(b.calls) != 2 {
			t.Errorf("it was called at %v", b.calls)
		}
		b.end(t)
	})
}

func TestLogTellsOfAFailureOnceAndOfItsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := []error{errors.New("one"), errors.New("one"), errors.New("two"), nil, errors.New("two")}
		b := start(t, Pauses{}, func(n int) (time.Duration, error) { return Now, results[min(n, len(results))-1] })
		pass(time.Hour)
		b.end(t)
		var got []string
		for line := range strings.Lines(b.log.String()) {
			_, line, _ = strings.Cut(strings.TrimSpace(line), "level=")
			got = append(got, line)
		}
		want := []string{`WARN msg="do it" error=one`, `WARN msg="do it" error=two`,
			`INFO msg="do it: it works again" failures=3`, `WARN msg="do it" error=two`}
		if !slices.Equal(got, want) {
			t.Errorf("the log says %q, want %q", got, want)
		}
	})
}

func TestLoopThatIsDoneEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Pauses{}, func(n int) (time.Duration, error) {
			if n < 3 {
				return time.Second, nil
			}
			return time.Second, ErrDone
		})
		pass(time.Hour)
		select {
		case <-b.ended:
		default:
			t.Error("it goes on")
		}
		if len(b.calls) != 3 || b.watches != 0 || b.log.Len() > 0 {
			t.Errorf("%d calls, %d watches, log %q", len(b.calls), b.watches, &b.log)
		}
		b.end(t)
	})
}

func TestEndOfAContextIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		started := make(chan *bench, 1)
		b := start(t, Pauses{}, func(n int) (time.Duration, error) {
			if n == 2 {
				(<-started).stop()
				return 0, context.Canceled
			}
			return time.Second, nil
		})
		started <- b
		<-b.ended
		if len(b.calls) != 2 || b.log.Len() > 0 {
			t.Errorf("%d calls, log %q", len(b.calls), &b.log)
		}
	})
}

func TestLoopOfAnEndedContextDoesNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	Run(ctx, Loop{Do: func(context.Context) (time.Duration, error) { t.Error("it was called"); return 0, nil }})
}

func TestLoopsRunSideBySideUntilAllHaveEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		met := make(chan struct{})
		meet := func(other func()) func(context.Context) (time.Duration, error) {
			return func(context.Context) (time.Duration, error) { other(); return 0, ErrDone }
		}
		Run(t.Context(), Loop{Do: meet(func() { met <- struct{}{} })}, Loop{Do: meet(func() { <-met })})
	})
}

func TestPanicIsAFailureAndNotTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := start(t, Pauses{First: time.Second, Most: time.Second}, func(n int) (time.Duration, error) {
			if n == 1 {
				panic("a nil map")
			}
			return 0, nil
		})
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(b.calls) != 2 {
			t.Errorf("it was called at %v, want a second time after a pause", b.calls)
		}
		if log := b.log.String(); !strings.Contains(log, "a nil map") || !strings.Contains(log, "reconcile") {
			t.Errorf("the log has no panic with its stack: %s", log)
		}
		b.end(t)
	})
}
