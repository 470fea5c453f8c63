package autoscaling

import (
	"slices"
	"time"

	"tripod/region"
	"tripod/state"
)

// scheduledAction changes a group's sizes at a time, or again and again.
type scheduledAction struct {
	Group      string    `json:"group"`
	Name       string    `json:"name"`
	ARN        string    `json:"arn"`
	Start      time.Time `json:"start,omitzero"`
	End        time.Time `json:"end,omitzero"`
	Recurrence string    `json:"recurrence,omitempty"`
	TimeZone   string    `json:"timeZone,omitempty"`
	Min        *int      `json:"min,omitempty"`
	Max        *int      `json:"max,omitempty"`
	Desired    *int      `json:"desired,omitempty"`
	// Next is when it acts next; zero: never again.
	Next time.Time `json:"next,omitzero"`
}

// scheduledActions are by group and name.
var scheduledActions = state.NewTable[scheduledAction]("auto-scaling-schedule")

func (a scheduledAction) key() string { return a.Group + "/" + a.Name }

// actionsOf are a group's scheduled actions, in the order of their names.
func actionsOf(tx *state.Txn, group string) []scheduledAction {
	return slices.DeleteFunc(scheduledActions.Under(tx, group+"/"),
		func(a scheduledAction) bool { return a.Group != group })
}

// following is when the action acts first after a time.
func (a scheduledAction) following(after time.Time) (next time.Time) {
	if a.Recurrence == "" {
		if a.Start.After(after) {
			return a.Start
		}
		return time.Time{}
	}
	rule, ok := parseCron(a.Recurrence)
	if !ok {
		return time.Time{}
	}
	place := time.UTC
	if loaded, err := time.LoadLocation(a.TimeZone); err == nil && a.TimeZone != "" {
		place = loaded
	}
	if a.Start.After(after) {
		after = a.Start.Add(-time.Minute)
	}
	next = rule.next(after.In(place))
	if next.IsZero() || !a.End.IsZero() && next.After(a.End) {
		return time.Time{}
	}
	return next.UTC()
}

// followSchedule does what the group's scheduled actions say for this time.
func (c *scene) followSchedule() error {
	if c.g.DeletedAt != nil {
		return nil
	}
	for _, a := range actionsOf(c.tx, c.g.Name) {
		switch {
		case a.Next.IsZero(): // it has acted for the last time
			if a.Recurrence == "" || !a.End.IsZero() && c.now.After(a.End) {
				scheduledActions.Delete(c.tx, a.key())
			}
			continue
		case !c.due(a.Next):
			continue
		}
		if !c.suspended("ScheduledActions") {
			c.resize(a)
		}
		a.Next = a.following(c.now)
		c.wake(a.Next)
		scheduledActions.Put(c.tx, a.key(), a)
		if a.Next.IsZero() && a.Recurrence == "" {
			scheduledActions.Delete(c.tx, a.key())
		}
	}
	return nil
}

// resize gives a group the sizes of a scheduled action.
func (c *scene) resize(a scheduledAction) {
	g, was := &c.g, c.g.Desired
	setSizes(g, a.Min, a.Max, a.Desired)
	if g.Desired != was {
		g.Asked = at(c.now, saysScheduled, g.Min, g.Max, g.Desired, was, g.Desired)
		g.ScaledAt = c.now
		g.RetryAt = time.Time{}
	}
}

// setSizes gives a group sizes where they are given, and keeps the desired capacity within the others.
func setSizes(g *region.AutoScalingGroup, least, most, desired *int) {
	if least != nil {
		g.Min = *least
	}
	if most != nil {
		g.Max = *most
	}
	if desired != nil {
		g.Desired = *desired
	}
	g.Desired = max(g.Min, min(g.Desired, g.Max))
}
