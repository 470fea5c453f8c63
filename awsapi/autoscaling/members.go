package autoscaling

import (
	"fmt"
	"slices"

	"tripod/awsapi/wire"
	"tripod/region"
)

// bringIn leads pending members into service.
func (c *scene) bringIn() error {
	for _, m := range slices.Clone(c.members) {
		if !m.State.IsPending() {
			continue
		}
		if err := c.bringInOne(m); err != nil {
			return err
		}
	}
	return nil
}

func (c *scene) bringInOne(m *member) error {
	v := m.instance
	switch {
	case !v.State.Alive() || v.State == region.InstanceStopping || v.State == region.InstanceStopped:
		message := "Instance became unhealthy while waiting for instance to be in InService state. Termination Reason: " +
			v.Reason.Message
		c.launchFailed()
		return c.abandon(m, message, at(c.now, saysUnhealthy, whyEnded))
	case m.State == region.MemberPending && v.State != region.InstanceRunning && c.lostFor(v.Zone):
		return c.abandon(m, "Instance became unhealthy while waiting for instance to be in InService state. Termination "+
			"Reason: "+internalError, at(c.now, saysUnhealthy, whyEnded))
	case m.State == region.MemberPending && v.State != region.InstanceRunning:
		return nil // its start wakes the group
	case m.State == region.MemberPending && !c.due(v.Launched.Add(c.Pace.Boot)):
		return nil
	case m.State == region.MemberPending:
		hooks := hooksFor(c.g, region.HookLaunching)
		if len(hooks) == 0 {
			return c.serve(m)
		}
		waits, err := region.AwaitHooks(c.tx, m.GroupMember, hooks, wire.NewRequestID, c.now)
		if err != nil {
			return err
		}
		m.GroupMember = waits
		c.tellActions(m)
		progress(c.tx, m.Activity, activityWaits, 50, "", c.now)
	}
	if m.State == region.MemberPendingWait {
		switch m.Outcome(c.now) {
		case "":
			c.wake(m.AwaitsUntil())
			return nil
		case region.HookAbandon:
			c.launchFailed()
			return c.abandon(m, abandoned(m.GroupMember), at(c.now, saysUnhealthy, "a launch failure"))
		}
		if err := c.move(m, region.MemberPendingProceed, nil); err != nil {
			return err
		}
	}
	return c.serve(m)
}

// internalError is EC2's reason for an instance whose machine fails while it starts.
const internalError = "Server.InternalError: Internal error on launch"

// abandoned is what an activity says of a lifecycle action that was abandoned.
func abandoned(m region.GroupMember) string {
	for _, a := range m.Actions {
		switch {
		case a.Result == region.HookAbandon:
			return fmt.Sprintf("Instance failed to complete user's Lifecycle Action: Lifecycle Action with token %s was "+
				"abandoned: Lifecycle Action Completed with ABANDON Result", a.Token)
		case a.Result == "" && a.Default == region.HookAbandon:
			return fmt.Sprintf("Instance failed to complete user's Lifecycle Action: Lifecycle Action with token %s was "+
				"abandoned: Heartbeat Timeout", a.Token)
		}
	}
	return ""
}

// serve puts a member into service.
func (c *scene) serve(m *member) error {
	if why := c.foreign(m); why != "" {
		c.launchFailed()
		return c.abandon(m, why, at(c.now, saysUnhealthy, "a launch failure"))
	}
	if a, ended := progress(c.tx, m.Activity, activitySuccessful, 100, "", c.now); ended {
		c.tellOf(launchSucceeded, a)
	}
	c.enterSources(m)
	return c.move(m, region.MemberInService, func(m *region.GroupMember) { m.Activity = "" })
}

// abandon ends a launch that failed: its activity is cancelled, and its instance goes.
func (c *scene) abandon(m *member, message, why string) error {
	if a, ended := progress(c.tx, m.Activity, activityCancelled, 100, message, c.now); ended {
		c.tellOf(launchFailed, a)
	}
	return c.begin(m, cause(why))
}

// begin begins to take a member's instance out of service for good, for a cause.
func (c *scene) begin(m *member, why string) error {
	if m.State == region.MemberPendingWait {
		m.Actions = nil
	}
	a := region.ScalingActivity{Instance: m.InstanceID, Description: "Terminating EC2 instance: " + m.InstanceID,
		Cause: why, Status: activityInProgress, Subnet: m.instance.SubnetID, Zone: m.instance.Zone}
	key, _ := note(c.tx, c.g, a, c.now)
	return c.move(m, region.MemberTerminating, func(m *region.GroupMember) { m.Activity = key })
}

// takeOut leads members that are being terminated to their end.
func (c *scene) takeOut() error {
	for _, m := range slices.Clone(c.members) {
		if !m.State.Ends() {
			continue
		}
		if err := c.takeOutOne(m); err != nil {
			return err
		}
	}
	return nil
}

func (c *scene) takeOutOne(m *member) error {
	if m.State == region.MemberTerminating {
		if c.drains(m) {
			progress(c.tx, m.Activity, activityDrains, 40, "", c.now)
			return nil
		}
		hooks := hooksFor(c.g, region.HookTerminating)
		// A member that was never in service, or whose group goes by force, has nothing to wind up.
		if len(hooks) == 0 || m.ServesSince.IsZero() || c.g.DeletedAt != nil {
			if err := c.proceed(m); err != nil {
				return err
			}
		} else {
			waits, err := region.AwaitHooks(c.tx, m.GroupMember, hooks, wire.NewRequestID, c.now)
			if err != nil {
				return err
			}
			m.GroupMember = waits
			c.tellActions(m)
			progress(c.tx, m.Activity, activityWaits, 50, "", c.now)
		}
	}
	if m.State == region.MemberTerminatingWait {
		if m.Outcome(c.now) == "" && c.g.DeletedAt == nil {
			c.wake(m.AwaitsUntil())
			return nil
		}
		if err := c.proceed(m); err != nil {
			return err
		}
	}
	if m.instance.ID != "" && m.instance.State != region.InstanceTerminated {
		return nil // its end wakes the group
	}
	if a, ended := progress(c.tx, m.Activity, activitySuccessful, 100, "", c.now); ended {
		c.tellOf(terminateFinished, a)
	}
	if m.State != region.MemberTerminated {
		if err := c.move(m, region.MemberTerminated, nil); err != nil {
			return err
		}
	}
	c.remove(m)
	return region.LeaveGroup(c.tx, c.g.Name, m.InstanceID)
}

// proceed terminates a member's instance.
func (c *scene) proceed(m *member) error {
	progress(c.tx, m.Activity, activityInProgress, 60, "", c.now)
	if err := c.move(m, region.MemberTerminatingProceed, nil); err != nil {
		return err
	}
	if !m.instance.State.Alive() {
		return nil
	}
	if err := c.instances().Terminate(c.tx, []string{m.InstanceID}, terminatedByGroup, c.now); err != nil {
		return err
	}
	m.instance, _ = region.Instances.Get(c.tx, m.InstanceID)
	return nil
}

// terminatedByGroup is the reason that EC2 gives for instances that a group terminated: they were asked for by its role.
var terminatedByGroup = region.UserShutdown

// hooksFor are a group's hooks for a transition.
func hooksFor(g region.AutoScalingGroup, transition string) (some []region.LifecycleHook) {
	for _, h := range g.Hooks {
		if h.Transition == transition {
			some = append(some, h)
		}
	}
	return some
}
