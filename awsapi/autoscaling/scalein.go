package autoscaling

import (
	"slices"
	"time"

	"tripod/region"
)

// scaleIn terminates what the group has too much.
func (c *scene) scaleIn(has, wants int) error {
	var chosen []*member
	left := has
	if c.g.DeletedAt != nil {
		chosen = c.which(func(m *member) bool {
			return m.State.Counts() || m.State == region.MemberStandby
		})
		left = 0
	}
	for left > wants {
		m := c.nextToGo(chosen, left-wants)
		if m == nil {
			break // all others are protected, or too heavy
		}
		chosen, left = append(chosen, m), left-m.weight()
	}
	if len(chosen) == 0 {
		return nil
	}
	sentences := []string{c.g.Asked, at(c.now, saysTaken, has, left)}
	for _, m := range chosen {
		sentences = append(sentences, at(c.now, saysSelected, m.InstanceID))
	}
	for _, m := range chosen {
		if err := c.begin(m, cause(sentences...)); err != nil {
			return err
		}
	}
	return nil
}

// nextToGo is the member that scaling in takes next, of those that are not chosen yet and weigh no more than excess.
func (c *scene) nextToGo(chosen []*member, excess int) *member {
	may := c.which(func(m *member) bool {
		return m.State.Counts() && !m.Protected && m.Replacing == "" && !slices.Contains(chosen, m) && m.weight() <= excess
	})
	if len(may) == 0 {
		return nil
	}
	may = c.inFullestZone(may, chosen)
	policies := c.g.TerminationPolicies
	if len(policies) == 0 {
		policies = []string{"Default"}
	}
	for _, policy := range policies {
		may = c.narrow(may, policy, chosen)
	}
	return may[0]
}

// inFullestZone are those members that are in the zone with the most, of the zones that any of them is in.
func (c *scene) inFullestZone(may, chosen []*member) []*member {
	count := map[string]int{}
	for _, m := range c.members {
		if m.State.Counts() && m.Replacing == "" && !slices.Contains(chosen, m) {
			count[m.instance.Zone]++
		}
		// A zone that is not the group's any more is emptied first.
		if !slices.Contains(c.g.Zones, m.instance.Zone) {
			count[m.instance.Zone] += len(c.members)
		}
	}
	most := 0
	for _, m := range may {
		most = max(most, count[m.instance.Zone])
	}
	return slices.DeleteFunc(may, func(m *member) bool { return count[m.instance.Zone] < most })
}

// narrow keeps those members that a termination policy would take. Policies that are Lambda functions are not asked:
// they count as Default.
func (c *scene) narrow(may []*member, policy string, chosen []*member) []*member {
	switch policy {
	case "OldestInstance":
		return least(may, func(m *member) int64 { return m.instance.Launched.UnixNano() })
	case "NewestInstance":
		return least(may, func(m *member) int64 { return -m.instance.Launched.UnixNano() })
	case "OldestLaunchConfiguration":
		return least(may, c.configurationAge)
	case "OldestLaunchTemplate":
		return least(may, c.templateAge)
	case "ClosestToNextInstanceHour":
		return least(may, c.toNextHour)
	case "AllocationStrategy":
		return c.misallocated(may, chosen)
	}
	may = c.misallocated(may, chosen)
	may = least(may, c.templateAge)
	return least(may, c.toNextHour)
}

// least keeps those members with the least value.
func least(some []*member, value func(*member) int64) []*member {
	lowest := value(some[0])
	for _, m := range some {
		lowest = min(lowest, value(m))
	}
	return slices.DeleteFunc(some, func(m *member) bool { return value(m) > lowest })
}

// configurationAge sorts members by their launch configurations: one that is gone is the oldest.
func (c *scene) configurationAge(m *member) int64 {
	if m.Configuration == "" {
		return int64(^uint64(0) >> 1)
	}
	config, found := launchConfigurations.Get(c.tx, m.Configuration)
	if !found {
		return 0
	}
	return config.CreatedAt.UnixNano()
}

// templateAge sorts members by what they were launched by: a launch configuration, a launch template that is not the
// group's, the versions of its own.
func (c *scene) templateAge(m *member) int64 {
	current := c.g.Template
	if c.g.Mixed != nil {
		current = &c.g.Mixed.Template
	}
	switch {
	case current == nil:
		return c.configurationAge(m)
	case m.Template == nil:
		return 0
	case m.Template.ID != current.ID && m.Template.Name != current.Name:
		return 1
	}
	return int64(1 + versionOf(m))
}

// toNextHour is how long it is to a member's next full hour.
func (c *scene) toNextHour(m *member) int64 {
	return int64(time.Hour - c.now.Sub(m.instance.Launched)%time.Hour)
}

// misallocated keeps those members of a mixed group that are of the kind of which it has too many, Spot or On-Demand,
// and of these the ones whose type the policy wants least.
func (c *scene) misallocated(may, chosen []*member) []*member {
	if c.g.Mixed == nil {
		return may
	}
	total, onDemand := 0, 0
	for _, m := range c.members {
		if m.State.Counts() && m.Replacing == "" && !slices.Contains(chosen, m) {
			total += m.weight()
			if !m.instance.Launch.Spot {
				onDemand += m.weight()
			}
		}
	}
	tooMany := onDemand > onDemandOf(*c.g.Mixed, total-1)
	kind := slices.DeleteFunc(slices.Clone(may), func(m *member) bool { return m.instance.Launch.Spot == tooMany })
	if len(kind) == 0 {
		kind = may
	}
	order := map[string]int64{}
	for i, o := range c.offers().all {
		order[o.Type] = -int64(i)
	}
	return least(kind, func(m *member) int64 {
		place, listed := order[m.instance.Launch.Type]
		if !listed {
			return -int64(len(order))
		}
		return place
	})
}
