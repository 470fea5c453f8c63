package state

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// disks are those of a test's voters: what they refuse, and how late they are.
type disks struct {
	mu      sync.Mutex
	refuses map[string]func(DiskOperation) error
	late    atomic.Int64
	waiting atomic.Int64 // syncs that are late now
}

func (d *disks) set(zone string, refuses func(DiskOperation) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refuses[zone] = refuses
}

func (d *disks) ask(zone string) func(context.Context, DiskOperation) error {
	return func(ctx context.Context, of DiskOperation) error {
		if late := time.Duration(d.late.Load()); late > 0 && of == DiskSync {
			d.waiting.Add(1)
			defer d.waiting.Add(-1)
			select {
			case <-time.After(late):
			case <-ctx.Done():
			}
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if refuses := d.refuses[zone]; refuses != nil {
			return refuses(of)
		}
		return nil
	}
}

func failing(of DiskOperation) error {
	if of == DiskSync {
		return syscall.EIO
	}
	return nil
}

func readOnly(DiskOperation) error { return syscall.EROFS }

func full(of DiskOperation) error {
	if of == DiskGrow {
		return syscall.ENOSPC
	}
	return nil
}

// newRegionOnDisks is a test region whose disks can be broken. A voter that goes down is told to the others, as a region does.
func newRegionOnDisks(t *testing.T) (*testRegion, *disks) {
	t.Helper()
	r, d := newTestRegion(t), &disks{refuses: map[string]func(DiskOperation) error{}}
	for _, zone := range []string{"a", "b", "c"} {
		v := r.voters[zone]
		v.cfg.Disk = d.ask(zone)
		v.cfg.Gone = func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }
		v.cfg.OnDown = func(why error) {
			if why == nil {
				return
			}
			for rank, other := range r.followers(zone) {
				go r.voters[other].Lost(context.Background(), zone, rank)
			}
		}
	}
	return r, d
}

func (r *testRegion) wantDown(t *testing.T, zone, why string) {
	t.Helper()
	eventually(t, func() error {
		if err := r.voters[zone].Down(); err == nil || !strings.Contains(err.Error(), why) {
			return fmt.Errorf("zone %s is down for %v, want %s", zone, err, why)
		}
		return nil
	})
}

// TestLeaderWhoseDiskFailsGivesTheLeadAway: writes go on elsewhere, it refuses reads that must be fresh, shows what it had to others, and
// comes back with all that it has missed when its disk is well.
func TestLeaderWhoseDiskFailsGivesTheLeadAway(t *testing.T) {
	r, d := newRegionOnDisks(t)
	r.start(t)
	for fault, says := range map[string]string{"failing": "input/output error", "read-only": "read-only file system"} {
		refuses := map[string]func(DiskOperation) error{"failing": failing, "read-only": readOnly}[fault]
		lost := r.agree(t)
		v, other := r.voters[lost], r.voters[r.followers(lost)[0]]
		put(t, v, "x", "before "+fault)
		d.set(lost, refuses)
		put(t, other, "x", "after "+fault) // by a leader that finds its disk broken then
		r.wantDown(t, lost, says)
		if next := r.agree(t); next == lost || v.Leader() != "" {
			t.Errorf("%s: led by %s, and zone %s takes %q for the leader", fault, next, lost, v.Leader())
		}
		if err := v.Fresh(t.Context()); !errors.Is(err, ErrDown) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: a fresh read: %v", fault, err)
		}
		err := v.Update(t.Context(), func(tx *Txn) error { users.Put(tx, "y", user{}); return nil })
		if !errors.Is(err, ErrDown) || !errors.Is(err, ErrNoQuorum) {
			t.Errorf("%s: a write: %v", fault, err)
		}
		if got := arn(v, "x"); !strings.HasSuffix(got, fault) {
			t.Errorf("%s: it shows %q", fault, got)
		}
		if err := other.Fresh(t.Context()); err != nil {
			t.Errorf("%s: a fresh read elsewhere: %v", fault, err)
		}
		put(t, other, "x", "missed "+fault)
		d.set(lost, nil)
		v.TryDisk(t.Context())
		if err := errors.Join(v.Down(), v.Fresh(t.Context())); err != nil {
			t.Errorf("%s, and healed: %v", fault, err)
		}
		wantARN(t, v, "x", "missed "+fault)
	}
}

// TestVoterThatIsToldTriesItsDisk: it has nothing to write, and would not notice.
func TestVoterThatIsToldTriesItsDisk(t *testing.T) {
	r, d := newRegionOnDisks(t)
	r.start(t)
	follower := r.followers(r.agree(t))[0]
	v := r.voters[follower]
	d.set(follower, full)
	if v.TryDisk(t.Context()); v.Down() != nil {
		t.Errorf("a full disk takes what has its room already: %v", v.Down())
	}
	d.set(follower, failing)
	if v.TryDisk(t.Context()); v.Down() == nil {
		t.Error("its disk fails, and it is not down")
	}
	put(t, r.voters[r.agree(t)], "x", "missed")
	d.set(follower, nil) // and nobody says so
	wantARN(t, v, "x", "missed")
	if err := v.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	v.TryDisk(t.Context()) // does nothing to one that is stopped
	if v.running() != nil || v.Down() != nil {
		t.Error("it runs, or is down, after its stop")
	}
}

// TestTermThatCannotBeStoredTakesNobodyAlong: raft panics for one.
func TestTermThatCannotBeStoredTakesNobodyAlong(t *testing.T) {
	r, d := newRegionOnDisks(t)
	r.start(t)
	leader := r.agree(t)
	put(t, r.voters[leader], "x", "kept")
	left := r.followers(leader)
	d.set(left[0], readOnly)
	d.set(left[1], readOnly)
	r.voters[leader].Kill()
	eventually(t, func() error { // who stands for the lead, or is asked for a vote
		for _, zone := range left {
			if r.voters[zone].Down() != nil {
				return nil
			}
		}
		return errors.New("nobody is down")
	})
	d.set(left[0], nil)
	d.set(left[1], nil)
	for _, zone := range left {
		r.voters[zone].TryDisk(t.Context())
	}
	r.agree(t)
	put(t, r.voters[left[0]], "x", "changed")
	wantARN(t, r.voters[left[1]], "x", "changed")
}

// TestVoterStartsOnADiskThatFails with the copy that is there, so that its zone has what it had.
func TestVoterStartsOnADiskThatFails(t *testing.T) {
	r, d := newRegionOnDisks(t)
	d.set("a", failing)
	r.start(t)
	put(t, r.voters[r.agree(t)], "x", "kept") // it was never set up
	r.wantDown(t, "a", "input/output error")
	d.set("a", nil)
	r.voters["a"].TryDisk(t.Context())
	wantARN(t, r.voters["a"], "x", "kept")
	if err := r.voters["a"].Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.set("a", readOnly)
	if err := r.voters["a"].Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := arn(r.voters["a"], "x"); got != "kept" || r.voters["a"].Down() == nil {
		t.Errorf("it shows %q, and is down for %v", got, r.voters["a"].Down())
	}
	put(t, r.voters[r.agree(t)], "x", "missed")
	d.set("a", nil)
	r.voters["a"].TryDisk(t.Context())
	wantARN(t, r.voters["a"], "x", "missed")
}

// TestSlowDiskKeepsTheLead, and holds up no stop.
func TestSlowDiskKeepsTheLead(t *testing.T) {
	r, d := newRegionOnDisks(t)
	r.start(t)
	leader := r.agree(t)
	d.late.Store(int64(50 * time.Millisecond))
	begun := time.Now()
	put(t, r.voters[leader], "x", "late")
	if took := time.Since(begun); took < 50*time.Millisecond {
		t.Errorf("a write took %v on disks that are late by 50ms", took)
	}
	if next := r.agree(t); next != leader {
		t.Errorf("zone %s has lost the lead to %s", leader, next)
	}
	d.late.Store(int64(time.Hour))
	hanging := make(chan struct{})
	go func() {
		defer close(hanging)
		_ = r.voters[leader].Update(context.Background(), func(tx *Txn) error { users.Put(tx, "y", user{}); return nil })
	}()
	eventually(t, func() error { // it waits for its disk
		if d.waiting.Load() == 0 {
			return errors.New("nobody syncs")
		}
		return nil
	})
	begun = time.Now()
	for _, v := range r.voters {
		v.Kill()
	}
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	<-hanging
}

// TestCopyNeverGoesBack: a voter that comes back reads a snapshot of its own that is older.
func TestCopyNeverGoesBack(t *testing.T) {
	s := newStore(testSchema)
	var older strings.Builder
	if err := s.snapshot().write(&older); err != nil {
		t.Fatal(err)
	}
	s.apply(7, proposal{ID: "one", Writes: []recordOrDelete{{Kind: "user", Key: "x", Value: []byte(`{"arn":"kept"}`)}}})
	if err := s.restore(strings.NewReader(older.String())); err != nil {
		t.Fatal(err)
	}
	if got := s.load().index; got != 7 {
		t.Errorf("the copy is of index %d after a snapshot of index 0 was read", got)
	}
}
