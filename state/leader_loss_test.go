package state

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tripod/internal/sleep"
)

// patientTiming lets nobody guess at a leader's death within a test.
var patientTiming = Timing{Heartbeat: time.Minute}

// TestToldLossOfLeaderNeedsNoTimeOut, whoever of the survivors goes first.
func TestToldLossOfLeaderNeedsNoTimeOut(t *testing.T) {
	for _, ranks := range [][2]int{{0, 1}, {1, 0}} {
		r := newTestRegion(t)
		r.timing = patientTiming
		for zone := range r.voters {
			r.voters[zone] = r.voter(t, zone)
		}
		r.start(t)
		leader := r.agree(t)
		put(t, r.voters[leader], "x", "before")
		r.voters[leader].Kill()
		var told sync.WaitGroup
		for i, zone := range r.followers(leader) {
			told.Go(func() { r.voters[zone].Lost(t.Context(), leader, ranks[i]) })
		}
		told.Wait()
		if next := r.agree(t); next == leader {
			t.Errorf("zone %s still leads", leader)
		}
		for _, zone := range r.followers(leader) {
			put(t, r.voters[zone], "y-"+zone, "after")
		}
	}
}

// TestLossOfAFollowerChangesNoLeader, nor does news that come when another leads already.
func TestLossOfAFollowerChangesNoLeader(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	followers := r.followers(leader)
	r.voters[followers[0]].Kill()
	r.voters[followers[1]].Lost(t.Context(), followers[0], 0)
	r.voters[leader].Lost(t.Context(), followers[0], 1)
	put(t, r.voters[followers[1]], "x", "written")
	if got := r.voters[followers[1]].Leader(); got != leader {
		t.Errorf("%s leads, want %s still", got, leader)
	}
}

// TestWrongWordOfALossLosesNothing: the leader that is called lost lives, and goes on taking changes. All are told again and again, so that
// leaders change under the changes; what was seen once is seen from then on, in every zone.
func TestWrongWordOfALossLosesNothing(t *testing.T) {
	r := startRegion(t)
	r.agree(t)
	telling, stop := context.WithCancel(t.Context())
	var tellers, writers sync.WaitGroup
	for _, v := range r.voters {
		tellers.Go(func() {
			for n := 0; telling.Err() == nil; n++ {
				v.Lost(telling, v.Leader(), n%2)
				sleep.For(telling, 10*time.Millisecond)
			}
		})
	}
	var acknowledged, unknown, seen atomic.Int64
	for zone, v := range r.voters {
		writers.Go(func() {
			for range 60 {
				err := v.Update(t.Context(), func(tx *Txn) error {
					c, _ := counters.Get(tx, "c")
					counters.Put(tx, "c", counter{Count: c.Count + 1})
					return nil
				})
				if err != nil {
					unknown.Add(1)
				} else {
					acknowledged.Add(1)
				}
				least := max(acknowledged.Load(), seen.Load())
				if err := v.Fresh(t.Context()); err != nil {
					t.Error(err)
				}
				got := int64(counted(v))
				if got < least {
					t.Errorf("zone %s counts %d, where %d were acknowledged or seen before", zone, got, least)
				}
				for now := seen.Load(); now < got && !seen.CompareAndSwap(now, got); now = seen.Load() {
				}
			}
		})
	}
	writers.Wait()
	stop()
	tellers.Wait()
	if err := r.voters["a"].Fresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := int64(counted(r.voters["a"])); got < acknowledged.Load() || got > acknowledged.Load()+unknown.Load() {
		t.Errorf("%d count, of %d acknowledged and %d of unknown outcome", got, acknowledged.Load(), unknown.Load())
	}
}

func counted(v Viewer) (n int) {
	v.View(func(tx *Txn) error {
		c, _ := counters.Get(tx, "c")
		n = c.Count
		return nil
	})
	return n
}
