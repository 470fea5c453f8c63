package eks

import (
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// GroupView is what is known of a cluster at the time of a step.
type GroupView struct {
	// Nodes are the cluster's, by the ids of their instances; nil: they are not known.
	Nodes map[string]object.Node
	// Drained is what the last pass of each drain has left, by the nodes' names.
	Drained map[string]object.Drained
	// Unreachable is why the cluster has not answered for a while; empty: it does.
	Unreachable string
	// Mapped are the roles that aws-auth has, by their ARNs; those that nobody has looked for are not in it.
	Mapped map[string]bool
}

// groupStep is one look at one node group: what is to be done next follows from records and from the view of the
// cluster alone.
type groupStep struct {
	*Service
	tx      *state.Txn
	now     time.Time
	pace    NodegroupPace
	view    GroupView
	cluster region.Cluster

	group   region.Nodegroup
	work    *region.NodegroupWork // the group's, and this step's own
	changed bool                  // the group has to be written
	gone    bool                  // it is not there any more

	scaling region.AutoScalingGroup
	scaled  bool // there is such a group
	members []*groupNode

	orders []object.Change
	again  time.Duration // when the clock is to wake the group; 0: it need not
}

// groupNode is an instance of a node group with its node; node is nil while there is none.
type groupNode struct {
	region.GroupMember
	instance region.Instance
	node     *object.Node
}

// stays says whether the instance is there, and neither it nor its group is about to end it.
func (m *groupNode) stays() bool { return m.instance.State.Alive() && !m.State.Ends() }

// ready says whether its node takes part in the cluster.
func (m *groupNode) ready() bool { return m.node != nil && m.node.Ready && m.stays() }

// StepNodegroup does what is to be done next for a node group, in its records. The orders are what is to be done in the
// cluster: they are given again until the cluster is so. again is when to look again though nothing has changed; 0: it
// need not be.
func (s *Service) StepNodegroup(tx *state.Txn, cluster region.Cluster, group region.Nodegroup, view GroupView,
	now time.Time) (orders []object.Change, again time.Duration, err error) {
	if group.Work == nil {
		return nil, 0, nil
	}
	st := s.look(tx, cluster, group, view, now)
	stages := []func() error{st.completeHooks, st.tellNodes, st.drainInterrupted}
	switch group.Status {
	case types.NodegroupStatusCreating:
		stages = append(stages, st.create)
	case types.NodegroupStatusActive, types.NodegroupStatusDegraded:
		stages = append(stages, st.repair, st.judge)
	case types.NodegroupStatusUpdating:
		stages = append(stages, st.update)
	case types.NodegroupStatusDeleting:
		stages = append(stages, st.delete)
	}
	for _, stage := range stages {
		if err := stage(); err != nil {
			return nil, 0, err
		}
	}
	if !st.gone {
		st.forgetDrains()
		if st.changed {
			st.group.Put(tx)
		}
	}
	return st.orders, st.again, nil
}

// look reads what belongs to a node group.
func (s *Service) look(tx *state.Txn, cluster region.Cluster, group region.Nodegroup, view GroupView,
	now time.Time) *groupStep {
	own := *group.Work
	own.Draining, own.Changes = maps.Clone(own.Draining), maps.Clone(own.Changes)
	if own.Update != nil {
		update := *own.Update
		own.Update = &update
	}
	group.Work = &own
	st := &groupStep{Service: s, tx: tx, now: now, pace: s.ControlPlane.Pace.Nodegroups.withDefaults(), view: view,
		cluster: cluster, group: group, work: &own}
	name := scalingGroupOf(group)
	st.scaling, st.scaled = region.AutoScalingGroups.Get(tx, name)
	if st.scaling.DeletedAt != nil && group.Status != types.NodegroupStatusDeleting {
		st.scaled = false
	}
	instances := map[string]region.Instance{}
	for _, v := range region.InstancesByGroup.Of(name).List(tx) {
		instances[v.ID] = v
	}
	for _, m := range region.MembersOf(tx, name) {
		one := &groupNode{GroupMember: m, instance: instances[m.InstanceID]}
		if node, found := view.Nodes[m.InstanceID]; found {
			one.node = &node
		}
		st.members = append(st.members, one)
	}
	return st
}

// take goes on with the group as a transition has written it.
func (st *groupStep) take(group region.Nodegroup, err error) error {
	if err == nil {
		st.group, st.work, st.changed = group, group.Work, false
	}
	return err
}

// wake has the group looked at again after a time, or earlier.
func (st *groupStep) wake(after time.Duration) {
	if after = max(after, 1); st.again == 0 || after < st.again {
		st.again = after
	}
}

// over says whether a time since then is over; where it is not, the group is looked at then.
func (st *groupStep) over(since time.Time, patience time.Duration) bool {
	left := patience - st.now.Sub(since)
	if left <= 0 {
		return true
	}
	st.wake(left)
	return false
}

// lasts says whether the status has to last yet; the group is looked at when it has not.
func (st *groupStep) lasts() bool {
	if !st.group.Lasts(st.now) {
		return false
	}
	st.wake(st.work.NotBefore.Sub(st.now))
	return true
}

// order has a change made of a node, unless it is so already. It says whether it is.
func (st *groupStep) order(m *groupNode, change object.Change) (made bool) {
	if m.node == nil || change.Made(*m.node) {
		return true
	}
	change.Node = m.node.Name
	st.orders = append(st.orders, change)
	return false
}

// which are the members of which the condition holds.
func (st *groupStep) which(holds func(*groupNode) bool) (some []*groupNode) {
	for _, m := range st.members {
		if holds(m) {
			some = append(some, m)
		}
	}
	return some
}

func ids(members []*groupNode) (all []string) {
	for _, m := range members {
		all = append(all, m.InstanceID)
	}
	return all
}

// completeHooks lets members go on that wait for EKS: those whose nodes are Ready into service, those whose nodes are
// drained, or could not be in time, to their end.
func (st *groupStep) completeHooks() error {
	for _, m := range st.members {
		switch {
		case m.State == region.MemberPendingWait && m.node != nil && m.node.Ready:
			st.complete(m, launchHook)
		case m.State == region.MemberTerminatingWait:
			if done, late := st.drain(m, false); done || late {
				st.complete(m, terminateHook)
			}
		}
	}
	return nil
}

func (st *groupStep) complete(m *groupNode, hook string) {
	region.CompleteAction(st.tx, m.Group, m.InstanceID, hook, "", region.HookContinue, st.now)
}

// drain drains a member's node: it is cordoned, and its pods are evicted, or with force deleted once their time is over.
// done says that nothing is left, late that time is over.
func (st *groupStep) drain(m *groupNode, force bool) (done, late bool) {
	if !m.instance.State.Alive() || m.node == nil && st.view.Nodes != nil {
		return true, false
	}
	d, under := st.work.Draining[m.InstanceID]
	if !under {
		d = region.Draining{Since: st.now}
		st.note(m, d)
	}
	if m.node == nil { // the cluster does not answer
		return false, st.over(d.Since, st.pace.Drain)
	}
	if !st.order(m, cordon(true)) {
		return false, false
	}
	left, known := st.view.Drained[m.node.Name]
	switch {
	case !known:
		st.wake(1)
		return false, false
	case left.Left == 0:
		if d.Drained.IsZero() {
			d.Drained = st.now
			st.note(m, d)
		}
		return true, false
	}
	st.wake(st.pace.Retry)
	late = st.over(d.Since, st.pace.Drain)
	if late && force && d.Forced.IsZero() {
		d.Forced = st.now
		st.note(m, d)
	}
	return false, late
}

func (st *groupStep) note(m *groupNode, d region.Draining) {
	if st.work.Draining == nil {
		st.work.Draining = map[string]region.Draining{}
	}
	st.work.Draining[m.InstanceID], st.changed = d, true
}

func cordon(yes bool) object.Change { return object.Change{Unschedulable: &yes} }

// forgetDrains forgets the drains of instances that are gone.
func (st *groupStep) forgetDrains() {
	for id := range st.work.Draining {
		if !slices.ContainsFunc(st.members, func(m *groupNode) bool {
			return m.InstanceID == id && m.instance.State.Alive()
		}) {
			delete(st.work.Draining, id)
			st.changed = true
		}
	}
}

// drainInterrupted drains the nodes of spot instances that EC2 is about to take back.
func (st *groupStep) drainInterrupted() error {
	for _, m := range st.members {
		if m.instance.Spot != nil && m.stays() {
			st.drain(m, false)
		}
	}
	return nil
}

// tellNodes tells the nodes that were there at an update of labels and taints what it changed, each once: what the user
// does to them afterwards stays.
func (st *groupStep) tellNodes() error {
	for _, id := range slices.Sorted(maps.Keys(st.work.Changes)) {
		at := slices.IndexFunc(st.members, func(m *groupNode) bool { return m.InstanceID == id })
		if at < 0 || !st.members[at].stays() {
			st.told(id)
			continue
		}
		if m := st.members[at]; m.node != nil && st.order(m, changeOfNode(st.work.Changes[id])) {
			st.told(id)
		}
	}
	return nil
}

func (st *groupStep) told(id string) {
	delete(st.work.Changes, id)
	st.changed = true
}

// changeOfNode is what a node is told.
func changeOfNode(c region.NodeChange) object.Change {
	return object.Change{Labels: c.Labels, RemoveLabels: c.RemoveLabels, Taints: nodeTaints(c.Taints),
		RemoveTaints: nodeTaints(c.RemoveTaints)}
}

// nodeTaints are taints with Kubernetes' effects.
func nodeTaints(taints []types.Taint) (all []object.Taint) {
	for _, t := range taints {
		all = append(all, object.Taint{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value), Effect: taintEffects[t.Effect]})
	}
	return all
}

var taintEffects = map[types.TaintEffect]string{
	types.TaintEffectNoSchedule: "NoSchedule", types.TaintEffectNoExecute: "NoExecute",
	types.TaintEffectPreferNoSchedule: "PreferNoSchedule",
}
