package region

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/state"
)

// rolling is a region whose cluster ID is changed to version 1.37 by the update "u".
func rolling(t *testing.T, rollout Rollout) *state.Memory {
	t.Helper()
	m := NewMemory(func(tx *state.Txn) {
		Clusters.Put(tx, "ID", Cluster{ID: "ID", Name: "demo", Version: "1.36", Status: ClusterActive})
	})
	change(t, m, func(tx *state.Txn) {
		c, _ := Clusters.Get(tx, "ID")
		update, err := BeginRollout(tx, c, Update{ID: "u", ClusterID: "ID", Type: "VersionUpdate"}, rollout, nil)
		if err != nil || update.Status != UpdateInProgress {
			t.Errorf("got %+v, %v", update, err)
		}
	})
	return m
}

func advance(t *testing.T, m *state.Memory, step RolloutStep) (c Cluster, ended Update) {
	t.Helper()
	change(t, m, func(tx *state.Txn) { c, ended = AdvanceRollout(tx, "ID", "u", len(zones), began, step) })
	return c, ended
}

// through are the steps of zones whose new processes come up.
func through(of ...string) (steps []RolloutStep) {
	for _, zone := range of {
		steps = append(steps, ZoneBegins(zone), ZoneIsDone(zone))
	}
	return steps
}

func back(of ...string) (steps []RolloutStep) {
	for _, zone := range of {
		steps = append(steps, ZoneWentBack(zone))
	}
	return steps
}

func cancel(c *Cluster, r *Rollout) { r.Cancelled, r.Failure = true, "it was cancelled" }

func ask(c *Cluster, _ *Rollout) { c.FaultedAt = &began }

// The zones' steps end the rollout, and its update, when all are through or all have gone back, and not before.
func TestRolloutTransitions(t *testing.T) {
	a, b, c := zones[0], zones[1], zones[2]
	join := func(all ...[]RolloutStep) (steps []RolloutStep) {
		for _, some := range all {
			steps = append(steps, some...)
		}
		return steps
	}
	one := func(steps ...RolloutStep) []RolloutStep { return steps }
	for _, story := range []struct {
		name    string
		status  UpdateStatus // after the last step; before it the update is under way
		version string
		reason  string
		steps   []RolloutStep
	}{
		{"all zones are through", UpdateSuccessful, "1.37", "",
			join(through(a, b), one(ZoneBegins(c), LastZoneIsDone(c, "faulted")))},
		{"a zone says so twice", UpdateInProgress, "1.36", "",
			join(through(a, a, b))},
		{"the first zone fails", UpdateFailed, "1.36", "broken",
			one(ZoneBegins(a), RolloutFails("broken"), ZoneWentBack(a))},
		{"the first reason counts", UpdateFailed, "1.36", "broken",
			one(ZoneBegins(a), RolloutFails("broken"), RolloutFails("worse"), ZoneWentBack(a))},
		{"two zones have to go back", UpdateInProgress, "1.36", "",
			join(through(a), one(ZoneBegins(b), RolloutFails("broken")), back(b))},
		{"two zones go back", UpdateFailed, "1.36", "broken",
			join(through(a), one(ZoneBegins(b), RolloutFails("broken")), back(b, a))},
		{"it fails in the last zone", UpdateFailed, "1.36", "faulted",
			join(one(ask), through(a, b), one(ZoneBegins(c), LastZoneIsDone(c, "faulted")), back(c, b, a))},
		{"it is cancelled", UpdateCancelled, "1.36", "",
			join(through(a), one(cancel), back(a))},
		{"it is cancelled before a zone", UpdateCancelled, "1.36", "",
			one(cancel)},
		{"nobody begins when it fails", UpdateFailed, "1.36", "broken",
			one(ZoneBegins(a), RolloutFails("broken"), ZoneBegins(b), ZoneWentBack(a))},
		{"nobody is done when it goes on", UpdateFailed, "1.36", "broken",
			one(ZoneBegins(a), RolloutFails("broken"), ZoneIsDone(a), ZoneWentBack(a))},
	} {
		t.Run(story.name, func(t *testing.T) {
			m := rolling(t, Rollout{To: "1.37"})
			for i, step := range story.steps {
				cluster, ended := advance(t, m, step)
				if last := i == len(story.steps)-1; (ended.ID != "") != (last && story.status != UpdateInProgress) {
					t.Fatalf("step %d: the cluster is %s, and %+v has ended", i, cluster.Status, ended)
				}
			}
			cluster, update := stored(t, m, "ID", "u")
			over := story.status != UpdateInProgress
			if update.Status != story.status || cluster.Version != story.version {
				t.Errorf("the update is %s, and the version %s", update.Status, cluster.Version)
			}
			if (cluster.Rollout == nil) != over || (cluster.Status == ClusterActive) != over {
				t.Errorf("the cluster is %s with %+v", cluster.Status, cluster.Rollout)
			}
			var want []UpdateError
			if story.reason != "" {
				want = []UpdateError{{Code: "Unknown", Message: story.reason}}
			}
			if diff := cmp.Diff(want, update.Errors); diff != "" {
				t.Errorf("its errors (-want +got):\n%s", diff)
			}
			if cluster.FaultedAt != nil {
				t.Error("the fault is still asked for")
			}
			if cluster, ended := advanceOf(t, m, "another"); cluster.ID != "" || ended.ID != "" {
				t.Errorf("a step of another update counts: %+v", cluster)
			}
		})
	}
}

// advanceOf is a step of the update with that id.
func advanceOf(t *testing.T, m *state.Memory, id string) (c Cluster, ended Update) {
	t.Helper()
	change(t, m, func(tx *state.Txn) {
		c, ended = AdvanceRollout(tx, "ID", id, len(zones), began, RolloutFails("late"))
	})
	return c, ended
}

func TestRolloutBringsVersionSettingsAndAuthorities(t *testing.T) {
	m := rolling(t, Rollout{To: "1.37", Components: &Components{DatabaseGB: 16}, Settings: []byte(`{"tier":"big"}`)})
	for _, step := range through(zones...) {
		advance(t, m, step)
	}
	c, _ := stored(t, m, "ID", "u")
	if c.Version != "1.37" || c.UpgradedFrom != "1.36" || !c.UpgradedAt.Equal(began) {
		t.Errorf("it has version %s since %v, from %s", c.Version, c.UpgradedAt, c.UpgradedFrom)
	}
	if c.Components.DatabaseGB != 16 || string(c.Settings) != `{"tier":"big"}` {
		t.Errorf("got %+v and %s", c.Components, c.Settings)
	}
	m = rolling(t, Rollout{To: "1.36", Components: &Components{DatabaseGB: 16}})
	for _, step := range through(zones...) {
		advance(t, m, step)
	}
	if c, _ := stored(t, m, "ID", "u"); c.UpgradedAt != nil || c.Components.DatabaseGB != 16 {
		t.Errorf("other settings count as an upgrade: %+v", c)
	}
}

func TestCancelIsForWhatGoesForward(t *testing.T) {
	m := rolling(t, Rollout{To: "1.37"})
	advance(t, m, ZoneBegins(zones[0]))
	for _, step := range []struct {
		update string
		want   error
	}{{"another", ErrNotRollingOut}, {"u", nil}, {"u", ErrGoingBack}} {
		change(t, m, func(tx *state.Txn) {
			c, _ := Clusters.Get(tx, "ID")
			if err := CancelRollout(tx, c, step.update); !errors.Is(err, step.want) {
				t.Errorf("%s: got %v, want %v", step.update, err, step.want)
			}
		})
	}
	advance(t, m, ZoneWentBack(zones[0]))
	change(t, m, func(tx *state.Txn) {
		c, _ := Clusters.Get(tx, "ID")
		if err := CancelRollout(tx, c, "u"); !errors.Is(err, ErrNotRollingOut) {
			t.Errorf("when it is over: %v", err)
		}
	})
}

func TestFaultIsAskedForByName(t *testing.T) {
	m := rolling(t, Rollout{To: "1.37"})
	now := time.Now()
	change(t, m, func(tx *state.Txn) {
		for _, at := range []*time.Time{&now, nil} {
			found := FaultNextRollout(tx, "demo", at)
			if c, _ := Clusters.Get(tx, "ID"); !found || (c.FaultedAt == nil) != (at == nil) {
				t.Errorf("got %t, %v, want %v", found, c.FaultedAt, at)
			}
		}
		if FaultNextRollout(tx, "nobody", &now) {
			t.Error("a cluster that is not there was found")
		}
	})
}
