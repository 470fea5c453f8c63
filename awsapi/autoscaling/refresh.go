package autoscaling

import (
	"fmt"
	"slices"
	"time"

	"tripod/region"
	"tripod/state"
)

// instanceRefresh replaces a group's instances by such as it launches now.
type instanceRefresh struct {
	ID          string             `json:"id"`
	Group       string             `json:"group"`
	Status      string             `json:"status"`
	Reason      string             `json:"reason,omitempty"`
	Start       time.Time          `json:"start"`
	End         time.Time          `json:"end,omitzero"`
	Preferences refreshPreferences `json:"preferences"`
	// Template or Mixed is what the group launches by from its beginning on, and is to have when it has succeeded.
	Template *region.TemplateRef    `json:"template,omitempty"`
	Mixed    *region.MixedInstances `json:"mixed,omitempty"`
	// Total is how many instances were to be replaced, Left how many still are.
	Total int `json:"total"`
	Left  int `json:"left"`
	// Reached is how many of the checkpoints it has passed; it waits at one, or bakes, until Until.
	Reached int       `json:"reached,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	// Moved is when something was replaced last.
	Moved time.Time `json:"moved"`
}

// refreshPreferences are those that were given, with AWS's defaults.
type refreshPreferences struct {
	MinHealthy  int    `json:"minHealthy"`
	MaxHealthy  int    `json:"maxHealthy"`
	Warmup      *int   `json:"warmup,omitempty"` // seconds; nil: the group's
	Checkpoints []int  `json:"checkpoints,omitempty"`
	Delay       *int   `json:"delay,omitempty"` // seconds at a checkpoint
	Skip        bool   `json:"skip,omitempty"`
	Rollback    bool   `json:"rollback,omitempty"`
	Protected   string `json:"protected,omitempty"` // Refresh, Ignore or Wait
	Standby     string `json:"standby,omitempty"`   // Terminate, Ignore or Wait
	Bake        int    `json:"bake,omitempty"`      // seconds
	// Alarms are recorded: nobody raises them here.
	Alarms []string `json:"alarms,omitempty"`
}

const (
	refreshPending    = "Pending"
	refreshInProgress = "InProgress"
	refreshSuccessful = "Successful"
	refreshFailed     = "Failed"
	refreshCancelling = "Cancelling"
	refreshCancelled  = "Cancelled"
	refreshRollback   = "RollbackInProgress"
	refreshRolledBack = "RollbackSuccessful"
	refreshBackFailed = "RollbackFailed"
	refreshBaking     = "Baking"

	checkpointDelay = time.Hour
	refreshPatience = time.Hour // without progress it fails
	keptRefreshes   = 50
)

// instanceRefreshes are by group, start and id: a group's are in the order of their starts.
var instanceRefreshes = state.NewTable[instanceRefresh]("auto-scaling-refresh")

func (r instanceRefresh) key() string { return region.ActivityKey(r.Group, r.Start, r.ID) }

// active says whether the refresh is not over.
func (r instanceRefresh) active() bool {
	switch r.Status {
	case refreshPending, refreshInProgress, refreshCancelling, refreshRollback, refreshBaking:
		return true
	}
	return false
}

// refreshesOf are a group's, the oldest first.
func refreshesOf(tx *state.Txn, group string) []instanceRefresh {
	return slices.DeleteFunc(instanceRefreshes.Under(tx, group+"/"),
		func(r instanceRefresh) bool { return r.Group != group })
}

func activeRefresh(tx *state.Txn, group string) (instanceRefresh, bool) {
	for _, r := range refreshesOf(tx, group) {
		if r.active() {
			return r, true
		}
	}
	return instanceRefresh{}, false
}

// lay lays the configuration that the refresh is to bring over the group's.
func (r instanceRefresh) lay(g *region.AutoScalingGroup) {
	if r.Status == refreshRollback || r.Template == nil && r.Mixed == nil {
		return
	}
	g.Template, g.Mixed, g.Configuration = r.Template, r.Mixed, ""
}

// warmup is how long a new instance takes to be of use.
func (c *scene) warmup() time.Duration {
	switch {
	case c.refresh != nil && c.refresh.Preferences.Warmup != nil:
		return time.Duration(*c.refresh.Preferences.Warmup) * time.Second
	case c.g.DefaultWarmup != nil:
		return time.Duration(*c.g.DefaultWarmup) * time.Second
	case c.Pace.Warmup:
		return time.Duration(c.g.HealthCheckGrace) * time.Second
	}
	return 0
}

// warm says whether a member has been in service long enough.
func (c *scene) warm(m *member) bool {
	return m.State == region.MemberInService && !m.Unhealthy && c.due(m.ServesSince.Add(c.warmup()))
}

// isOld says whether the refresh is to replace a member.
func (r *instanceRefresh) isOld(c *scene, m *member) bool {
	if m.State.Ends() || m.State == region.MemberStandby && r.Preferences.Standby != "Terminate" ||
		m.Protected && r.Preferences.Protected == "Ignore" {
		return false
	}
	if r.Preferences.Skip || r.Status == refreshRollback {
		return !c.isCurrent(m)
	}
	return m.JoinedAt.Before(r.Start)
}

// refreshInstances replaces members for an instance refresh, as many at once as its preferences allow.
func (c *scene) refreshInstances() error {
	r := c.refresh
	if r == nil || c.g.DeletedAt != nil {
		return nil
	}
	old := c.which(func(m *member) bool { return r.isOld(c, m) })
	switch {
	case r.Status == refreshCancelling:
		c.endRefresh(refreshCancelled, "Cancelled by a user request.")
		return nil
	case r.Status == refreshPending:
		r.Status, r.Total, r.Left, r.Moved = refreshInProgress, len(old), len(old), c.now
	case r.Status == refreshBaking || c.suspended("InstanceRefresh") || !c.due(r.Until):
		return nil
	}
	c.passCheckpoint()
	if !c.due(r.Until) {
		return nil
	}
	if c.capacity() != c.desired() && r.Preferences.MaxHealthy <= 100 && c.serving(false) < r.least(c.desired()) {
		return nil // it waits for what is on its way
	}
	room := c.roomToRefresh()
	for _, m := range old {
		if room <= 0 {
			break
		}
		if m.Replacing != "" || m.State.IsPending() || m.Protected && r.Preferences.Protected != "Refresh" {
			continue
		}
		room--
		r.Moved = c.now
		if r.Preferences.MaxHealthy > 100 && m.State == region.MemberInService {
			c.edit(m, func(m *region.GroupMember) { m.Replacing = region.ReplaceRefresh })
			continue
		}
		if c.suspended("Terminate") {
			return nil
		}
		why := cause(at(c.now, saysRefreshed, takenOut), at(c.now, saysSelected, m.InstanceID))
		if err := c.begin(m, why); err != nil {
			return err
		}
	}
	return nil
}

// least is how many instances are to be healthy, of that many.
func (r *instanceRefresh) least(desired int) int {
	return (desired*r.Preferences.MinHealthy + 99) / 100
}

// roomToRefresh is how many members may go now: at least one at a time.
func (c *scene) roomToRefresh() int {
	desired, r := c.desired(), c.refresh
	if percent := r.Preferences.MaxHealthy; percent > 100 {
		under := len(c.which(func(m *member) bool {
			return m.Replacing == region.ReplaceRefresh && m.State == region.MemberInService
		}))
		return max(1, desired*(percent-100)/100) - under
	}
	warm := len(c.which(c.warm))
	return max(1, desired-r.least(desired)) - (desired - min(desired, warm))
}

// mayGo says whether a member whose replacement serves may go: the replacement is warm.
func (r *instanceRefresh) mayGo(c *scene, m *member) bool {
	warm := 0
	for _, other := range c.members {
		if c.warm(other) {
			warm += other.weight()
		}
	}
	return warm-c.desired() >= m.weight()
}

// leftToRefresh is how many members are still to be replaced, or have not been of use long enough.
func (c *scene) leftToRefresh() int {
	return max(0, c.desired()-c.capacity()) + len(c.which(func(m *member) bool {
		return c.refresh.isOld(c, m) || m.State.IsPending() || m.State == region.MemberInService && !c.warm(m)
	}))
}

// passCheckpoint has the refresh wait where it has reached a checkpoint.
func (c *scene) passCheckpoint() {
	r := c.refresh
	r.note(c.leftToRefresh(), c.now)
	percent := r.percentage()
	if r.Status != refreshInProgress || r.Reached >= len(r.Preferences.Checkpoints) ||
		percent < r.Preferences.Checkpoints[r.Reached] {
		return
	}
	r.Reached++
	if delay := r.delay(); delay > 0 && percent < 100 && r.Reached < len(r.Preferences.Checkpoints) {
		r.Until = c.now.Add(delay)
		r.Reason = fmt.Sprintf("Waiting for checkpoint delay at %d%%.", percent)
	}
}

// note notes how many members are left to be replaced.
func (r *instanceRefresh) note(left int, now time.Time) {
	if left = min(r.Total, left); left != r.Left {
		r.Left, r.Moved = left, now
	}
}

// finishRefresh writes how far an instance refresh is, and ends it when it is through.
func (c *scene) finishRefresh() error {
	r := c.refresh
	if r == nil || !r.active() {
		return nil
	}
	was, _ := instanceRefreshes.Get(c.tx, r.key())
	left := c.leftToRefresh()
	r.note(left, c.now)
	stops := len(r.Preferences.Checkpoints)
	switch {
	case c.g.DeletedAt != nil:
		c.endRefresh(refreshCancelled, "The Auto Scaling group was deleted.")
		return nil
	case r.Status == refreshBaking && !c.due(r.Until):
	case left == 0 && r.Preferences.Bake > 0 && r.Status == refreshInProgress:
		r.Status, r.Until = refreshBaking, c.now.Add(time.Duration(r.Preferences.Bake)*time.Second)
		c.wake(r.Until)
	case left == 0, stops > 0 && r.Reached == stops && r.Status == refreshInProgress: // the last checkpoint may be below 100
		c.succeed()
		return nil
	case !c.due(r.Until):
	case !c.due(r.Moved.Add(refreshPatience)):
		r.Reason = ""
	default:
		c.fail()
		return nil
	}
	if !sameRefresh(was, *r) {
		instanceRefreshes.Put(c.tx, r.key(), *r)
	}
	return nil
}

func sameRefresh(a, b instanceRefresh) bool {
	return a.Status == b.Status && a.Left == b.Left && a.Total == b.Total && a.Reached == b.Reached &&
		a.Reason == b.Reason && a.Until.Equal(b.Until) && a.Moved.Equal(b.Moved)
}

func (r instanceRefresh) delay() time.Duration {
	if r.Preferences.Delay == nil {
		return checkpointDelay
	}
	return time.Duration(*r.Preferences.Delay) * time.Second
}

// percentage is how much of the refresh is done.
func (r instanceRefresh) percentage() int {
	if r.Total == 0 {
		if r.active() && r.Status == refreshPending {
			return 0
		}
		return 100
	}
	return (r.Total - r.Left) * 100 / r.Total
}

// succeed ends a refresh that has replaced all.
func (c *scene) succeed() {
	if c.refresh.Status == refreshRollback {
		c.endRefresh(refreshRolledBack, "")
		return
	}
	c.endRefresh(refreshSuccessful, "")
	c.refresh.lay(&c.g)
}

// fail ends a refresh that has not come on for too long, or has it undone.
func (c *scene) fail() {
	const reason = "The instance refresh made no progress for an hour: instances could not be replaced."
	switch {
	case c.refresh.Status == refreshRollback:
		c.endRefresh(refreshBackFailed, reason)
	case c.refresh.Preferences.Rollback:
		c.refresh.Status, c.refresh.Reason, c.refresh.Moved = refreshRollback, reason, c.now
		instanceRefreshes.Put(c.tx, c.refresh.key(), *c.refresh)
		c.unmark()
	default:
		c.endRefresh(refreshFailed, reason)
	}
}

// endRefresh ends a refresh.
func (c *scene) endRefresh(status, reason string) {
	r := c.refresh
	r.Status, r.Reason, r.End = status, reason, c.now
	if status == refreshSuccessful || status == refreshRolledBack {
		r.Left = 0
	}
	instanceRefreshes.Put(c.tx, r.key(), *r)
	c.unmark()
	if status != refreshSuccessful {
		c.g.Template, c.g.Mixed, c.g.Configuration = c.was.Template, c.was.Mixed, c.was.Configuration
	}
}

// unmark has members stay that a refresh would have replaced.
func (c *scene) unmark() {
	for _, m := range c.members {
		if m.Replacing == region.ReplaceRefresh && m.State == region.MemberInService {
			c.edit(m, func(m *region.GroupMember) { m.Replacing = "" })
		}
	}
}
