package autoscaling

import (
	"fmt"
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

// refreshing starts an instance refresh of the group.
func (w *world) refreshing(edit func(*instanceRefresh)) {
	w.t.Helper()
	r := instanceRefresh{ID: "r", Group: "g", Status: refreshPending, Start: w.clock, Moved: w.clock,
		Preferences: refreshPreferences{MinHealthy: 90, MaxHealthy: 100, Protected: "Wait", Standby: "Wait"}}
	edit(&r)
	w.write(func(tx *state.Txn) { instanceRefreshes.Put(tx, r.key(), r) })
}

func (w *world) refresh() (r instanceRefresh) {
	w.View(func(tx *state.Txn) error { r = refreshesOf(tx, "g")[0]; return nil })
	return r
}

// least steps until all is quiet, and returns how few and how many members served and were there meanwhile.
func (w *world) least() (least, most int) {
	w.t.Helper()
	least = 1000
	for range 200 {
		before := w.index()
		w.step()
		serving, there := 0, 0
		w.write(func(tx *state.Txn) {
			for _, m := range region.MembersOf(tx, "g") {
				if m.State == region.MemberInService {
					serving++
				}
				if m.State.Counts() {
					there++
				}
			}
			for _, v := range region.Instances.List(tx) {
				switch v.State {
				case region.InstancePending:
					region.RunInstance(tx, v.ID, w.clock)
				case region.InstanceShuttingDown:
					region.EndTermination(tx, v.ID, w.clock)
				}
			}
		})
		least, most = min(least, serving), max(most, there)
		if w.index() == before {
			return least, most
		}
	}
	w.t.Fatal("it does not come to rest")
	return 0, 0
}

func TestRefreshReplacesWithinItsPercentages(t *testing.T) {
	for name, c := range map[string]struct{ min, max, least, most int }{
		"terminate first":     {50, 100, 5, 10},
		"one at a time":       {100, 100, 9, 10},
		"launch first":        {100, 120, 10, 12},
		"launch all together": {100, 200, 10, 20},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(g *region.AutoScalingGroup) { g.Max = 20 })
			w.desired(10)
			w.clock = w.clock.Add(time.Minute)
			w.refreshing(func(r *instanceRefresh) { r.Preferences.MinHealthy, r.Preferences.MaxHealthy = c.min, c.max })
			least, most := w.least()
			if least != c.least || most != c.most {
				t.Errorf("from %d to %d members, want from %d to %d", least, most, c.least, c.most)
			}
			r := w.refresh()
			w.want("refresh", fmt.Sprint(r.Status, " ", r.percentage(), " ", r.Left), "Successful 100 0")
			for _, m := range w.members() {
				if m.JoinedAt.Before(r.Start) {
					t.Errorf("%s stays", m.InstanceID)
				}
			}
			w.want("members", fmt.Sprint(len(w.members())), "10")
		})
	}
}

func TestRefreshTakesItsConfigurationWhenItHasSucceeded(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.desired(2)
	w.clock = w.clock.Add(time.Minute)
	warmup := 30
	w.refreshing(func(r *instanceRefresh) {
		r.Template, r.Preferences.Warmup = &region.TemplateRef{ID: "lt-2", Name: "other", Version: "7"}, &warmup
	})
	w.settle()
	w.want("refresh", w.refresh().Status, "InProgress")
	w.want("template", w.group().Template.ID, "lt-1")
	w.pass(30 * time.Second)
	w.pass(30 * time.Second)
	w.want("refresh", w.refresh().Status, "Successful")
	w.want("template", w.group().Template.ID, "lt-2")
	for _, m := range w.members() {
		w.want("member's", m.Template.ID+" "+m.Template.Version, "lt-2 7")
	}
}

func TestRefreshWaitsAtItsCheckpoints(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.desired(4)
	w.clock = w.clock.Add(time.Minute)
	delay := 600
	w.refreshing(func(r *instanceRefresh) {
		r.Preferences.MinHealthy, r.Preferences.Checkpoints, r.Preferences.Delay = 50, []int{50, 100}, &delay
	})
	w.settle()
	r := w.refresh()
	w.want("refresh", fmt.Sprint(r.Status, " ", r.percentage(), " ", r.Reason), "InProgress 50 Waiting for checkpoint delay at 50%.")
	w.pass(10 * time.Minute)
	w.want("refresh", w.refresh().Status, "Successful")
}

func TestCancelledRefreshLeavesWhatItHasDone(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	w.desired(4)
	w.clock = w.clock.Add(time.Minute)
	warmup := 60
	w.refreshing(func(r *instanceRefresh) {
		r.Template, r.Preferences.Warmup = &region.TemplateRef{ID: "lt-2", Name: "other", Version: "7"}, &warmup
	})
	w.settle()
	w.write(func(tx *state.Txn) {
		r := refreshesOf(tx, "g")[0]
		r.Status = refreshCancelling
		instanceRefreshes.Put(tx, r.key(), r)
	})
	w.settle()
	w.want("refresh", w.refresh().Status, "Cancelled")
	w.want("template", w.group().Template.ID, "lt-1")
	w.want("members", fmt.Sprint(len(w.members())), "4")
}
