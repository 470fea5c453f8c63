package eks

import (
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// harmless are the issues with which a node group can be updated all the same.
var harmless = []types.NodegroupIssueCode{types.NodegroupIssueCodeAsgInstanceLaunchFailures,
	types.NodegroupIssueCodeInstanceLimitExceeded, types.NodegroupIssueCodeInsufficientFreeAddresses,
	types.NodegroupIssueCodeClusterUnreachable}

// mayUpdate refuses the update of a node group that EKS does not update now.
func mayUpdate(a about, g region.Nodegroup) error {
	switch {
	case g.Status == types.NodegroupStatusDegraded:
		for _, issue := range g.Health.Issues {
			if !slices.Contains(harmless, issue.Code) {
				return a.invalidRequest("Nodegroup has health issue other than [ AsgInstanceLaunchFailures, " +
					"InstanceLimitExceeded, InsufficientFreeAddresses, ClusterUnreachable ]")
			}
		}
	case g.Status != types.NodegroupStatusActive:
		return a.inUse("Nodegroup cannot be updated as it is currently not in Active State")
	}
	return nil
}

// beginConfigUpdate begins the change of a node group's configuration: sizes go to the Auto Scaling group, and labels and
// taints to new instances by another version of the launch template, to those that there are by their nodes.
func (s *Service) beginConfigUpdate(c change, a about, group region.Nodegroup, in *eks.UpdateNodegroupConfigInput,
	update region.Update) (region.Update, error) {
	if group.Work == nil {
		return region.NodegroupStates.Change(c.tx, group, update)
	}
	work := *group.Work
	group.Work = &work
	work.Update = &region.NodegroupUpdate{ID: update.ID, Phase: region.NodegroupChanging, Since: c.now}
	scaling, found := region.AutoScalingGroups.Get(c.tx, scalingGroupOf(group))
	if !found {
		return update, a.invalidRequest("The Auto Scaling group %s of the node group %s is not there.",
			scalingGroupOf(group), group.Name())
	}
	if size := group.ScalingConfig; in.ScalingConfig != nil {
		scaling = resized(scaling, int(*size.MinSize), int(*size.MaxSize), int(*size.DesiredSize), c.now)
	}
	if in.WarmPoolConfig != nil {
		scaling.WarmPool = warmPoolOf(group)
	}
	if told := changeAsked(in); !told.empty() {
		work.Changes = maps.Clone(work.Changes)
		if work.Changes == nil {
			work.Changes = map[string]region.NodeChange{}
		}
		for _, m := range region.MembersOf(c.tx, scaling.Name) {
			if !m.State.Ends() {
				work.Changes[m.InstanceID] = told.over(work.Changes[m.InstanceID])
			}
		}
		if err := s.newTemplateVersion(c.tx, c.cluster, &group, &scaling); err != nil {
			if issue, told := issueFor(err); told {
				return update, a.invalidParameter("%s", *issue.Message)
			}
			return update, err
		}
	}
	region.AutoScalingGroups.Put(c.tx, scaling.Name, scaling)
	return region.BeginNodegroupUpdate(c.tx, group, update, c.now, nil)
}

// nodeChange is what nodes that there are already are told.
type nodeChange region.NodeChange

// changeAsked is what a request changes of nodes.
func changeAsked(in *eks.UpdateNodegroupConfigInput) nodeChange {
	var told nodeChange
	if l := in.Labels; l != nil {
		told.Labels, told.RemoveLabels = l.AddOrUpdateLabels, l.RemoveLabels
	}
	if t := in.Taints; t != nil {
		told.Taints, told.RemoveTaints = t.AddOrUpdateTaints, t.RemoveTaints
	}
	return told
}

func (c nodeChange) empty() bool {
	return len(c.Labels)+len(c.RemoveLabels)+len(c.Taints)+len(c.RemoveTaints) == 0
}

// over is the change laid over an earlier one of which the node has not been told yet.
func (c nodeChange) over(earlier region.NodeChange) region.NodeChange {
	labels := mergeTags(earlier.Labels, c.Labels)
	for _, key := range c.RemoveLabels {
		delete(labels, key)
	}
	without := func(taints, others []types.Taint) []types.Taint {
		return slices.DeleteFunc(slices.Clone(taints), func(t types.Taint) bool {
			return slices.ContainsFunc(others, func(other types.Taint) bool { return sameTaint(t, other) })
		})
	}
	return region.NodeChange{
		Labels: labels,
		RemoveLabels: append(slices.DeleteFunc(slices.Clone(earlier.RemoveLabels), func(key string) bool {
			_, set := c.Labels[key]
			return set
		}), c.RemoveLabels...),
		Taints:       append(without(without(earlier.Taints, c.Taints), c.RemoveTaints), c.Taints...),
		RemoveTaints: append(without(earlier.RemoveTaints, c.Taints), c.RemoveTaints...),
	}
}

// beginVersionUpdate begins to give a node group another version, release or launch template version: want has them.
func beginVersionUpdate(c change, group, want region.Nodegroup, force bool,
	update region.Update) (region.Update, error) {
	if group.Work == nil {
		want.ModifiedAt = aws.Time(c.now)
		return region.NodegroupStates.Change(c.tx, want, update)
	}
	work := *group.Work
	group.Work = &work
	work.Update = &region.NodegroupUpdate{ID: update.ID, Phase: region.NodegroupSetup, Since: c.now, Force: force,
		Version: aws.ToString(want.Version), ReleaseVersion: aws.ToString(want.ReleaseVersion),
		LaunchTemplate: want.LaunchTemplate}
	return region.BeginNodegroupUpdate(c.tx, group, update, c.now, nil)
}
