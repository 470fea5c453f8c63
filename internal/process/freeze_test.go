package process

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// family is a group: its leader, and a child of that.
func family(t *testing.T) (parent *Child, grandchild Identity) {
	t.Helper()
	parent, reports := run(t, "parent", leader)
	grandchild = identify(t, pidOf(t, reports))
	t.Cleanup(func() { syscall.Kill(grandchild.PID, syscall.SIGCONT) })
	return parent, grandchild
}

func freeze(t *testing.T, leaders ...int) *Frozen {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	frozen, err := Freeze(ctx, leaders)
	if err != nil {
		t.Fatal(err)
	}
	return frozen
}

func TestFreezeStopsWholeGroupsAndThawLetsThemGoOn(t *testing.T) {
	one, ofOne := family(t)
	two, ofTwo := family(t)
	other, ofOther := family(t)
	frozen := freeze(t, one.PID(), two.PID())
	for _, pid := range []int{one.PID(), ofOne.PID, two.PID(), ofTwo.PID} {
		if !threadsStopped(pid) {
			t.Errorf("process %d runs when Freeze returns", pid)
		}
	}
	for _, pid := range []int{other.PID(), ofOther.PID} {
		if Paused(pid) {
			t.Errorf("process %d of another group is stopped", pid)
		}
	}
	if !frozen.Holds() {
		t.Error("they count as running")
	}
	for range 2 {
		if err := frozen.Thaw(); err != nil {
			t.Fatal(err)
		}
		for _, pid := range []int{one.PID(), ofOne.PID, two.PID(), ofTwo.PID} {
			if Paused(pid) {
				t.Errorf("process %d is stopped when Thaw returns", pid)
			}
		}
	}
}

func TestThawLeavesStoppedWhatFreezeFoundStopped(t *testing.T) {
	parent, grandchild := family(t)
	syscall.Kill(grandchild.PID, syscall.SIGSTOP)
	eventually(t, "paused", func() bool { return Paused(grandchild.PID) })
	if err := freeze(t, parent.PID()).Thaw(); err != nil {
		t.Fatal(err)
	}
	if Paused(parent.PID()) || !Paused(grandchild.PID) {
		t.Errorf("the leader, which ran, is stopped: %v; its child, which was stopped: %v", Paused(parent.PID()),
			Paused(grandchild.PID))
	}
}

func TestFrozenKnowsWhatSomebodyElseDoes(t *testing.T) {
	parent, grandchild := family(t)
	frozen := freeze(t, parent.PID())
	syscall.Kill(grandchild.PID, syscall.SIGCONT)
	if frozen.Holds() {
		t.Error("a process that somebody let go on counts as frozen")
	}
	syscall.Kill(grandchild.PID, syscall.SIGKILL)
	eventually(t, "what was killed writes no more", frozen.Holds)
	parent.Kill()
	if err := frozen.Thaw(); err != nil {
		t.Errorf("to thaw what is gone: %v", err)
	}
}

func TestFreezeThatIsGivenUpLeavesNothingStopped(t *testing.T) {
	parent, grandchild := family(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("somebody pressed Ctrl-C")
	cancel(why)
	for range 20 { // now and then all have stopped before anybody looks
		frozen, err := Freeze(ctx, []int{parent.PID()})
		if err == nil {
			err = frozen.Thaw()
		} else if errors.Is(err, why) {
			err = nil
		}
		if err != nil || Paused(parent.PID()) || Paused(grandchild.PID) {
			t.Fatalf("got %v; stopped: the leader %v, its child %v", err, Paused(parent.PID()), Paused(grandchild.PID))
		}
	}
}

func TestFreezeOfWhatIsGoneIsNoError(t *testing.T) {
	parent, _ := family(t)
	parent.Kill()
	if frozen := freeze(t, parent.PID()); !frozen.Holds() {
		t.Error("what is gone counts as running")
	}
}
