package autoscaling

import (
	"testing"
	"time"

	"tripod/region"
	"tripod/state"
)

func TestCronComesAgain(t *testing.T) {
	for _, c := range []struct{ rule, after, want string }{
		{"0 9 * * *", "2026-03-04T05:06:07Z", "2026-03-04T09:00:00Z"},
		{"0 9 * * *", "2026-03-04T09:00:00Z", "2026-03-05T09:00:00Z"},
		{"*/15 * * * *", "2026-03-04T05:06:07Z", "2026-03-04T05:15:00Z"},
		{"30 1-3 * * MON-FRI", "2026-03-06T03:30:00Z", "2026-03-09T01:30:00Z"},
		{"0 0 29 2 *", "2026-03-04T00:00:00Z", "2028-02-29T00:00:00Z"},
		{"0 0 1 * 7", "2026-03-04T00:00:00Z", "2026-03-08T00:00:00Z"}, // the first, or a Sunday
		{"@hourly", "2026-12-31T23:30:00Z", "2027-01-01T00:00:00Z"},
		{"0 0 31 2 *", "2026-03-04T00:00:00Z", "0001-01-01T00:00:00Z"},
	} {
		after, _ := time.Parse(time.RFC3339, c.after)
		rule, ok := parseCron(c.rule)
		if got := rule.next(after).UTC().Format(time.RFC3339); !ok || got != c.want {
			t.Errorf("%s after %s: got %s, want %s", c.rule, c.after, got, c.want)
		}
	}
	for _, wrong := range []string{"", "* * * *", "60 * * * *", "a * * * *", "5-1 * * * *", "*/0 * * * *", "* * * 13 *"} {
		if _, ok := parseCron(wrong); ok {
			t.Errorf("%q is taken for a recurrence", wrong)
		}
	}
}

func TestScheduledActionsFollowTheClock(t *testing.T) {
	w := newWorld(t, func(*region.AutoScalingGroup) {})
	two, five := 2, 5
	w.write(func(tx *state.Txn) {
		once := scheduledAction{Group: "g", Name: "once", Start: w.clock.Add(time.Hour), Desired: &two}
		daily := scheduledAction{Group: "g", Name: "daily", Recurrence: "0 9 * * *", TimeZone: "Europe/Berlin", Max: &five,
			Min: &five}
		once.Next, daily.Next = once.following(w.clock), daily.following(w.clock)
		scheduledActions.Put(tx, once.key(), once)
		scheduledActions.Put(tx, daily.key(), daily)
	})
	w.settle()
	w.want("next", w.again.Format(time.RFC3339), "2026-03-04T06:06:07Z")
	w.pass(time.Hour)
	w.want("zones", w.zones(), "a1 b1")
	w.want("cause", w.activities()[0].Cause[:len("At 2026-03-04T06:06:07Z a scheduled action update of AutoScalingGroup "+
		"constraints to min: 0, max: 10, desired: 2 changing the desired capacity from 0 to 2.")],
		"At 2026-03-04T06:06:07Z a scheduled action update of AutoScalingGroup constraints to min: 0, max: 10, desired: 2 "+
			"changing the desired capacity from 0 to 2.")
	w.want("next", w.again.UTC().Format(time.RFC3339), "2026-03-04T08:00:00Z") // nine in Berlin
	w.pass(2 * time.Hour)
	w.want("zones", w.zones(), "a2 b2 c1")
}

// measured is a metric of all groups.
type measured float64

func (m measured) GroupMetric(*state.Txn, string, string, time.Time) (float64, bool) {
	return float64(m), m >= 0
}

func TestTargetTrackingFollowsItsMetric(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Min, g.Desired = 1, 4 })
	fifty := 50.0
	w.write(func(tx *state.Txn) {
		p := scalingPolicy{ID: "id", Group: "g", Name: "cpu", Type: trackingScaling, Target: &targetTracking{TargetValue: &fifty,
			Predefined: &predefinedMetric{Type: "ASGAverageCPUUtilization"}}}
		scalingPolicies.Put(tx, p.key(), p)
	})
	w.settle()
	for _, c := range []struct {
		metric float64
		want   int
	}{{75, 6}, {50, 6}, {46, 6}, {-1, 6}, {20, 3}, {1000, 10}, {0, 1}} {
		w.Metrics = measured(c.metric)
		w.pass(trackEvery)
		if n := len(w.members()); n != c.want {
			t.Errorf("at %v: %d members, want %d", c.metric, n, c.want)
		}
	}
	w.Metrics = nil
	w.pass(trackEvery)
}

func TestPoliciesAdjustAsTheirTypesMean(t *testing.T) {
	two := 2
	for _, c := range []struct {
		kind              string
		has, change, want int
		magnitude         *int
	}{
		{"ChangeInCapacity", 4, -1, 3, nil}, {"ExactCapacity", 4, 7, 7, nil}, {"PercentChangeInCapacity", 4, 50, 6, nil},
		{"PercentChangeInCapacity", 10, 15, 11, nil}, {"PercentChangeInCapacity", 4, 10, 5, nil},
		{"PercentChangeInCapacity", 4, -10, 3, nil}, {"PercentChangeInCapacity", 4, 10, 6, &two},
	} {
		if got := adjusted(scalingPolicy{Adjustment: c.kind, Magnitude: c.magnitude}, c.has, c.change); got != c.want {
			t.Errorf("%s of %d by %d: got %d, want %d", c.kind, c.has, c.change, got, c.want)
		}
	}
}
