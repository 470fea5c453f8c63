package autoscaling

import (
	"strings"
	"testing"

	"tripod/region"
	"tripod/state"
)

// TestAlarmsHavePoliciesFollowed by the policy's ARN, with the value that crossed the threshold.
func TestAlarmsHavePoliciesFollowed(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.Desired = 2 })
	two, five, border := 2, 5, 10.0
	w.write(func(tx *state.Txn) {
		scalingPolicies.Put(tx, "g/steps", scalingPolicy{Group: "g", Name: "steps", ARN: "arn:steps", Type: stepScaling,
			Adjustment: "ChangeInCapacity", Steps: []stepAdjustment{{Upper: &border, ScalingAdjustment: two},
				{Lower: &border, ScalingAdjustment: five}}})
		scalingPolicies.Put(tx, "g/off", scalingPolicy{Group: "g", Name: "off", ARN: "arn:off", Type: simpleScaling, Change: &two,
			Disabled: true})
	})
	for _, c := range []struct {
		arn     string
		value   float64
		desired int
		says    string
	}{
		{"arn:steps", 55, 4, ""}, {"arn:steps", 65, 9, ""}, {"arn:off", 55, 9, "disabled"}, {"arn:none", 55, 9, "not found"},
	} {
		var err error
		desired := 0
		w.write(func(tx *state.Txn) {
			err = w.Follow(tx, c.arn, c.value, 50, w.clock)
			g, _ := region.AutoScalingGroups.Get(tx, "g")
			desired = g.Desired
		})
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || desired != c.desired {
			t.Errorf("%s with %v: %d instances are wanted, %v", c.arn, c.value, desired, err)
		}
	}
}
