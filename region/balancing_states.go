package region

import (
	"slices"
	"time"

	"tripod/state"
)

// BalancerState is a load balancer's state: State.Code of the API.
type BalancerState string

// The states of a load balancer.
const (
	BalancerProvisioning BalancerState = "provisioning"
	BalancerActive       BalancerState = "active"
	BalancerImpaired     BalancerState = "active_impaired" // it carries traffic, but cannot grow
	BalancerFailed       BalancerState = "failed"

	// noBalancer is that of a load balancer which is not there. No record has it.
	noBalancer BalancerState = ""
)

// balancerStates says what may follow each state.
//
//	CreateBalancer   none -> provisioning, active
//	MoveBalancer     between all others
//	DeleteBalancer   any -> none
var balancerStates = map[BalancerState][]BalancerState{
	noBalancer:           {BalancerProvisioning, BalancerActive},
	BalancerProvisioning: {BalancerActive, BalancerFailed, noBalancer},
	BalancerActive:       {BalancerImpaired, noBalancer},
	BalancerImpaired:     {BalancerActive, noBalancer},
	BalancerFailed:       {noBalancer},
}

// MayBecome says whether a load balancer in this state may be in the other one next.
func (s BalancerState) MayBecome(next BalancerState) bool {
	return slices.Contains(balancerStates[s], next)
}

// CreateBalancer writes a new load balancer: provisioning, until who carries traffic says more by MoveBalancer, or active
// where nobody does. A name that is taken is refused.
func CreateBalancer(tx *state.Txn, b LoadBalancer, carried bool, now time.Time) (LoadBalancer, error) {
	b.State, b.CreatedAt = BalancerActive, now
	if carried {
		b.State = BalancerProvisioning
	}
	if there, found := LoadBalancers.Get(tx, b.Key()); found {
		return b, &RefusedError{"load balancer " + b.Name, string(there.State), string(b.State)}
	}
	LoadBalancers.Put(tx, b.Key(), b)
	return b, nil
}

// MoveBalancer gives the load balancer with that key another state. The reason is shown with it.
func MoveBalancer(tx *state.Txn, key string, next BalancerState, reason string) error {
	b, _ := LoadBalancers.Get(tx, key)
	if b.State == noBalancer || next == noBalancer || !b.State.MayBecome(next) {
		return &RefusedError{"load balancer " + key, string(b.State), string(next)}
	}
	b.State, b.StateReason = next, reason
	LoadBalancers.Put(tx, key, b)
	return nil
}

// DeleteBalancer deletes a load balancer with its listeners and their rules, and a classic one's instances with it. Target
// groups stay, without the reports about their targets where it was the last that used them.
func DeleteBalancer(tx *state.Txn, b LoadBalancer) {
	if b.Type == ClassicBalancer {
		for _, t := range TargetsOf(tx, ClassicGroup(b.Name)) {
			ForgetTarget(tx, t)
		}
	}
	var used []string
	for _, l := range ListenersOf(tx, b) {
		used = append(used, DeleteListener(tx, l)...)
	}
	LoadBalancers.Delete(tx, b.Key())
	for _, shift := range ShiftsOf(tx, b.ARN) {
		ZonalShifts.Delete(tx, shift.ID)
	}
	ForgetUnused(tx, used)
}

// DeleteListener deletes a listener with its rules. It returns the ARNs of the target groups that they named.
func DeleteListener(tx *state.Txn, l Listener) (used []string) {
	rules := RulesOf(tx, l)
	used = GroupsNamed(l, rules)
	for _, r := range rules {
		ListenerRules.Delete(tx, r.Key())
	}
	Listeners.Delete(tx, l.Key())
	ForgetUnused(tx, used)
	return used
}

// ForgetUnused deletes what was found of targets of those target groups, by their ARNs, that no load balancer uses any more.
func ForgetUnused(tx *state.Txn, groups []string) {
	for _, arn := range groups {
		if len(BalancersUsing(tx, arn)) > 0 {
			continue
		}
		for _, r := range TargetReports.Under(tx, TargetGroupName(arn)+"/") {
			TargetReports.Delete(tx, r.Key())
		}
	}
}

// FindBalancer is the load balancer with that ARN.
func FindBalancer(tx *state.Txn, arn string) (LoadBalancer, bool) {
	path := LoadBalancer{ARN: arn}.Path()
	name, classic := balancerNameIn(path)
	if name == "" {
		return LoadBalancer{}, false
	}
	b, found := LoadBalancers.Get(tx, BalancerKey(classic, name))
	return b, found && b.ARN == arn
}

// FollowsShifts says whether the load balancer's traffic can be moved away from a zone by a zonal shift.
func (b LoadBalancer) FollowsShifts() bool {
	return b.Attribute("zonal_shift.config.enabled") == "true"
}

// ShiftedFrom are the zones that its traffic is moved away from.
func (b LoadBalancer) ShiftedFrom(tx *state.Txn, now time.Time) (zones []string) {
	if !b.FollowsShifts() {
		return nil
	}
	for _, shift := range ShiftsOf(tx, b.ARN) {
		if shift.Active(now) {
			zones = append(zones, shift.Zone)
		}
	}
	return zones
}

// ListenersOf are a load balancer's, in the order of their ports.
func ListenersOf(tx *state.Txn, b LoadBalancer) []Listener {
	all := Listeners.Under(tx, b.Path()+"/")
	slices.SortFunc(all, func(a, b Listener) int { return a.Port - b.Port })
	return all
}

// RulesOf are a listener's without its own actions, in the order of their priorities.
func RulesOf(tx *state.Txn, l Listener) []ListenerRule {
	all := ListenerRules.Under(tx, l.Key()+"/")
	slices.SortFunc(all, func(a, b ListenerRule) int { return a.Priority - b.Priority })
	return all
}

// GroupsIn are the ARNs of the target groups that actions send to.
func GroupsIn(actions []RuleAction) (arns []string) {
	for _, a := range actions {
		if a.Forward != nil {
			for _, g := range a.Forward.Groups {
				arns = append(arns, g.TargetGroup)
			}
		}
	}
	return arns
}

// GroupsNamed are the ARNs of the target groups that a listener and its rules send to.
func GroupsNamed(l Listener, rules []ListenerRule) []string {
	arns := GroupsIn(l.Actions)
	for _, r := range rules {
		arns = append(arns, GroupsIn(r.Actions)...)
	}
	return arns
}

// BalancersUsing are the ARNs of the load balancers with a listener or a rule that sends to the target group.
func BalancersUsing(tx *state.Txn, groupARN string) (arns []string) {
	for _, l := range ListenersByTargetGroup.Of(groupARN).List(tx) {
		arns = append(arns, l.LoadBalancer)
	}
	for _, r := range RulesByTargetGroup.Of(groupARN).List(tx) {
		if l, found := Listeners.Get(tx, ListenerKey(r.Listener)); found {
			arns = append(arns, l.LoadBalancer)
		}
	}
	slices.Sort(arns)
	return slices.Compact(arns)
}
