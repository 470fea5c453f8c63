package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// TestFreshReadHasWhatWasAcknowledgedElsewhere, although this copy is behind: its leader's entries do not come, as after a pause.
func TestFreshReadHasWhatWasAcknowledgedElsewhere(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	behind := r.followers(leader)[0]
	for n := range 4 {
		r.isolate(behind) // its connections are gone, and raft's replication takes its time to make new ones
		want := fmt.Sprint("write ", n)
		put(t, r.voters[leader], "x", want)
		r.heal()
		if err := r.voters[behind].Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := arn(r.voters[behind], "x"); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
	}
}

// TestFreshReadOfAZoneThatIsCutOffIsRefused: the others may have gone on. It is answered as soon as a link is healed.
func TestFreshReadOfAZoneThatIsCutOffIsRefused(t *testing.T) {
	r := startRegion(t)
	cut := r.followers(r.agree(t))[0]
	r.isolate(cut)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := r.voters[cut].Fresh(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want one who waits", err)
	}
	r.voters[cut].patience = 50 * time.Millisecond
	if err := r.voters[cut].Fresh(t.Context()); !errors.Is(err, ErrCutOff) {
		t.Errorf("got %v, want ErrCutOff", err)
	}
	r.voters[cut].patience = freshLimit
	put(t, r.voters[r.followers(cut)[0]], "x", "missed")
	answered := make(chan error, 1)
	go func() { answered <- r.voters[cut].Fresh(context.Background()) }()
	r.heal()
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if got := arn(r.voters[cut], "x"); got != "missed" {
		t.Errorf("got %q, want what was written while it was cut off", got)
	}
}

// TestFreshReadIsAnsweredWhereTheOthersAreGone: nobody makes changes without them.
func TestFreshReadIsAnsweredWhereTheOthersAreGone(t *testing.T) {
	r := newTestRegion(t)
	var asked atomic.Int32
	for zone := range r.voters {
		r.voters[zone] = r.voter(t, zone)
		r.voters[zone].cfg.Gone = func(err error) bool {
			asked.Add(1)
			return errors.Is(err, syscall.ECONNREFUSED)
		}
	}
	r.start(t)
	r.agree(t)
	put(t, r.voters["a"], "x", "kept")
	r.voters["a"].Kill()
	if err := r.voters["c"].Fresh(t.Context()); err != nil {
		t.Errorf("one is gone: %v", err)
	}
	r.voters["b"].Kill()
	if err := r.voters["c"].Fresh(t.Context()); err != nil || asked.Load() == 0 {
		t.Errorf("two are gone: %v", err)
	}
	if got := arn(r.voters["c"], "x"); got != "kept" {
		t.Errorf("got %q, want kept", got)
	}
	r.voters["c"].Kill()
	if err := r.voters["c"].Fresh(t.Context()); err != nil {
		t.Errorf("it is stopped itself: %v", err)
	}
}

// TestFreshReadDoesNotWaitForWhatALostLeaderHadProposed: another leader replaces that by nothing, and no copy ever has it.
func TestFreshReadDoesNotWaitForWhatALostLeaderHadProposed(t *testing.T) {
	r := startRegion(t)
	logged := func(zone string) uint64 { return r.voters[zone].running().disk.log.newest.Load() }
	old, before := "", uint64(0)
	for tries := 1; ; tries++ {
		old = r.agree(t)
		put(t, r.voters["a"], "x", "kept")
		r.isolate(old)
		before = logged(old)
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err := r.voters[old].Update(ctx, func(tx *Txn) error { users.Put(tx, "x", user{ARN: "lost"}); return nil })
		cancel()
		if err == nil {
			t.Fatal("a leader that is cut off has agreed with itself")
		}
		if logged(old) > before {
			break
		}
		if tries == 20 {
			t.Fatalf("%d leaders that were cut off noticed before they stored the proposal", tries)
		}
		r.heal()
	}
	eventually(t, func() error {
		if next := r.voters[r.followers(old)[0]].Leader(); next == old || next == "" {
			return fmt.Errorf("%q leads", next)
		}
		return nil
	})
	r.heal()
	for zone, v := range r.voters {
		if err := v.Fresh(t.Context()); err != nil {
			t.Errorf("zone %s: %v", zone, err)
		}
		if got := arn(v, "x"); got != "kept" {
			t.Errorf("zone %s reads %q", zone, got)
		}
	}
	eventually(t, func() error {
		if logged(old) > before {
			return fmt.Errorf("the log of %s has proposal %d, of %d before", old, logged(old), before)
		}
		return nil
	})
}

// TestWhatIsSeenOnceIsSeenFromThenOn: a change that is under way is in one zone's copy before it is in the others'.
func TestWhatIsSeenOnceIsSeenFromThenOn(t *testing.T) {
	r := startRegion(t)
	writing, stop := context.WithCancel(t.Context())
	var writes sync.WaitGroup
	writes.Go(func() {
		for n := 1; writing.Err() == nil; n++ {
			r.voters["a"].Update(writing, func(tx *Txn) error { counters.Put(tx, "c", counter{Count: n}); return nil })
		}
	})
	last := 0
	for n := range 600 {
		zone := r.peers[n%3].Zone
		if err := r.voters[zone].Fresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.voters[zone].View(func(tx *Txn) error {
			c, _ := counters.Get(tx, "c")
			if c.Count < last {
				t.Errorf("zone %s shows %d after %d was seen elsewhere", zone, c.Count, last)
			}
			last = c.Count
			return nil
		})
	}
	stop()
	writes.Wait()
	if last == 0 {
		t.Error("nothing was written")
	}
}
