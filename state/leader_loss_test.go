package state

import (
	"sync"
	"testing"
	"time"
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
