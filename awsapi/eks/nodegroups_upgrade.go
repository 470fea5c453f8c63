package eks

import (
	"cmp"
	"hash/fnv"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/nodes/object"
	"tripod/region"
)

// excludedFromBalancers keeps a node out of load balancers: EKS gives it to nodes that it is about to replace.
const excludedFromBalancers = "node.kubernetes.io/exclude-from-external-load-balancers"

// maxParallel is how many nodes an update replaces at the same time at most.
const maxParallel = 100

// update brings an update further, by the phases of "Managed node update behavior" of the EKS user guide.
func (st *groupStep) update() error {
	u := st.work.Update
	switch {
	case u == nil: // no transition leaves it so
		return nil
	case !st.scaled && u.Phase != region.NodegroupChanging:
		return st.endUpdate(region.UpdateError{Code: string(types.ErrorCodeUnknown),
			Message: aws.ToString(st.noScalingGroup().Message), ResourceIDs: []string{scalingGroupOf(st.group)}})
	}
	switch u.Phase {
	case region.NodegroupChanging:
		for id := range st.work.Changes {
			if slices.ContainsFunc(st.members, func(m *groupNode) bool { return m.InstanceID == id && m.node != nil }) {
				return nil // it has not been told yet
			}
		}
		if st.lasts() {
			return nil
		}
		return st.endUpdate()
	case region.NodegroupSetup:
		return st.setUp(u)
	case region.NodegroupScalingUp:
		return st.scaleUp(u)
	case region.NodegroupUpgrading:
		return st.upgrade(u)
	case region.NodegroupScalingDown:
		return st.scaleDown(u)
	}
	return st.goBack(u)
}

func (st *groupStep) enter(u *region.NodegroupUpdate, phase region.NodegroupPhase) {
	u.Phase, u.Since, st.changed = phase, st.now, true
	st.wake(1)
}

// endUpdate ends the update, with the error if it has failed.
func (st *groupStep) endUpdate(errors ...region.UpdateError) error {
	if u := st.work.Update; len(errors) == 0 && u.Phase != region.NodegroupChanging {
		st.group.Version, st.group.ReleaseVersion = stringOrNil(u.Version), stringOrNil(u.ReleaseVersion)
		if u.LaunchTemplate != nil {
			st.group.LaunchTemplate = u.LaunchTemplate
		}
	}
	st.group.ModifiedAt = &st.now
	return st.take(region.EndNodegroupUpdate(st.tx, st.group, st.now, errors...))
}

func stringOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// setUp makes the launch template's version, has the Auto Scaling group launch by it, and finds out what is to be
// replaced.
func (st *groupStep) setUp(u *region.NodegroupUpdate) error {
	want := st.group
	want.Version, want.ReleaseVersion = stringOrNil(u.Version), stringOrNil(u.ReleaseVersion)
	if u.LaunchTemplate != nil {
		want.LaunchTemplate = u.LaunchTemplate
	}
	u.Before, u.ImageBefore = st.work.Template, st.work.ImageID
	if err := st.newTemplateVersion(st.tx, st.cluster, &want, &st.scaling); err != nil {
		issue, told := issueFor(err)
		if !told {
			return err
		}
		return st.endUpdate(region.UpdateError{Code: string(types.ErrorCodeUnknown), Message: *issue.Message})
	}
	region.AutoScalingGroups.Put(st.tx, st.scaling.Name, st.scaling)
	u.Old = ids(st.which(func(m *groupNode) bool { return m.stays() && !st.isNew(m) }))
	if len(u.Old) > 0 && st.group.UpdateConfig.UpdateStrategy != types.NodegroupUpdateStrategiesMinimal {
		u.Surge = max(st.parallel(), 2*len(st.scaling.Zones))
		st.resize(st.scaling.Min, st.scaling.Max+u.Surge, st.scaling.Desired+u.Surge)
		st.enter(u, region.NodegroupScalingUp)
		return nil
	}
	st.enter(u, region.NodegroupUpgrading)
	return nil
}

// isNew says whether an instance was launched by the launch template's version of now.
func (st *groupStep) isNew(m *groupNode) bool {
	return m.instance.Launch.TemplateID == st.work.Template.ID &&
		m.instance.Launch.TemplateVersion == st.work.Template.Version
}

// parallel is how many nodes may be unavailable at the same time.
func (st *groupStep) parallel() int {
	c := st.group.UpdateConfig
	switch {
	case c == nil:
		return 1
	case c.MaxUnavailable != nil:
		return min(int(*c.MaxUnavailable), maxParallel)
	case c.MaxUnavailablePercentage != nil:
		desired := st.scaling.Desired - st.work.Update.Surge
		return min(max(1, (desired*int(*c.MaxUnavailablePercentage)+99)/100), maxParallel)
	}
	return 1
}

// old are the instances that are still to be replaced, and fresh those that replace them.
func (st *groupStep) old(u *region.NodegroupUpdate) []*groupNode {
	return st.which(func(m *groupNode) bool { return m.stays() && slices.Contains(u.Old, m.InstanceID) })
}

func (st *groupStep) fresh(u *region.NodegroupUpdate) []*groupNode {
	return st.which(func(m *groupNode) bool { return m.stays() && !slices.Contains(u.Old, m.InstanceID) })
}

// scaleUp waits for new nodes: one at least in each zone that has old ones, and all that were launched Ready. Then no
// pods go to the old ones any more, and load balancers leave them.
func (st *groupStep) scaleUp(u *region.NodegroupUpdate) error {
	old, fresh := st.old(u), st.fresh(u)
	ready := map[string]bool{}
	for _, m := range fresh {
		if !m.ready() {
			return st.awaitFresh(u, fresh)
		}
		ready[m.instance.Zone] = true
	}
	for _, m := range old {
		if !ready[m.instance.Zone] {
			return st.awaitFresh(u, fresh)
		}
	}
	left := true
	for _, m := range old {
		left = st.order(m, replaced()) && left
	}
	if left {
		st.enter(u, region.NodegroupUpgrading)
	}
	return nil
}

// replaced is what is done to a node that is to be replaced.
func replaced() object.Change {
	change := cordon(true)
	change.Labels = map[string]string{excludedFromBalancers: "true"}
	return change
}

// awaitFresh lets the update go back if new nodes do not come.
func (st *groupStep) awaitFresh(u *region.NodegroupUpdate, fresh []*groupNode) error {
	missing := slices.DeleteFunc(slices.Clone(fresh), (*groupNode).ready)
	late := st.over(u.Since, joinPatience)
	launching := len(st.failedLaunches()) == 0 || !st.over(st.launchesFailSince(), st.pace.Trouble)
	if late || !launching || st.hopeless(missing) {
		st.fail(u, types.ErrorCodeNodeCreationFailure, "Couldn't proceed with upgrade process as new nodes are not joining "+
			"node group "+st.group.Name(), ids(missing))
	}
	return nil
}

// fail has the update go back for that reason.
func (st *groupStep) fail(u *region.NodegroupUpdate, code types.ErrorCode, message string, resources []string) {
	u.Failure = &region.UpdateError{Code: string(code), Message: message, ResourceIDs: resources}
	st.enter(u, region.NodegroupGoingBack)
}

// upgrade drains and terminates the old nodes, as many at a time as may be unavailable.
func (st *groupStep) upgrade(u *region.NodegroupUpdate) error {
	old := st.old(u)
	if len(old) == 0 {
		if fresh := st.fresh(u); len(slices.DeleteFunc(slices.Clone(fresh), (*groupNode).ready)) > 0 ||
			len(fresh) < st.scaling.Desired-u.Surge {
			return st.awaitFresh(u, fresh)
		}
		st.enter(u, region.NodegroupScalingDown)
		return nil
	}
	batch := st.batch(u, old)
	if len(batch) == 0 {
		return st.awaitFresh(u, st.fresh(u))
	}
	for _, m := range batch {
		st.order(m, replaced())
		done, late := st.drain(m, u.Force)
		if forced := st.work.Draining[m.InstanceID].Forced; late && !forced.IsZero() && st.over(forced, st.pace.Drain) {
			done = true // pods that are deleted and do not go
		}
		switch {
		case done && st.over(st.work.Draining[m.InstanceID].Drained, st.pace.Settle):
			if err := st.end(m, false); err != nil {
				return err
			}
			u.Since, st.changed = st.now, true // the patience with new nodes begins anew
		case late && !u.Force:
			var names []string
			for _, m := range batch {
				if left := st.view.Drained[m.nodeName()]; left.Left > 0 || m.node == nil {
					names = append(names, m.nodeName())
				}
			}
			st.fail(u, types.ErrorCodePodEvictionFailure, "Reached max retries while trying to evict pods from nodes in node "+
				"group "+st.group.Name(), names)
			return nil
		}
	}
	return nil
}

func (m *groupNode) nodeName() string {
	if m.node != nil {
		return m.node.Name
	}
	return m.instance.DNSName
}

// batch are the old nodes that are replaced at present: those under way, and as many more as may be unavailable, which
// are chosen without an order that anybody could rely on.
func (st *groupStep) batch(u *region.NodegroupUpdate, old []*groupNode) []*groupNode {
	var batch, rest []*groupNode
	for _, m := range old {
		if _, under := st.work.Draining[m.InstanceID]; under {
			batch = append(batch, m)
		} else {
			rest = append(rest, m)
		}
	}
	slices.SortFunc(rest, func(a, b *groupNode) int { return cmp.Compare(lot(u.ID, a.InstanceID), lot(u.ID, b.InstanceID)) })
	more := st.parallel() - len(batch) - st.unavailable(u, old)
	return append(batch, rest[:min(max(more, 0), len(rest))]...)
}

// unavailable is how many nodes the update has taken away that are not gone yet. With the strategy MINIMAL, which has no
// nodes to spare, it is those whose successors are not Ready.
func (st *groupStep) unavailable(u *region.NodegroupUpdate, old []*groupNode) int {
	if u.Surge > 0 {
		return len(st.which(func(m *groupNode) bool {
			return slices.Contains(u.Old, m.InstanceID) && m.State.Ends() && m.instance.State.Alive()
		}))
	}
	missing := st.scaling.Desired - len(st.which((*groupNode).ready))
	for _, m := range old {
		if !m.ready() { // no update has made it so
			missing--
		}
	}
	return max(missing, 0)
}

// lot is a random number that an update has for an instance.
func lot(update, instance string) uint64 {
	hash := fnv.New64a()
	hash.Write([]byte(update + "/" + instance)) // never fails
	return hash.Sum64()
}

// end has a member terminated, whose node is drained; with fewer it is not replaced.
func (st *groupStep) end(m *groupNode, fewer bool) error {
	if _, err := st.autoScaling().TerminateMember(st.tx, m.InstanceID, fewer, st.now); err != nil {
		return err
	}
	st.scaling, st.scaled = region.AutoScalingGroups.Get(st.tx, st.scaling.Name)
	m.GroupMember, _ = region.GroupMembers.Get(st.tx, region.MemberKey(m.Group, m.InstanceID))
	return nil
}

// scaleDown gives the Auto Scaling group its sizes back, one step after the other: each instance that goes is drained.
func (st *groupStep) scaleDown(u *region.NodegroupUpdate) error {
	staying := len(st.which((*groupNode).stays))
	switch {
	case u.Surge > 0 && staying > st.scaling.Desired:
		return nil // the one of the step before has not been chosen yet
	case u.Surge > 0:
		u.Surge, st.changed = u.Surge-1, true
		st.resize(st.scaling.Min, st.scaling.Max-1, max(st.scaling.Min, st.scaling.Desired-1))
		st.wake(1)
		return nil
	case staying > st.scaling.Desired || st.lasts():
		return nil
	}
	return st.endUpdate()
}

// goBack undoes what an update that has failed did: the old nodes take pods again, and the new ones that were launched
// beside them go. Those that have replaced an old one stay.
func (st *groupStep) goBack(u *region.NodegroupUpdate) error {
	if st.work.Template != u.Before {
		useTemplate(&st.group, &st.scaling, u.Before, u.ImageBefore)
		region.AutoScalingGroups.Put(st.tx, st.scaling.Name, st.scaling)
		st.changed = true
	}
	back := cordon(false)
	back.RemoveLabels = []string{excludedFromBalancers}
	restored := true
	for _, m := range st.old(u) {
		if _, under := st.work.Draining[m.InstanceID]; under && m.instance.Spot == nil {
			delete(st.work.Draining, m.InstanceID)
			st.changed = true
		}
		restored = st.order(m, back) && restored
	}
	for u.Surge > 0 {
		u.Surge, st.changed = u.Surge-1, true
		surplus, least := st.surplus(u), st.scaling.Min
		if len(st.which((*groupNode).stays)) < st.scaling.Desired || surplus == nil { // it has not been launched
			st.resize(least, st.scaling.Max-1, max(least, st.scaling.Desired-1))
			continue
		}
		if err := st.end(surplus, true); err != nil {
			return err
		}
		st.resize(least, st.scaling.Max-1, st.scaling.Desired)
	}
	if !restored {
		return nil
	}
	return st.endUpdate(*u.Failure)
}

// surplus is the new instance that goes first when there are too many: one that is not Ready, else one of the zone that
// has the most, so that Auto Scaling has nothing to balance afterwards; nil: there is none.
func (st *groupStep) surplus(u *region.NodegroupUpdate) *groupNode {
	fresh := st.fresh(u)
	if len(fresh) == 0 {
		return nil
	}
	zones := map[string]int{}
	for _, m := range st.which((*groupNode).stays) {
		zones[m.instance.Zone]++
	}
	rank := func(m *groupNode) int {
		if !m.ready() {
			return -len(st.members)
		}
		return -zones[m.instance.Zone]
	}
	return slices.MinFunc(fresh, func(a, b *groupNode) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(lot(u.ID, a.InstanceID), lot(u.ID, b.InstanceID)))
	})
}
