package autoscaling

import (
	"cmp"
	"slices"
	"time"

	"tripod/awsapi/ec2"
	"tripod/region"
	"tripod/state"
)

// launchesAtOnce bounds the instances that one transaction launches.
const launchesAtOnce = 20

// scene is a group with all that a step of it looks at and changes.
type scene struct {
	*Service
	tx      *state.Txn
	view    *state.Txn // that instances, and what is found of them, are read from
	now     time.Time
	g       region.AutoScalingGroup
	was     region.AutoScalingGroup // as it is stored
	members []*member
	again   time.Time // when the clock is to wake the group; zero: it need not
	budget  int       // launches that are left to this transaction
	refresh *instanceRefresh

	offered   offers // see there
	templates map[region.TemplateRef]ec2.Template
}

// member is a group's member with its instance. instance is empty where EC2 has forgotten it.
type member struct {
	region.GroupMember
	instance region.Instance
}

// Step makes a group what it is to be, as far as can be at this moment: the rest follows when its instances have
// changed, or at the time again (zero: no clock is awaited). It reads and writes the transaction alone.
func (s *Service) Step(tx *state.Txn, group string, now time.Time) (again time.Time, err error) {
	return s.step(tx, tx, group, now, false)
}

// step is Step. The group's instances are read from view, which may be another transaction: one that is a View makes them
// no condition of tx. hurry says that what made launches fail may be over, so that they are tried at once.
func (s *Service) step(tx, view *state.Txn, group string, now time.Time, hurry bool) (again time.Time, err error) {
	c, found := s.scene(tx, view, group, now)
	if !found {
		return time.Time{}, nil
	}
	if hurry {
		c.g.RetryAt, c.g.BalanceAt = time.Time{}, time.Time{}
	}
	for _, stage := range []func() error{
		c.adopt, c.followSchedule, c.track, c.bringIn, c.attach, c.heal, c.beginReplacements, c.refreshInstances,
		c.endReplaced, c.scale, c.balance, c.takeOut, c.finishRefresh, c.finish,
	} {
		if err := stage(); err != nil {
			return time.Time{}, err
		}
	}
	return c.again, nil
}

// scene reads a group, and its instances from view.
func (s *Service) scene(tx, view *state.Txn, group string, now time.Time) (*scene, bool) {
	g, found := region.AutoScalingGroups.Get(tx, group)
	if !found {
		return nil, false
	}
	c := &scene{Service: s, tx: tx, view: view, now: now, g: g, was: g, budget: launchesAtOnce,
		templates: map[region.TemplateRef]ec2.Template{}}
	byID := map[string]region.Instance{}
	for _, v := range region.InstancesByGroup.Of(group).List(view) {
		byID[v.ID] = v
	}
	for _, m := range region.MembersOf(tx, group) {
		c.members = append(c.members, &member{m, byID[m.InstanceID]})
		delete(byID, m.InstanceID)
	}
	for _, v := range byID { // those that somebody else gave to the group
		if v.State.Alive() {
			c.members = append(c.members, &member{region.GroupMember{InstanceID: v.ID, Group: group}, v})
		}
	}
	slices.SortFunc(c.members, func(a, b *member) int {
		if n := a.JoinedAt.Compare(b.JoinedAt); n != 0 {
			return n
		}
		return cmp.Compare(a.InstanceID, b.InstanceID)
	})
	if r, found := activeRefresh(tx, group); found {
		c.refresh = &r
		r.lay(&c.g)
	}
	return c, true
}

// wake has the clock wake the group at a time, or earlier.
func (c *scene) wake(t time.Time) {
	if !t.IsZero() && (c.again.IsZero() || t.Before(c.again)) {
		c.again = t
	}
}

// due says whether a time has come; where it has not, the clock wakes the group then.
func (c *scene) due(t time.Time) bool {
	if t.IsZero() || !c.now.Before(t) {
		return true
	}
	c.wake(t)
	return false
}

// suspended says whether one of the group's processes is not to run.
func (c *scene) suspended(process string) bool { return isSuspended(c.g, process) }

func isSuspended(g region.AutoScalingGroup, process string) bool {
	return slices.ContainsFunc(g.Suspended, func(p region.SuspendedProcess) bool { return p.Name == process })
}

// move gives a member another state.
func (c *scene) move(m *member, next region.MemberState, change func(*region.GroupMember)) (err error) {
	m.GroupMember, err = region.MoveMember(c.tx, c.g.Name, m.InstanceID, next, c.now, change)
	return err
}

// edit changes a member's record without moving it.
func (c *scene) edit(m *member, change func(*region.GroupMember)) {
	change(&m.GroupMember)
	region.GroupMembers.Put(c.tx, region.MemberKey(c.g.Name, m.InstanceID), m.GroupMember)
}

// weight is what a member counts for.
func (m *member) weight() int { return max(1, m.Weight) }

// which are the members of which the condition holds.
func (c *scene) which(holds func(*member) bool) (some []*member) {
	for _, m := range c.members {
		if holds(m) {
			some = append(some, m)
		}
	}
	return some
}

// capacity is what the group has, without those that are being replaced.
func (c *scene) capacity() (total int) {
	for _, m := range c.members {
		if m.State.Counts() && m.Replacing == "" {
			total += m.weight()
		}
	}
	return total
}

// serving is the part of the capacity that is in service; with the replaced ones where all is true.
func (c *scene) serving(all bool) (total int) {
	for _, m := range c.members {
		if m.State == region.MemberInService && !m.Unhealthy && (all || m.Replacing == "") {
			total += m.weight()
		}
	}
	return total
}

// desired is the capacity that the group is to have.
func (c *scene) desired() int {
	if c.g.DeletedAt != nil {
		return 0
	}
	return c.g.Desired
}

// adopt makes members of instances that are the group's and are none yet.
func (c *scene) adopt() (err error) {
	for _, m := range c.members {
		if m.State == "" {
			m.Protected, m.Template, m.Weight = c.g.ProtectNew, templateOf(m.instance), c.weightOf(m.instance.Launch.Type)
			if m.GroupMember, err = region.JoinGroup(c.tx, m.GroupMember, c.now); err != nil {
				return err
			}
		}
	}
	return nil
}

// templateOf is the launch template that an instance was launched by.
func templateOf(v region.Instance) *region.TemplateRef {
	if v.Launch.TemplateID == "" {
		return nil
	}
	return &region.TemplateRef{ID: v.Launch.TemplateID, Name: v.Launch.TemplateName, Version: v.Launch.TemplateVersion}
}

// finish writes the group where a step has changed it, and deletes it with its last member.
func (c *scene) finish() error {
	if c.g.DeletedAt != nil && len(c.members) == 0 {
		forgetGroup(c.tx, c.g)
		return nil
	}
	if c.refresh != nil && c.refresh.active() { // its configuration is the group's when it has succeeded
		c.g.Template, c.g.Mixed, c.g.Configuration = c.was.Template, c.was.Mixed, c.was.Configuration
	}
	if !sameGroup(c.g, c.was) {
		region.AutoScalingGroups.Put(c.tx, c.g.Name, c.g)
	}
	return nil
}

// sameGroup says whether a step has left a group as it was: steps change sizes, progress and attachments
// alone.
func sameGroup(a, b region.AutoScalingGroup) bool {
	return a.Min == b.Min && a.Max == b.Max && a.Desired == b.Desired && a.GroupProgress == b.GroupProgress &&
		a.Template == b.Template && a.Mixed == b.Mixed && a.Configuration == b.Configuration &&
		slices.Equal(a.Attachments, b.Attachments)
}

// remove drops members that have left from the scene.
func (c *scene) remove(gone *member) {
	c.members = slices.DeleteFunc(c.members, func(m *member) bool { return m == gone })
}
