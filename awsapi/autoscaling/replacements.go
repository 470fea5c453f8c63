package autoscaling

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/region"
)

// beginReplacements marks members that are in order and are to be replaced all the same: Spot Instances that EC2 takes
// back, where the group is to act on that, and instances that have lived long enough. They serve on until others do.
func (c *scene) beginReplacements() error {
	if c.g.DeletedAt != nil || c.suspended("Launch") || c.suspended("Terminate") {
		return nil
	}
	under := 0
	for _, m := range c.members {
		if m.Replacing == region.ReplaceOld && m.State == region.MemberInService {
			under++
		}
	}
	life := time.Duration(c.g.MaxInstanceLifetime) * time.Second
	for _, m := range c.members {
		if m.State != region.MemberInService || m.Replacing != "" || m.Unhealthy {
			continue
		}
		switch {
		case c.g.CapacityRebalance && m.instance.Spot != nil:
			c.edit(m, func(m *region.GroupMember) { m.Replacing = region.ReplaceSpot })
		case life > 0 && !m.Protected && c.due(m.instance.Launched.Add(life)) && under < tenth(c.desired()):
			c.edit(m, func(m *region.GroupMember) { m.Replacing = region.ReplaceOld })
			under++
		}
	}
	return nil
}

// tenth is a tenth of a number, but at least 1: so many instances more than desired there may be for a while.
func tenth(n int) int { return max(1, n/10) }

// endReplaced terminates members whose replacements are in service.
func (c *scene) endReplaced() error {
	if c.suspended("Terminate") {
		return nil
	}
	spare := c.serving(true) - c.desired()
	for _, m := range slices.Clone(c.members) {
		if m.Replacing == "" || m.State != region.MemberInService || spare < m.weight() {
			continue
		}
		var why string
		switch m.Replacing {
		case region.ReplaceToBalance:
			why = at(c.now, saysBalanced, strings.Join(c.g.Zones, " ")) + "  " +
				at(c.now, saysTaken, c.serving(true), c.serving(true)-m.weight()) + "  " + at(c.now, saysSelected, m.InstanceID)
		case region.ReplaceSpot:
			why = at(c.now, saysSpot, takenOut)
		case region.ReplaceOld:
			why = at(c.now, saysOld, takenOut)
		default:
			if c.refresh != nil && !c.refresh.mayGo(c, m) {
				continue
			}
			why = at(c.now, saysRefreshed, takenOut) + "  " + at(c.now, saysSelected, m.InstanceID)
		}
		if err := c.begin(m, cause(why)); err != nil {
			return err
		}
		spare -= m.weight()
	}
	return nil
}

// balance launches in the emptiest zone where another one has at least two more, and in a zone of the group where some
// are in a zone that is none. The members that are too many there go when the new ones serve.
func (c *scene) balance() error {
	if c.g.DeletedAt != nil || c.suspended("AZRebalance") || c.suspended("Launch") || c.suspended("Terminate") ||
		c.capacity() != c.desired() || c.refresh != nil || len(c.g.Zones) == 0 {
		return nil
	}
	replaced := c.which(func(m *member) bool { return m.Replacing == region.ReplaceToBalance })
	pending := c.which(func(m *member) bool { return m.State.IsPending() })
	for n := len(replaced); n < tenth(c.g.Max) && len(pending) == 0 && c.budget > 0; n++ {
		full, empty, why := c.imbalance()
		if full == nil || !c.due(c.g.BalanceAt) {
			return nil
		}
		made, err := c.launchIn(*empty, why)
		if err != nil {
			return err
		}
		if made == nil { // RetryAt is of launches that are needed: these are not
			c.g.RetryAt, c.g.Failures = c.was.RetryAt, c.was.Failures
			c.g.BalanceFailures++
			c.g.BalanceAt = c.now.Add(retryAfter(c.g.BalanceFailures))
			c.wake(c.g.BalanceAt)
			return nil
		}
		c.g.BalanceFailures, c.g.BalanceAt = 0, time.Time{}
		c.edit(full, func(m *region.GroupMember) { m.Replacing = region.ReplaceToBalance })
	}
	return nil
}

// imbalance is a member that is better in another zone, that zone, and the cause of its replacement; nil where the zones
// are in balance, or cannot be.
func (c *scene) imbalance() (full *member, empty *zone, why string) {
	open := c.zonesToLaunch()
	if len(open) == 0 {
		return nil, nil, ""
	}
	count := map[string]int{}
	var names, counts []string
	for _, z := range c.zones() {
		count[z.name] = z.count
		names, counts = append(names, z.name), append(counts, fmt.Sprint(z.count))
	}
	most := 0
	for _, m := range c.members {
		if m.State != region.MemberInService || m.Replacing != "" || m.Unhealthy || m.Protected {
			continue
		}
		n, listed := count[m.instance.Zone]
		if !listed {
			return m, &open[0], cause(at(c.now, saysMoving, m.instance.Zone, "1"))
		}
		if n > most {
			most, full = n, m
		}
	}
	if full == nil || most-open[0].count < 2 || c.g.Zones[0] == "" {
		return nil, nil, ""
	}
	return full, &open[0], cause(at(c.now, saysBalancing, strings.Join(names, " "), strings.Join(counts, " ")))
}
