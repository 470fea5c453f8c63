package autoscaling

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/wire"
	"tripod/region"
)

// requester is who launches a group's instances for its owner.
const requester = "autoscaling.amazonaws.com"

// scale launches or terminates instances where the group has not the capacity that it is to have.
func (c *scene) scale() error {
	has, wants := c.capacity(), c.desired()
	switch {
	case has < wants && c.g.DeletedAt == nil:
		if c.suspended("Launch") || !c.due(c.g.RetryAt) {
			return nil
		}
		return c.scaleOut(has, wants)
	case has > wants && !c.suspended("Terminate"):
		return c.scaleIn(has, wants)
	case has == wants:
		c.g.Asked, c.g.Unreplaced = "", 0
	}
	return nil
}

// scaleOut launches what is missing, as far as this transaction may.
func (c *scene) scaleOut(has, wants int) error {
	reason := cause(c.g.Asked, at(c.now, saysStarted, has, wants))
	if missing := c.noSource(); missing != "" {
		c.launchFailed()
		c.wake(c.g.RetryAt)
		c.noteFailure(reason, missing, "", "")
		return nil
	}
	failed := map[string]bool{} // zones
	for missing := wants - has; missing > 0 && c.budget > 0; {
		why := reason
		switch replaced := c.replacedBy(); {
		case replaced != "":
			why = cause(replaced)
		case c.refresh != nil && c.g.Asked == "":
			why = cause(at(c.now, saysRefreshed, launched))
		case c.g.Unreplaced > 0 && c.g.Asked == "":
			why = cause(at(c.now, saysReplaced))
		}
		made, err := c.launchSomewhere(why, failed)
		if err != nil || made == nil {
			return err
		}
		missing -= made.weight()
		c.g.Unreplaced = max(0, c.g.Unreplaced-1)
		if missing > 0 && c.budget == 0 {
			c.wake(c.now) // there is more to launch
		}
	}
	return nil
}

// replacedBy is the cause of a launch that replaces members which still serve; empty: the next launch replaces none.
func (c *scene) replacedBy() string {
	fresh := 0
	for _, m := range c.members {
		if m.State.IsPending() && m.Replacing == "" {
			fresh++
		}
	}
	for _, m := range c.members {
		if m.Replacing == "" || m.State != region.MemberInService {
			continue
		}
		if fresh > 0 { // that is its replacement
			fresh--
			continue
		}
		switch m.Replacing {
		case region.ReplaceRefresh:
			return at(c.now, saysRefreshed, launched)
		case region.ReplaceSpot:
			return at(c.now, saysSpot, launched)
		case region.ReplaceOld:
			return at(c.now, saysOld, launched)
		}
	}
	return ""
}

// launchSomewhere launches one instance in the zone that has the fewest, or in the next one where it cannot be had. It
// returns nil, and sets the time to try again, where it can be had in none. failed are the zones where it could not
// before; they are added to.
func (c *scene) launchSomewhere(why string, failed map[string]bool) (*member, error) {
	zones := c.zonesToLaunch()
	if len(zones) == 0 {
		c.launchFailed()
		c.wake(c.g.RetryAt)
		return nil, c.launchEnds(why, choice{}, "", errors.New("there is no Availability Zone to launch instances in"))
	}
	for _, zone := range zones {
		if failed[zone.name] || c.g.ZoneDistribution == "balanced-only" && zone.count > zones[0].count {
			continue
		}
		made, err := c.launchIn(zone, why)
		if made != nil || err != nil {
			return made, err
		}
		failed[zone.name] = true
		if c.g.RetryAt.After(c.now) { // it is no matter of zones
			return nil, nil
		}
	}
	c.launchFailed()
	c.wake(c.g.RetryAt)
	return nil, nil
}

// launchFailed has the group wait before its next launch, longer with each failure.
func (c *scene) launchFailed() {
	c.g.Failures++
	c.g.RetryAt = c.now.Add(retryAfter(c.g.Failures))
}

// zone is one of a group's, with its subnets (none: the default one) and how many members it has.
type zone struct {
	name    string
	subnets []string
	count   int
}

// zones are the group's, with their members that count, in the group's order.
func (c *scene) zones() (all []zone) {
	for _, name := range c.g.Zones {
		all = append(all, zone{name: name})
	}
	for _, id := range c.g.Subnets {
		name := c.Network.SubnetZone(c.tx, id)
		if i := slices.IndexFunc(all, func(z zone) bool { return z.name == name }); i >= 0 {
			all[i].subnets = append(all[i].subnets, id)
		}
	}
	for _, m := range c.members {
		if i := slices.IndexFunc(all, func(z zone) bool { return z.name == m.instance.Zone }); i >= 0 &&
			m.State.Counts() && m.Replacing == "" {
			all[i].count++
		}
	}
	if len(c.g.Subnets) > 0 { // a zone whose subnets are gone is none
		all = slices.DeleteFunc(all, func(z zone) bool { return len(z.subnets) == 0 })
	}
	return all
}

// zonesToLaunch are those in which instances can be launched, the emptiest first.
func (c *scene) zonesToLaunch() []zone {
	all := slices.DeleteFunc(c.zones(), func(z zone) bool { return c.closed(z.name) })
	slices.SortStableFunc(all, func(a, b zone) int { return a.count - b.count })
	return all
}

// launchIn launches one instance in a zone. Where it cannot be had there it notes why and returns nil.
func (c *scene) launchIn(z zone, why string) (*member, error) {
	var last error
	var lastOne choice
	subnets := z.subnets
	if len(subnets) == 0 {
		subnets = []string{""}
	}
	choices := c.choices(z.name)
	for _, subnet := range c.emptiestFirst(subnets) {
		for _, one := range choices {
			made, err := c.launchOne(one, z, subnet, why)
			if err == nil {
				return made, nil
			}
			var refused *wire.Error
			if !errors.As(err, &refused) {
				return nil, err
			}
			last, lastOne = err, one
			if !elsewhere(refused.Code) {
				c.launchFailed()
				c.wake(c.g.RetryAt)
				return nil, c.launchEnds(why, one, z.name, err)
			}
		}
	}
	if last == nil {
		last = errors.New("the group names no instance type that there is")
	}
	return nil, c.launchEnds(why, lastOne, z.name, last)
}

// emptiestFirst are subnets of one zone, those with the fewest members first.
func (c *scene) emptiestFirst(subnets []string) []string {
	count := map[string]int{}
	for _, m := range c.members {
		count[m.instance.SubnetID]++
	}
	sorted := slices.Clone(subnets)
	slices.SortStableFunc(sorted, func(a, b string) int { return count[a] - count[b] })
	return sorted
}

// elsewhere says of one of EC2's errors whether another zone, subnet or type may do.
func elsewhere(code string) bool {
	switch code {
	case "InsufficientInstanceCapacity", "InsufficientFreeAddressesInSubnet", "InsufficientHostCapacity", "Unsupported",
		"UnfulfillableCapacity", "ReservationCapacityExceeded", "SpotMaxPriceTooLow", "InvalidSubnetID.NotFound":
		return true
	}
	return false
}

// launchOne launches an instance, and makes it a member.
func (c *scene) launchOne(one choice, z zone, subnet, why string) (*member, error) {
	want := one.LaunchRequest
	want.SubnetID, want.Zone, want.Count = subnet, z.name, 1
	if subnet != "" {
		want.Zone = ""
	}
	want.Group, want.Requester = c.g.Name, requester
	want.Tags = c.tagsOfInstances()
	made, err := c.instances().Launch(c.tx, want, c.now)
	if err != nil {
		return nil, err
	}
	v := made[0]
	activity, _ := note(c.tx, c.g, region.ScalingActivity{Instance: v.ID, Description: "Launching a new EC2 instance: " +
		v.ID, Cause: why, Status: activityPreInService, Progress: 30, Subnet: v.SubnetID, Zone: v.Zone}, c.now)
	m := &member{instance: v}
	m.GroupMember, err = region.JoinGroup(c.tx, region.GroupMember{InstanceID: v.ID, Group: c.g.Name, Activity: activity,
		Protected: c.g.ProtectNew, Weight: one.weight, Template: templateOf(v), Configuration: one.configuration}, c.now)
	if err != nil {
		return nil, err
	}
	c.members = append(c.members, m)
	c.budget--
	c.g.Failures, c.g.RetryAt = 0, time.Time{}
	return m, nil
}

// launchEnds notes a launch that failed.
func (c *scene) launchEnds(why string, one choice, zone string, failure error) error {
	message, code := failure.Error(), ""
	var refused *wire.Error
	if errors.As(failure, &refused) {
		message, code = refused.Message, refused.Code
	}
	if message = strings.TrimSpace(message); !strings.HasSuffix(message, ".") {
		message += "."
	}
	if c.g.Mixed != nil && code != "" {
		kind := "On-Demand"
		if one.Spot {
			kind = "Spot"
		}
		message = fmt.Sprintf("Could not launch %s Instances. %s - %s", kind, code, message)
	}
	c.noteFailure(why, message+" Launching EC2 instance failed.", zone, code)
	return nil
}

// noteFailure notes a launch that failed as that message says.
func (c *scene) noteFailure(why, message, zone, code string) {
	_, a := note(c.tx, c.g, region.ScalingActivity{Description: "Launching a new EC2 instance.  Status Reason: " + message,
		Cause: why, Status: activityFailed, Progress: 100, Message: clipText(message, maxMessage), Zone: zone, Code: code},
		c.now)
	c.tellOf(launchFailed, a)
}

// tagsOfInstances are the tags that new instances get from their group.
func (c *scene) tagsOfInstances() map[string]string {
	tags := map[string]string{"aws:autoscaling:groupName": c.g.Name}
	for _, t := range c.g.Tags {
		if t.Propagate {
			tags[t.Key] = t.Value
		}
	}
	return tags
}
