package emulator

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"tripod/api"
)

func testSpans(t *testing.T, r *testRegion) {
	order := func(verb, kind, name string, span time.Duration) api.Order {
		return api.Order{Target: api.Target{Kind: kind, Name: name}, Verb: verb, For: span}
	}
	for _, fault := range []api.Order{order("pause", "az", "c", time.Second), order("kill", "az", "b", time.Second),
		order("stop", "controllers", "a", time.Second)} {
		if err := r.Do(t.Context(), fault); err != nil {
			t.Fatal(err)
		}
		r.awaitPhase(t, api.PhaseReady)
	}
	if !r.toldThat(api.FaultCleared, "resume az/c took effect: it was to be paused until now") {
		t.Errorf("no event says why az/c was resumed")
	}
	if err := r.Do(t.Context(), order("pause", "az", "c", time.Hour)); err != nil {
		t.Fatal(err)
	}
	if s := r.Status(); len(s.Faults) != 1 || s.Faults[0].Until == nil || s.Faults[0].Until.Before(time.Now()) {
		t.Errorf("paused for an hour shows as %+v", s.Faults)
	}
	r.do(t, "pause", "az/c")
	if s := r.Status(); len(s.Faults) != 1 || s.Faults[0].Until != nil {
		t.Errorf("paused again, for good, shows as %+v", s.Faults)
	}
	r.do(t, "resume", "az/c")
	r.awaitPhase(t, api.PhaseReady)
	for _, bad := range []struct {
		order api.Order
		want  string
	}{
		{order("resume", "az", "c", time.Second), "resume takes no --for"}, {order("pause", "az", "c", -1), "is no time that passes"},
		{order("kill", "etcd", "c", time.Second), "its zone starts it again at once"},
	} {
		if err := r.Do(t.Context(), bad.order); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%+v: %v, want %s", bad.order, err, bad.want)
		}
	}
}

// toldThat says whether there was an event of that type with that message.
func (r *testRegion) toldThat(kind api.EventType, message string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.events, func(e api.Event) bool { return e.Type == kind && e.Message == message })
}

func TestAFaultIsEndedWhenItCanBe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		life := newLife()
		s := newSpans(life)
		asleep, tries, begun := atomic.Bool{}, atomic.Int32{}, time.Now()
		s.asleep = asleep.Load
		s.lift = func(_ context.Context, order api.Order, wanted func() bool, why string) error {
			if !wanted() {
				t.Error("what nobody wants is lifted")
			}
			if order.Verb != "start" || !strings.Contains(why, "stopped") {
				t.Errorf("the order is %+v%s", order, why)
			}
			if tries.Add(1) < 3 {
				return errors.New("its zone is down")
			}
			return nil
		}
		life.wait.Go(func() { s.keep(life.running) })
		target := api.Target{Kind: "etcd", Name: "b"}
		s.add(api.Order{Target: target, Verb: "start", Cluster: "demo"}, api.StateStopped, time.Minute)
		shown := api.Fault{Target: "etcd/b", Cluster: "demo"}
		if until := s.until(shown); until == nil || until.Sub(begun) != time.Minute {
			t.Errorf("it ends at %v", until)
		}
		if s.until(api.Fault{Target: "etcd/b", Cluster: "other"}) != nil || s.until(api.Fault{Target: "etcd/a", Cluster: "demo"}) != nil {
			t.Error("others end too")
		}
		asleep.Store(true)
		time.Sleep(2 * time.Minute)
		if tries.Load() != 0 {
			t.Error("a region that sleeps was given an order")
		}
		asleep.Store(false)
		s.nudge()
		time.Sleep(2*retryTelling + time.Second)
		if tries.Load() != 3 || s.until(shown) != nil {
			t.Errorf("after %d tries it ends at %v", tries.Load(), s.until(shown))
		}
		other := api.Fault{Target: "etcd/b", Cluster: "other"}
		for _, cluster := range []string{"demo", "other", "third"} {
			s.add(api.Order{Target: target, Verb: "start", Cluster: cluster}, api.StateStopped, time.Minute)
		}
		s.forget(target, "demo") // it was started by hand: the others are to come yet
		if s.until(shown) != nil || s.until(other) == nil {
			t.Error("one cluster's is not forgotten, or another's is")
		}
		s.forget(target, "")
		shown = other
		if s.until(shown) != nil {
			t.Error("what somebody has ended is ended again")
		}
		life.cancel()
		life.wait.Wait()
	})
}
