package emulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"tripod/api"
	"tripod/az/plan"
)

// spans end faults of zones and instances that were given a time (kill, pause and stop with one). They are in memory alone: a region that
// is started anew starts all of its zones.
type spans struct {
	life   *life
	asleep func() bool
	// lift gives the order that ends a fault, and returns when its effect is there. It asks wanted at the last moment: somebody may have
	// given another order meanwhile.
	lift func(ctx context.Context, order api.Order, wanted func() bool, why string) error
	waker

	mu  sync.Mutex
	all []*span
}

// span is how long a fault lasts that has a time.
type span struct {
	order   api.Order // the one that takes the fault back; its target has the zone's letter
	fault   string    // what it shows: paused
	until   time.Time
	again   time.Time // when to try once more, after a failure
	lifting bool
}

func newSpans(life *life) *spans {
	return &spans{life: life, asleep: func() bool { return false }, waker: newWaker()}
}

// add has a fault end by an order.
func (s *spans) add(order api.Order, fault string, after time.Duration) {
	s.mu.Lock()
	s.all = append(s.all, &span{order: order, fault: fault, until: time.Now().Add(after)})
	s.mu.Unlock()
	s.nudge()
}

// forget lets the faults of a target last, or be over, as somebody has given another order: of one cluster's instance, or of all.
func (s *spans) forget(target api.Target, cluster string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = slices.DeleteFunc(s.all, func(one *span) bool {
		return one.order.Target == target && (cluster == "" || one.order.Cluster == cluster)
	})
}

// until is when a fault that the status shows ends by itself; nil: it does not.
func (s *spans) until(fault api.Fault) *time.Time {
	kind, name, _ := strings.Cut(fault.Target, "/")
	target := api.Target{Kind: kind, Name: plan.Letter(name)} // a zone stands there with its name
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		if one.order.Target == target && (one.order.Cluster == "" || one.order.Cluster == fault.Cluster) {
			until := one.until.UTC().Truncate(time.Millisecond)
			return &until
		}
	}
	return nil
}

// keep ends faults when their time has come, until ctx ends. It sleeps while there are none.
func (s *spans) keep(ctx context.Context) { s.each(ctx, s.settle) }

// settle begins to end the faults whose time has come, and says when to look again.
func (s *spans) settle(ctx context.Context) (next time.Time) {
	if s.asleep() {
		return next // whoever wakes the region nudges
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.all {
		at := one.until
		if one.again.After(at) {
			at = one.again
		}
		switch {
		case one.lifting:
		case at.After(now):
			if next.IsZero() || at.Before(next) {
				next = at
			}
		default:
			one.lifting = true
			s.life.wait.Go(func() { s.end(ctx, one) })
		}
	}
	return next
}

// end ends one fault. One that cannot be ended now, as its zone is down, is ended when it can be.
func (s *spans) end(ctx context.Context, one *span) {
	wanted := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return slices.Contains(s.all, one)
	}
	err := s.lift(ctx, one.order, wanted, fmt.Sprintf(": it was to be %s until now", one.fault))
	s.mu.Lock()
	one.lifting = false
	one.again = time.Now().Add(retryTelling)
	if err == nil || errors.Is(err, errNoCluster) {
		s.all = slices.DeleteFunc(s.all, func(other *span) bool { return other == one })
	}
	s.mu.Unlock()
	s.nudge()
}
