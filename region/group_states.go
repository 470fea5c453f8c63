package region

import (
	"fmt"
	"slices"
	"time"

	"tripod/state"
)

// MemberState is where an instance is in its life in an Auto Scaling group: LifecycleState of the API.
type MemberState string

// The states of a member. What may follow each says memberStates.
const (
	MemberPending            MemberState = "Pending"
	MemberPendingWait        MemberState = "Pending:Wait"
	MemberPendingProceed     MemberState = "Pending:Proceed"
	MemberInService          MemberState = "InService"
	MemberTerminating        MemberState = "Terminating"
	MemberTerminatingWait    MemberState = "Terminating:Wait"
	MemberTerminatingProceed MemberState = "Terminating:Proceed"
	MemberTerminated         MemberState = "Terminated"
	MemberDetaching          MemberState = "Detaching"
	MemberDetached           MemberState = "Detached"
	MemberEnteringStandby    MemberState = "EnteringStandby"
	MemberStandby            MemberState = "Standby"

	// noMember is that of an instance which is in no group. No record has it.
	noMember MemberState = ""
)

// memberStates says what may follow each state.
//
//	JoinGroup        none -> Pending
//	MoveMember       between all others
//	LeaveGroup       Terminated, Detached -> none
var memberStates = map[MemberState][]MemberState{
	noMember:                 {MemberPending},
	MemberPending:            {MemberPendingWait, MemberInService, MemberTerminating},
	MemberPendingWait:        {MemberPendingProceed, MemberTerminating},
	MemberPendingProceed:     {MemberInService, MemberTerminating},
	MemberInService:          {MemberTerminating, MemberDetaching, MemberEnteringStandby},
	MemberEnteringStandby:    {MemberStandby},
	MemberStandby:            {MemberPending, MemberTerminating, MemberDetaching},
	MemberTerminating:        {MemberTerminatingWait, MemberTerminatingProceed, MemberTerminated},
	MemberTerminatingWait:    {MemberTerminatingProceed},
	MemberTerminatingProceed: {MemberTerminated},
	MemberTerminated:         {noMember},
	MemberDetaching:          {MemberDetached},
	MemberDetached:           {noMember},
}

// MayBecome says whether a member in this state may be in the other one next.
func (s MemberState) MayBecome(next MemberState) bool { return slices.Contains(memberStates[s], next) }

// Counts says whether the member is part of its group's capacity.
func (s MemberState) Counts() bool { return s.IsPending() || s == MemberInService }

// IsPending says whether the member is on its way into service.
func (s MemberState) IsPending() bool {
	return s == MemberPending || s == MemberPendingWait || s == MemberPendingProceed
}

// Ends says whether the member's instance is being terminated.
func (s MemberState) Ends() bool {
	return s == MemberTerminating || s == MemberTerminatingWait || s == MemberTerminatingProceed || s == MemberTerminated
}

// The transitions of lifecycle hooks, and the results of their actions.
const (
	HookLaunching   = "autoscaling:EC2_INSTANCE_LAUNCHING"
	HookTerminating = "autoscaling:EC2_INSTANCE_TERMINATING"

	HookContinue = "CONTINUE"
	HookAbandon  = "ABANDON"
)

// maxWait is how long hooks keep a member waiting at most: 48 hours, or 100 times the hook's timeout.
const maxWait = 48 * time.Hour

// MemberKey is the key of a group's member.
func MemberKey(group, instanceID string) string { return group + "/" + instanceID }

// ActivityKey is the key of a group's scaling activity.
func ActivityKey(group string, start time.Time, id string) string {
	return fmt.Sprintf("%s/%020d/%s", group, start.UnixNano(), id)
}

// MembersOf are a group's members, in the order of their instances' ids.
func MembersOf(tx *state.Txn, group string) []GroupMember {
	return slices.DeleteFunc(GroupMembers.Under(tx, group+"/"), func(m GroupMember) bool { return m.Group != group })
}

// ActivitiesOf are a group's scaling activities, the oldest first: those of an earlier group of that name too.
func ActivitiesOf(tx *state.Txn, group string) []ScalingActivity {
	return slices.DeleteFunc(ScalingActivities.Under(tx, group+"/"),
		func(a ScalingActivity) bool { return a.Group != group })
}

// JoinGroup writes a new member, pending.
func JoinGroup(tx *state.Txn, m GroupMember, now time.Time) (GroupMember, error) {
	key := MemberKey(m.Group, m.InstanceID)
	if there, found := GroupMembers.Get(tx, key); found {
		return m, &RefusedError{"member " + key, string(there.State), string(MemberPending)}
	}
	m.State, m.Since, m.JoinedAt = MemberPending, now, now
	GroupMembers.Put(tx, key, m)
	return m, nil
}

// MoveMember gives a member another state, and changes the rest of its record; change may be nil.
func MoveMember(tx *state.Txn, group, instanceID string, next MemberState, now time.Time,
	change func(*GroupMember)) (GroupMember, error) {
	key := MemberKey(group, instanceID)
	m, _ := GroupMembers.Get(tx, key)
	if !m.State.MayBecome(next) || next == noMember || m.State == noMember {
		return m, &RefusedError{"member " + key, string(m.State), string(next)}
	}
	m.State, m.Since = next, now
	if next == MemberInService && m.ServesSince.IsZero() {
		m.ServesSince = now
	}
	if next != MemberPendingWait && next != MemberTerminatingWait {
		m.Actions = nil
	}
	if change != nil {
		change(&m)
	}
	GroupMembers.Put(tx, key, m)
	return m, nil
}

// AwaitHooks has a pending or terminating member wait for the hooks. newToken makes the tokens of the actions.
func AwaitHooks(tx *state.Txn, m GroupMember, hooks []LifecycleHook, newToken func() string,
	now time.Time) (GroupMember, error) {
	next := MemberPendingWait
	if m.State == MemberTerminating {
		next = MemberTerminatingWait
	}
	return MoveMember(tx, m.Group, m.InstanceID, next, now, func(m *GroupMember) {
		m.Actions = nil
		for _, h := range hooks {
			timeout := time.Duration(h.HeartbeatTimeout) * time.Second
			m.Actions = append(m.Actions, LifecycleAction{Hook: h.Name, Token: newToken(), Deadline: now.Add(timeout),
				Last: now.Add(min(maxWait, 100*timeout)), Timeout: h.HeartbeatTimeout, Default: h.DefaultResult})
		}
	})
}

// ChangeAction changes the lifecycle action of a member that is under way for a hook and, if token is not empty, has
// it. found is false where there is none.
func ChangeAction(tx *state.Txn, group, instanceID, hook, token string, now time.Time,
	change func(*LifecycleAction)) (found bool) {
	m, _ := GroupMembers.Get(tx, MemberKey(group, instanceID))
	for i := range m.Actions {
		a := &m.Actions[i]
		if a.Hook == hook && a.Result == "" && (token == "" || a.Token == token) && now.Before(a.Deadline) {
			change(a)
			GroupMembers.Put(tx, MemberKey(group, instanceID), m)
			return true
		}
	}
	return false
}

// CompleteAction ends the lifecycle action of a member that waits for a hook, with CONTINUE or ABANDON. found is false
// where there is none. The group goes on when it is kept next.
func CompleteAction(tx *state.Txn, group, instanceID, hook, token, result string, now time.Time) (found bool) {
	return ChangeAction(tx, group, instanceID, hook, token, now, func(a *LifecycleAction) { a.Result = result })
}

// ExtendAction is a heartbeat: the member waits for the hook's timeout from now on, but not beyond the last moment.
func ExtendAction(tx *state.Txn, group, instanceID, hook, token string, now time.Time) (found bool) {
	return ChangeAction(tx, group, instanceID, hook, token, now, func(a *LifecycleAction) {
		a.Deadline = now.Add(time.Duration(a.Timeout) * time.Second)
		if a.Last.Before(a.Deadline) {
			a.Deadline = a.Last
		}
	})
}

// Outcome is how a member's wait ended: CONTINUE, or ABANDON where any hook said so; empty while it lasts. An action
// whose time is over has its default result.
func (m GroupMember) Outcome(now time.Time) string {
	outcome := HookContinue
	for _, a := range m.Actions {
		result := a.Result
		if result == "" && !now.Before(a.Deadline) {
			result = a.Default
		}
		switch result {
		case HookAbandon:
			return HookAbandon
		case "":
			outcome = ""
		}
	}
	return outcome
}

// AwaitsUntil is when the first of a member's actions ends by itself; zero: it awaits none.
func (m GroupMember) AwaitsUntil() (first time.Time) {
	for _, a := range m.Actions {
		if a.Result == "" && (first.IsZero() || a.Deadline.Before(first)) {
			first = a.Deadline
		}
	}
	return first
}

// LeaveGroup deletes a member that is terminated or detached. A detached instance is in no group any more.
func LeaveGroup(tx *state.Txn, group, instanceID string) error {
	key := MemberKey(group, instanceID)
	m, found := GroupMembers.Get(tx, key)
	if !found {
		return nil
	}
	if !m.State.MayBecome(noMember) {
		return &RefusedError{"member " + key, string(m.State), string(noMember)}
	}
	if v, there := Instances.Get(tx, instanceID); there && m.State == MemberDetached {
		v.Group = ""
		Instances.Put(tx, instanceID, v)
	}
	GroupMembers.Delete(tx, key)
	return nil
}

// AttachInstance makes a running instance a group's.
func AttachInstance(tx *state.Txn, group, instanceID string, m GroupMember, now time.Time) (GroupMember, error) {
	v, _ := Instances.Get(tx, instanceID)
	v.Group, m.Group, m.InstanceID = group, group, instanceID
	m, err := JoinGroup(tx, m, now)
	if err == nil {
		Instances.Put(tx, instanceID, v)
	}
	return m, err
}
