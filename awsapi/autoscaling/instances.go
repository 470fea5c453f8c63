package autoscaling

import (
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// managed is the member with that instance, or AWS's refusal.
func (s *Service) managed(tx *state.Txn, instanceID string) (region.GroupMember, region.AutoScalingGroup, error) {
	v, _ := region.Instances.Get(tx, instanceID)
	m, found := region.GroupMembers.Get(tx, region.MemberKey(v.Group, instanceID))
	if !found {
		return m, region.AutoScalingGroup{}, invalid("Instance Id not found - No managed instance found for instance ID: %s",
			wire.Clip(instanceID))
	}
	g, err := s.group(tx, m.Group)
	return m, g, err
}

type terminateInput struct {
	InstanceID string `query:"InstanceId,required"`
	Decrement  *bool  `query:"ShouldDecrementDesiredCapacity,required"`
}

func (in *terminateInput) groupName(tx *state.Txn) string { return groupOf(tx, in.InstanceID) }

// groupOf is the group that an instance belongs to.
func groupOf(tx *state.Txn, instanceID string) string {
	v, _ := region.Instances.Get(tx, instanceID)
	return v.Group
}

type terminateOutput struct{ Activity activityOutput }

func (s *Service) terminateInstance(call *operation.Call, in *terminateInput) (*terminateOutput, error) {
	now := s.now()
	out := &terminateOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		a, err := s.TerminateMember(tx, in.InstanceID, *in.Decrement, now)
		out.Activity = shownActivity(a)
		return err
	})
}

// TerminateMember begins to terminate a group's instance, as a user may ask for: the group gets smaller by it, or
// replaces it. The refusals are AWS's.
func (s *Service) TerminateMember(tx *state.Txn, instanceID string, decrement bool,
	now time.Time) (region.ScalingActivity, error) {
	m, g, err := s.managed(tx, instanceID)
	if err != nil {
		return region.ScalingActivity{}, err
	}
	if m.State.Ends() {
		a, _ := region.ScalingActivities.Get(tx, m.Activity)
		return a, nil
	}
	if m.State == region.MemberDetaching || m.State == region.MemberEnteringStandby {
		return region.ScalingActivity{}, refuse("ScalingActivityInProgress", "The instance %s is in %s state.", instanceID, m.State)
	}
	why := at(now, saysEndedNow, instanceID)
	if decrement {
		if g.Desired-max(1, m.Weight) < g.Min && m.State != region.MemberStandby {
			return region.ScalingActivity{}, invalid("Currently, desiredSize equals minSize (%d). Terminating instance without "+
				"replacement will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to "+
				"false or lower group's min size.", g.Min)
		}
		why = at(now, saysEnded, instanceID, g.Desired, max(0, g.Desired-max(1, m.Weight)))
		if m.State != region.MemberStandby {
			g.Desired -= max(1, m.Weight)
			region.AutoScalingGroups.Put(tx, g.Name, g)
		}
	}
	c, _ := s.scene(tx, tx, g.Name, now)
	i := slices.IndexFunc(c.members, func(other *member) bool { return other.InstanceID == instanceID })
	if err := c.begin(c.members[i], why); err != nil {
		return region.ScalingActivity{}, err
	}
	a, _ := region.ScalingActivities.Get(tx, c.members[i].Activity)
	return a, nil
}

type instancesInput struct {
	groupNamed
	InstanceIDs []string `query:"InstanceIds"`
}

type leavingInput struct {
	instancesInput
	Decrement *bool `query:"ShouldDecrementDesiredCapacity,required"`
}

type activitiesOutput struct {
	Activities wire.QueryList[activityOutput]
}

func (s *Service) attachInstances(call *operation.Call, in *instancesInput) (*none, error) {
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		if n := len(in.InstanceIDs); g.Desired+n > g.Max {
			return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To attach %d more instance%s, "+
				"please update the AutoScalingGroup sizes appropriately.", g.Name, g.Min, g.Max, g.Desired, n, plural(n))
		}
		c, _ := s.scene(tx, tx, g.Name, now)
		zones := c.zones()
		for _, id := range in.InstanceIDs {
			v, found := region.Instances.Get(tx, id)
			switch {
			case !found || v.State != region.InstanceRunning:
				return invalid("Invalid Instance ID(s): [%s] specified", wire.Clip(id))
			case v.Group != "":
				return invalid("Instance %s is already part of AutoScalingGroup:%s", id, v.Group)
			case !slices.ContainsFunc(zones, func(z zone) bool { return z.name == v.Zone }):
				return invalid("The instance %s is in Availability Zone %s, which is none of the group's: [%s]", id, v.Zone,
					strings.Join(g.Zones, ", "))
			}
			why := at(now, saysAttached, g.Desired, g.Desired+1)
			key, _ := note(tx, g, region.ScalingActivity{Instance: id, Description: "Attaching an existing EC2 instance: " + id,
				Cause: why, Status: activityInProgress, Progress: 50, Subnet: v.SubnetID, Zone: v.Zone}, now)
			_, err := region.AttachInstance(tx, g.Name, id, region.GroupMember{Activity: key, Protected: g.ProtectNew,
				Weight: c.weightOf(v.Launch.Type), Template: templateOf(v)}, now)
			if err != nil {
				return err
			}
			s.instances().SetTags(tx, id, map[string]string{"aws:autoscaling:groupName": g.Name})
			g.Desired++
		}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// membersToLeave are the members with those instances, all in one of the states.
func (s *Service) membersToLeave(tx *state.Txn, g region.AutoScalingGroup, ids []string,
	states ...region.MemberState) (members []region.GroupMember, weight int, err error) {
	for _, id := range ids {
		m, found := region.GroupMembers.Get(tx, region.MemberKey(g.Name, id))
		switch {
		case !found:
			return nil, 0, invalid("The instance %s is not part of Auto Scaling group %s.", wire.Clip(id), g.Name)
		case !slices.Contains(states, m.State):
			names := make([]string, len(states))
			for i, one := range states {
				names[i] = string(one)
			}
			return nil, 0, invalid("The instance %s is not in %s.", id, strings.Join(names, " or "))
		}
		members, weight = append(members, m), weight+max(1, m.Weight)
	}
	return members, weight, nil
}

func (s *Service) detachInstances(call *operation.Call, in *leavingInput) (*activitiesOutput, error) {
	now := s.now()
	out := &activitiesOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Activities = nil
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		members, weight, err := s.membersToLeave(tx, g, in.InstanceIDs, region.MemberInService, region.MemberStandby)
		if err != nil {
			return err
		}
		if *in.Decrement && g.Desired-weight < g.Min {
			return tooFew(g, "detach", len(members))
		}
		for _, m := range members {
			why := at(now, saysLeft, m.InstanceID)
			if *in.Decrement {
				why = at(now, saysDetached, m.InstanceID, g.Desired, g.Desired-max(1, m.Weight))
				g.Desired -= max(1, m.Weight)
			}
			v, _ := region.Instances.Get(tx, m.InstanceID)
			key, a := note(tx, g, region.ScalingActivity{Instance: m.InstanceID,
				Description: "Detaching EC2 instance: " + m.InstanceID, Cause: why, Status: activityInProgress, Progress: 50,
				Subnet: v.SubnetID, Zone: v.Zone}, now)
			out.Activities = append(out.Activities, shownActivity(a))
			for _, next := range []region.MemberState{region.MemberDetaching, region.MemberDetached} {
				if _, err := region.MoveMember(tx, g.Name, m.InstanceID, next, now, nil); err != nil {
					return err
				}
			}
			if err := region.LeaveGroup(tx, g.Name, m.InstanceID); err != nil {
				return err
			}
			leaveSources(tx, g, m.InstanceID, now)
			progress(tx, key, activitySuccessful, 100, "", now)
		}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

func tooFew(g region.AutoScalingGroup, what string, n int) error {
	return invalid("AutoScalingGroup %s has min-size=%d, max-size=%d, and desired-size=%d. To %s %d more instance%s, please "+
		"update the AutoScalingGroup sizes appropriately.", g.Name, g.Min, g.Max, g.Desired, what, n, plural(n))
}

func (s *Service) enterStandby(call *operation.Call, in *leavingInput) (*activitiesOutput, error) {
	now := s.now()
	out := &activitiesOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Activities = nil
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		members, weight, err := s.membersToLeave(tx, g, in.InstanceIDs, region.MemberInService)
		if err != nil {
			return err
		}
		if *in.Decrement && g.Desired-weight < g.Min {
			return tooFew(g, "place into standby", len(members))
		}
		for _, m := range members {
			why := at(now, saysStoodBy, m.InstanceID)
			if *in.Decrement {
				why = at(now, saysStandby, m.InstanceID, g.Desired, g.Desired-max(1, m.Weight))
				g.Desired -= max(1, m.Weight)
			}
			key, a := s.noteMove(tx, g, m, "Moving EC2 instance to Standby: ", why, now)
			for _, next := range []region.MemberState{region.MemberEnteringStandby, region.MemberStandby} {
				if _, err := region.MoveMember(tx, g.Name, m.InstanceID, next, now, nil); err != nil {
					return err
				}
			}
			leaveSources(tx, g, m.InstanceID, now)
			progress(tx, key, activitySuccessful, 100, "", now)
			out.Activities = append(out.Activities, shownActivity(a))
		}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

// noteMove notes that a member is moved within its group.
func (s *Service) noteMove(tx *state.Txn, g region.AutoScalingGroup, m region.GroupMember, what, why string,
	now time.Time) (string, region.ScalingActivity) {
	v, _ := region.Instances.Get(tx, m.InstanceID)
	return note(tx, g, region.ScalingActivity{Instance: m.InstanceID, Description: what + m.InstanceID, Cause: why,
		Status: activityInProgress, Progress: 50, Subnet: v.SubnetID, Zone: v.Zone}, now)
}

func (s *Service) exitStandby(call *operation.Call, in *instancesInput) (*activitiesOutput, error) {
	now := s.now()
	out := &activitiesOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Activities = nil
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		members, weight, err := s.membersToLeave(tx, g, in.InstanceIDs, region.MemberStandby)
		if err != nil {
			return err
		}
		if g.Desired+weight > g.Max {
			return tooFew(g, "take out of standby", len(members))
		}
		for _, m := range members {
			why := at(now, saysExited, m.InstanceID, g.Desired, g.Desired+max(1, m.Weight))
			g.Desired += max(1, m.Weight)
			key, a := s.noteMove(tx, g, m, "Moving EC2 instance out of Standby: ", why, now)
			a.Status, a.Progress = activityPreInService, 30
			region.ScalingActivities.Put(tx, key, a)
			_, err := region.MoveMember(tx, g.Name, m.InstanceID, region.MemberPending, now,
				func(m *region.GroupMember) { m.Activity = key })
			if err != nil {
				return err
			}
			out.Activities = append(out.Activities, shownActivity(a))
		}
		region.AutoScalingGroups.Put(tx, g.Name, g)
		return nil
	})
}

type healthInput struct {
	InstanceID   string `query:"InstanceId,required"`
	HealthStatus string `query:",required"`
	RespectGrace *bool  `query:"ShouldRespectGracePeriod"`
}

func (in *healthInput) groupName(tx *state.Txn) string { return groupOf(tx, in.InstanceID) }

func (s *Service) setInstanceHealth(call *operation.Call, in *healthInput) (*none, error) {
	if !slices.Contains([]string{"Healthy", "Unhealthy"}, in.HealthStatus) {
		return nil, invalid("Valid instance health states are: [Healthy, Unhealthy].")
	}
	now := s.now()
	return change(s, call, &none{}, func(tx *state.Txn) error {
		m, g, err := s.managed(tx, in.InstanceID)
		if err != nil {
			return err
		}
		grace := m.ServesSince.Add(time.Duration(g.HealthCheckGrace) * time.Second)
		if in.HealthStatus == "Unhealthy" && (in.RespectGrace == nil || *in.RespectGrace) && now.Before(grace) {
			return nil // AWS does not count it then either
		}
		if m.Unhealthy, m.Why = in.HealthStatus == "Unhealthy", ""; m.Unhealthy {
			m.Why = whyUser
		}
		region.GroupMembers.Put(tx, region.MemberKey(g.Name, m.InstanceID), m)
		return nil
	})
}

type protectionInput struct {
	instancesInput
	Protected *bool `query:"ProtectedFromScaleIn,required"`
}

func (s *Service) setInstanceProtection(call *operation.Call, in *protectionInput) (*none, error) {
	return change(s, call, &none{}, func(tx *state.Txn) error {
		g, err := s.liveGroup(tx, in.AutoScalingGroupName)
		if err != nil {
			return err
		}
		for _, id := range in.InstanceIDs {
			m, found := region.GroupMembers.Get(tx, region.MemberKey(g.Name, id))
			switch {
			case !found:
				return invalid("The instance %s is not part of Auto Scaling group %s.", wire.Clip(id), g.Name)
			case m.State.Ends() || m.State.IsPending():
				return invalid("The instance %s is not in InService or EnteringStandby or Standby.", id)
			}
			m.Protected = *in.Protected
			region.GroupMembers.Put(tx, region.MemberKey(g.Name, id), m)
		}
		return nil
	})
}
