package autoscaling

import (
	"math"
	"slices"
	"time"

	"tripod/region"
	"tripod/state"
)

// Metrics are measurements of groups.
type Metrics interface {
	// GroupMetric is the average of a metric such as CPUUtilization (percent) over a group's instances; known is false
	// where nobody measures it.
	GroupMetric(tx *state.Txn, group, metric string, now time.Time) (value float64, known bool)
}

// trackEvery is how often target tracking looks at its metric.
const trackEvery = time.Minute

// predefinedMetrics are those of target tracking, by the name that CloudWatch has for them.
var predefinedMetrics = map[string]string{
	"ASGAverageCPUUtilization": "CPUUtilization", "ASGAverageNetworkIn": "NetworkIn",
	"ASGAverageNetworkOut": "NetworkOut", "ALBRequestCountPerTarget": "RequestCountPerTarget",
}

// track has the group's target tracking policies set its desired capacity, where somebody measures.
func (c *scene) track() error {
	if c.Metrics == nil || c.g.DeletedAt != nil || c.suspended("AlarmNotification") {
		return nil
	}
	policies := slices.DeleteFunc(policiesOf(c.tx, c.g.Name),
		func(p scalingPolicy) bool { return p.Target == nil || p.Disabled })
	if len(policies) == 0 || !c.due(c.g.ScaledAt.Add(trackEvery)) {
		return nil
	}
	c.wake(c.now.Add(trackEvery))
	has, wants, by := c.capacity(), 0, scalingPolicy{}
	alarm := "AlarmLow"
	for _, p := range policies {
		value, known := c.Metrics.GroupMetric(c.tx, c.g.Name, p.Target.metric(), c.now)
		if !known || p.Target.TargetValue == nil || *p.Target.TargetValue <= 0 {
			return nil // none scales in while one does not know
		}
		// Scaling in begins at a tenth below the target, as CloudWatch's alarms of target tracking do.
		ratio, target := value / *p.Target.TargetValue, has
		switch {
		case ratio > 1:
			target = int(math.Ceil(float64(has) * ratio))
		case ratio < 0.9 && !p.Target.noScaleIn():
			target = max(1, int(math.Ceil(float64(has)*ratio)))
		}
		if target > wants {
			wants, by = target, p
		}
	}
	wants = max(c.g.Min, min(wants, c.g.Max))
	if wants == c.g.Desired || wants < c.g.Desired && (has != c.g.Desired || c.serving(false) != has) {
		return nil
	}
	if wants > c.g.Desired {
		alarm = "AlarmHigh"
	}
	name := "TargetTracking-" + c.g.Name + "-" + alarm + "-" + by.ID
	c.g.Asked = at(c.now, saysTracking, name, by.Name, c.g.Desired, wants)
	c.g.Desired, c.g.ScaledAt, c.g.RetryAt = wants, c.now, time.Time{}
	return nil
}

// policiesOf are a group's scaling policies, in the order of their names.
func policiesOf(tx *state.Txn, group string) []scalingPolicy {
	return slices.DeleteFunc(scalingPolicies.Under(tx, group+"/"),
		func(p scalingPolicy) bool { return p.Group != group })
}

// forgetGroup deletes a group and what belongs to it, but for its activities.
func forgetGroup(tx *state.Txn, g region.AutoScalingGroup) {
	for _, p := range policiesOf(tx, g.Name) {
		scalingPolicies.Delete(tx, p.key())
	}
	for _, a := range actionsOf(tx, g.Name) {
		scheduledActions.Delete(tx, a.key())
	}
	for _, r := range refreshesOf(tx, g.Name) {
		instanceRefreshes.Delete(tx, r.key())
	}
	for _, shift := range region.ShiftsOf(tx, g.ARN) {
		region.ZonalShifts.Delete(tx, shift.ID)
	}
	for _, n := range notificationsOf(tx, g.Name) {
		notifications.Delete(tx, n.key())
	}
	region.AutoScalingGroups.Delete(tx, g.Name)
	forgetActivities(tx)
}
