package state

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// TestNobodyStandsWhileAllAreSuspended, though nobody hears of anybody for many time-outs, as when all are stopped, and
// the leader resigns for that.
func TestNobodyStandsWhileAllAreSuspended(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	term := r.voters[leader].running().raft.CurrentTerm()
	r.suspend(t)
	for zone := range r.voters {
		r.isolate(zone)
	}
	r.awaitResignation(t, leader)
	for end := time.Now().Add(5 * r.voters[leader].cfg.Timing.Heartbeat); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, zone := range r.followers(leader) {
			if now := r.voters[zone].running().raft.CurrentTerm(); now != term {
				t.Fatalf("zone %s is in term %d, want %d still", zone, now, term)
			}
		}
	}
	r.heal()
	r.resume(t, 10*time.Second)
	leader = r.agree(t)
	r.voters[leader].Kill() // and afterwards its loss is noticed as ever
	r.agree(t)
}

// TestLeaderLeadsOnAfterAllWereSuspended needs no time-out.
func TestLeaderLeadsOnAfterAllWereSuspended(t *testing.T) {
	r := newTestRegion(t)
	r.timing = patientTiming
	r.timing.LeaderLease = 200 * time.Millisecond
	for zone := range r.voters {
		r.voters[zone] = r.voter(t, zone)
	}
	r.start(t)
	leader := r.agree(t)
	r.suspend(t)
	for zone := range r.voters {
		r.isolate(zone)
	}
	r.awaitResignation(t, leader)
	r.heal()
	r.resume(t, 10*time.Second)
	if now := r.agree(t); now != leader {
		t.Errorf("%s leads, want %s still", now, leader)
	}
	for _, v := range r.voters {
		put(t, v, "x-"+v.cfg.Zone, "after")
	}
}

func (r *testRegion) suspend(t *testing.T) {
	t.Helper()
	for _, v := range r.voters {
		if err := v.Suspend(); err != nil {
			t.Fatal(err)
		}
	}
}

func (r *testRegion) resume(t *testing.T, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var resuming sync.WaitGroup
	for _, v := range r.voters {
		resuming.Go(func() {
			if err := v.Resume(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	resuming.Wait()
}

func (r *testRegion) awaitResignation(t *testing.T, leader string) {
	t.Helper()
	eventually(t, func() error {
		if r.voters[leader].running().raft.State() == raft.Leader {
			return errors.New("it still leads")
		}
		return nil
	})
}

// TestResumeWithoutTheLeaderEndsInAnElection, when that one was lost meanwhile.
func TestResumeWithoutTheLeaderEndsInAnElection(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	r.suspend(t)
	r.voters[leader].Kill()
	r.resume(t, 300*time.Millisecond)
	if now := r.agree(t); now == leader {
		t.Errorf("%s still leads", now)
	}
}
