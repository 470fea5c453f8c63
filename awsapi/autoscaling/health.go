package autoscaling

import (
	"time"

	"tripod/region"
	"tripod/state"
)

// heal finds members that are not well and takes them out of service. What is missing then, scale launches.
func (c *scene) heal() error {
	for _, m := range c.members {
		if m.State != region.MemberInService {
			continue
		}
		if why := c.ailment(m); why != "" && !m.Unhealthy {
			c.edit(m, func(m *region.GroupMember) { m.Unhealthy, m.Why = true, why })
		}
		if !m.Unhealthy || c.suspended("ReplaceUnhealthy") || c.suspended("Terminate") || c.spared(m) {
			continue
		}
		why := m.Why
		if why == "" {
			why = whyUser
		}
		if err := c.begin(m, cause(at(c.now, saysUnhealthy, why))); err != nil {
			return err
		}
		if m.Replacing == "" {
			c.g.Unreplaced++
			if c.Pace.Replace > 0 {
				c.g.RetryAt = c.now.Add(c.Pace.Replace)
			}
		}
	}
	return nil
}

// ailment is what health checks of EC2, and where they count those of load balancers, say of a member, as causes tell it;
// empty: it is well, or not looked at.
func (c *scene) ailment(m *member) string {
	if c.suspended("HealthCheck") {
		return ""
	}
	v := m.instance
	grace := m.ServesSince.Add(time.Duration(c.g.HealthCheckGrace) * time.Second)
	switch {
	case v.ID == "":
		return whyEnded
	case v.State != region.InstanceRunning && v.State != region.InstancePending:
		// No grace period is given to an instance that does not run.
		if c.due(v.Since.Add(c.Pace.Health)) {
			return whyEnded
		}
	case !v.Impaired.IsZero():
		if c.due(v.Impaired.Add(c.Pace.impaired())) && c.due(grace) {
			return whyImpaired
		}
	case c.failsELB(m) && c.due(grace):
		return whyELB
	}
	return ""
}

// spared says whether an unhealthy member stays: in a zone that traffic is shifted away from, where the group is to
// ignore such.
func (c *scene) spared(m *member) bool {
	policy := c.g.ZoneImpairment
	return policy != nil && policy.ZonalShift && policy.Behavior == "IgnoreUnhealthy" && c.shiftedAway(m.instance.Zone)
}

// shiftedAway says whether a zonal shift moves the group's traffic away from a zone.
func (c *scene) shiftedAway(zone string) bool {
	if c.g.ZoneImpairment == nil || !c.g.ZoneImpairment.ZonalShift {
		return false
	}
	for _, shift := range region.ShiftsOf(c.tx, c.g.ARN) {
		if shift.Zone == zone && shift.Active(c.now) {
			c.wake(shift.ExpiresAt)
			return true
		}
	}
	return false
}

// closed says whether nothing is to be launched in a zone: it is lost, or traffic is shifted away from it.
func (c *scene) closed(zone string) bool {
	_, lost := region.ZoneOutages.Get(c.tx, zone)
	return lost || c.shiftedAway(zone)
}

// lostFor says whether a zone has been lost for so long that the instances which start there are given up.
func (c *scene) lostFor(zone string) bool {
	outage, lost := region.ZoneOutages.Get(c.tx, zone)
	return lost && c.due(outage.Since.Add(c.Pace.impaired()))
}

// Shiftable are the groups that follow zonal shifts, which have their ARNs where they have a cluster's id.
func (s *Service) Shiftable(tx *state.Txn) (all []region.AutoScalingGroup) {
	for _, g := range region.AutoScalingGroups.List(tx) {
		if g.ZoneImpairment != nil && g.ZoneImpairment.ZonalShift && g.DeletedAt == nil {
			all = append(all, g)
		}
	}
	return all
}
