package autoscaling

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// keep calls Keep, and has instances do what follows by itself, until nothing changes; it returns when the clock is
// awaited.
func (w *world) keep() (again time.Duration) {
	w.t.Helper()
	for range 200 {
		before := w.index()
		var err error
		if again, err = w.Keep(context.Background()); err != nil {
			w.t.Fatal(err)
		}
		w.write(func(tx *state.Txn) {
			for _, v := range region.Instances.List(tx) {
				switch v.State {
				case region.InstancePending:
					region.RunInstance(tx, v.ID, w.clock)
				case region.InstanceShuttingDown:
					region.EndTermination(tx, v.ID, w.clock)
				}
			}
		})
		if w.index() == before {
			if again == 0 || again > time.Second {
				return again
			}
			w.clock = w.clock.Add(again) // a group that had much to do rests
		}
	}
	w.t.Fatal("it does not come to rest")
	return 0
}

func TestKeepStepsGroupsThatHaveChanged(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Desired = 3 })
	if again := w.keep(); again != 0 {
		t.Errorf("at rest it is called again after %v", again)
	}
	w.want("zones", w.zones(), "a1 b1 c1")
	if due, err := w.dueGroups(w.clock, func(time.Time) {}); err != nil || len(due) > 0 {
		t.Errorf("at rest %v is due, %v", due, err)
	}
	w.write(func(tx *state.Txn) { region.TerminateInstance(tx, "i-0002", region.UserShutdown, w.clock) })
	w.keep()
	w.want("zones", w.zones(), "a1 b1 c1")

	// Capacity that comes back is used at once.
	for _, zone := range []string{"a", "b", "c"} {
		w.ec2.capacity["us-east-1"+zone] = 1
	}
	w.edit(func(g *region.AutoScalingGroup) { g.Desired = 4 })
	if again := w.keep(); again != firstRetry {
		t.Errorf("without capacity it is called again after %v", again)
	}
	delete(w.ec2.capacity, "us-east-1b")
	w.write(func(tx *state.Txn) {
		region.Capacities.Put(tx, "us-east-1c/", region.Capacity{Zone: "us-east-1c", Instances: 1})
	})
	w.keep()
	w.want("zones", w.zones(), "a1 b2 c1")
}

func TestChangesOfInstancesAreNoConflictOfAStep(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Desired = 3 })
	w.keep()
	boots := 0
	w.ec2.during = func() {
		boots++
		w.write(func(tx *state.Txn) {
			region.NoteBoot(tx, "i-0002", region.Boot{At: w.clock, Lines: []string{fmt.Sprint(boots)}})
		})
	}
	w.edit(func(g *region.AutoScalingGroup) { g.Desired = 4 })
	w.keep()
	w.want("zones", w.zones(), "a2 b1 c1")
	if boots != 1 {
		t.Errorf("one launch was tried %d times", boots)
	}
}

// BenchmarkKeepAtRest is what a change elsewhere costs where 10 groups have 1,000 instances.
func BenchmarkKeepAtRest(b *testing.B) {
	t := &testing.T{}
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.write(func(tx *state.Txn) {
		for i := range 10 {
			g := region.AutoScalingGroup{Name: fmt.Sprint("group-", i), Desired: 100, Max: 100, Zones: []string{"us-east-1a"}}
			region.AutoScalingGroups.Put(tx, g.Name, g)
			for n := range 100 {
				id := fmt.Sprintf("i-%d-%d", i, n)
				v, _ := region.LaunchInstance(tx, region.Instance{ID: id, Group: g.Name, Zone: "us-east-1a"}, w.clock)
				region.JoinGroup(tx, region.GroupMember{InstanceID: v.ID, Group: g.Name}, w.clock)
			}
		}
	})
	w.keep()
	for b.Loop() {
		if _, err := w.Keep(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}
