package region

import (
	"errors"
	"testing"
	"time"

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
	for name, story := range map[string]struct {
		steps   []RolloutStep
		status  UpdateStatus // after the last step; before it the update is under way
		version string
		reason  string
	}{
		"all zones are through":          {join(through(a, b), one(ZoneBegins(c), LastZoneIsDone(c, "faulted"))), UpdateSuccessful, "1.37", ""},
		"a zone says so twice":           {join(through(a, a, b)), UpdateInProgress, "1.36", ""},
		"the first zone fails":           {one(ZoneBegins(a), RolloutFails("broken"), ZoneWentBack(a)), UpdateFailed, "1.36", "broken"},
		"the first reason counts":        {one(ZoneBegins(a), RolloutFails("broken"), RolloutFails("worse"), ZoneWentBack(a)), UpdateFailed, "1.36", "broken"},
		"two zones have to go back":      {join(through(a), one(ZoneBegins(b), RolloutFails("broken")), back(b)), UpdateInProgress, "1.36", ""},
		"two zones go back":              {join(through(a), one(ZoneBegins(b), RolloutFails("broken")), back(b, a)), UpdateFailed, "1.36", "broken"},
		"it fails in the last zone":      {join(one(ask), through(a, b), one(ZoneBegins(c), LastZoneIsDone(c, "faulted")), back(c, b, a)), UpdateFailed, "1.36", "faulted"},
		"it is cancelled":                {join(through(a), one(cancel), back(a)), UpdateCancelled, "1.36", ""},
		"it is cancelled before a zone":  {one(cancel), UpdateCancelled, "1.36", ""},
		"nobody begins when it fails":    {one(ZoneBegins(a), RolloutFails("broken"), ZoneBegins(b), ZoneWentBack(a)), UpdateFailed, "1.36", "broken"},
		"nobody is done when it goes on": {one(ZoneBegins(a), RolloutFails("broken"), ZoneIsDone(a), ZoneWentBack(a)), UpdateFailed, "1.36", "broken"},
	} {
		t.Run(name, func(t *testing.T) {
			m := rolling(t, Rollout{To: "1.37"})
			for i, step := range story.steps {
				cluster, ended := advance(t, m, step)
				if last := i == len(story.steps)-1; (ended.ID != "") != (last && story.status != UpdateInProgress) {
					t.Fatalf("step %d: the cluster is %s, and %+v has ended", i, cluster.Status, ended)
				}
			}
			cluster, update := stored(t, m, "ID", "u")
			over := story.status != UpdateInProgress
			if update.Status != story.status || cluster.Version != story.version || (cluster.Rollout == nil) != over || (cluster.Status == ClusterActive) != over {
				t.Errorf("the update is %s, the cluster %s with version %s and %+v", update.Status, cluster.Status, cluster.Version, cluster.Rollout)
			}
			if story.reason == "" && len(update.Errors) != 0 || story.reason != "" && (len(update.Errors) != 1 || update.Errors[0].Message != story.reason) {
				t.Errorf("its errors are %+v, want %q", update.Errors, story.reason)
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
	change(t, m, func(tx *state.Txn) { c, ended = AdvanceRollout(tx, "ID", id, len(zones), began, RolloutFails("late")) })
	return c, ended
}

func TestRolloutBringsVersionSettingsAndAuthorities(t *testing.T) {
	m := rolling(t, Rollout{To: "1.37", Components: &Components{DatabaseGB: 16}, Settings: []byte(`{"tier":"big"}`)})
	for _, step := range through(zones...) {
		advance(t, m, step)
	}
	c, _ := stored(t, m, "ID", "u")
	if c.Version != "1.37" || c.UpgradedFrom != "1.36" || !c.UpgradedAt.Equal(began) || c.Components.DatabaseGB != 16 || string(c.Settings) != `{"tier":"big"}` {
		t.Errorf("got %+v", c)
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
