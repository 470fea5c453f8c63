package eks

import (
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// create waits until as many nodes are Ready as are desired, and gives up on nodes that do not come.
func (st *groupStep) create() error {
	if !st.scaled {
		return st.take(region.FailNodegroup(st.tx, st.group, []types.Issue{st.noScalingGroup()}, st.now))
	}
	if st.cluster.AuthenticationMode == string(types.AuthenticationModeConfigMap) && !st.work.Mapped {
		if !st.view.Mapped[aws.ToString(st.group.NodeRole)] {
			return nil // the keeper maps it
		}
		st.work.Mapped, st.changed = true, true
	}
	if len(st.which((*groupNode).ready)) >= st.scaling.Desired {
		if st.lasts() {
			return nil
		}
		return st.take(region.ActivateNodegroup(st.tx, st.group, st.now))
	}
	missing := st.missing()
	late := st.over(st.work.Since, joinPatience)
	if issues := st.failedLaunches(); len(issues) > 0 &&
		(late || st.over(st.launchesFailSince(), st.pace.Trouble)) {
		return st.take(region.FailNodegroup(st.tx, st.group, issues, st.now))
	}
	if late || st.hopeless(missing) {
		return st.take(region.FailNodegroup(st.tx, st.group, notJoined(missing), st.now))
	}
	return nil
}

// missing are the instances that are there, and not yet as nodes that are Ready.
func (st *groupStep) missing() []*groupNode {
	return st.which(func(m *groupNode) bool { return m.stays() && !m.ready() })
}

// hopeless says whether all of the instances have been in trouble for so long that they will not join: what is known of
// them need not be waited for.
func (st *groupStep) hopeless(missing []*groupNode) bool {
	all := len(missing) > 0
	for _, m := range missing {
		if m.node != nil || m.instance.Boot.Trouble == "" {
			return false
		}
		all = st.over(m.instance.Boot.TroubledAt, st.pace.Trouble) && all
	}
	return all
}

// notJoined is the issue of nodes that do not come.
func notJoined(missing []*groupNode) []types.Issue {
	message := "Instances failed to join the kubernetes cluster"
	for _, m := range missing {
		if m.node != nil {
			message = "Unhealthy nodes in the kubernetes cluster"
		}
	}
	return []types.Issue{{Code: types.NodegroupIssueCodeNodeCreationFailure, Message: &message, ResourceIds: ids(missing)}}
}

// judge says what is wrong with a node group that is there.
func (st *groupStep) judge() error {
	issues := st.issues()
	if sameIssues(issues, st.group.Health) {
		return nil
	}
	return st.take(region.JudgeNodegroup(st.tx, st.group, issues, st.now))
}

// delete has all instances drained and terminated, and then removes what EKS made.
func (st *groupStep) delete() error {
	if st.scaled && st.scaling.DeletedAt == nil {
		if st.scaling.Desired > 0 || st.scaling.Min > 0 {
			st.resize(0, st.scaling.Max, 0)
		}
		if len(st.members) > 0 && !st.over(st.work.Since, 2*st.pace.Drain) { // else some are protected from scaling in
			return nil
		}
		st.scaling.DeletedAt = &st.now // it goes with its last instance
		region.AutoScalingGroups.Put(st.tx, st.scaling.Name, st.scaling)
	}
	if len(st.members) > 0 || st.lasts() {
		return nil
	}
	role := aws.ToString(st.group.NodeRole)
	if mapped, known := st.view.Mapped[role]; st.work.Mapped && (mapped || !known) &&
		!st.roleServes(st.tx, st.cluster, st.group) && !st.over(st.work.Since, 2*st.pace.Drain) {
		return nil // the keeper takes the role from aws-auth, unless the cluster does not answer
	}
	if id := st.group.Resources.RemoteAccessSecurityGroup; id != nil && st.network().GroupIsUsed(st.tx, *id) {
		return st.take(region.FailNodegroup(st.tx, st.group, []types.Issue{{
			Code:        types.NodegroupIssueCodeEc2SecurityGroupDeletionFailure,
			Message:     aws.String("DependencyViolation - resource has a dependent object"),
			ResourceIds: []string{*id},
		}}, st.now))
	}
	st.dropNodegroup(st.tx, st.cluster, st.group)
	st.gone = true
	return region.ForgetNodegroup(st.tx, st.group)
}

// resize gives the Auto Scaling group other sizes, as EKS does on its own.
func (st *groupStep) resize(least, most, desired int) {
	st.scaling = resized(st.scaling, least, most, desired, st.now)
	region.AutoScalingGroups.Put(st.tx, st.scaling.Name, st.scaling)
}

// resized is an Auto Scaling group with other sizes.
func resized(g region.AutoScalingGroup, least, most, desired int, now time.Time) region.AutoScalingGroup {
	if desired != g.Desired {
		g.Asked = askedFor(now, least, most, g.Desired, desired)
	}
	g.Min, g.Max, g.Desired = least, most, desired
	return g
}
