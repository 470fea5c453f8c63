package eks

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/smithy-go"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
)

func (s *Service) updateNodegroupConfig(call *operation.Call,
	in *eks.UpdateNodegroupConfigInput) (*eks.UpdateNodegroupConfigOutput, error) {
	t := target{aws.ToString(in.ClusterName), nodegroups, aws.ToString(in.NodegroupName)}
	return changeOf(s, call, t, mustExist, in.ClientRequestToken, in,
		func(c change) (*eks.UpdateNodegroupConfigOutput, string, error) {
			group, err := nodegroupNamed(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			a := about{cluster: c.cluster.Name, nodegroup: t.name}
			if err := mayUpdate(a, group); err != nil {
				return nil, "", err
			}
			group = shownNodegroup(c.tx, group) // the desired size of now counts
			params, wrong := applyConfig(&group.Nodegroup, in)
			switch {
			case wrong != "":
				return nil, "", a.invalidParameter("%s", wrong)
			case len(params) == 0:
				return nil, "", a.invalidParameter("No changes needed for the node group %s: name something to change.", t.name)
			}
			group.ModifiedAt = aws.Time(c.now)
			update, err := s.beginConfigUpdate(c, a, group, in, c.newUpdate(types.UpdateTypeConfigUpdate, params))
			return &eks.UpdateNodegroupConfigOutput{Update: describeUpdateRecord(update)}, "", err
		})
}

// applyConfig changes a node group as asked, and returns the update's parameters and what is wrong with the outcome.
func applyConfig(g *types.Nodegroup, in *eks.UpdateNodegroupConfigInput) (params []region.UpdateParam, wrong string) {
	add := func(kind types.UpdateParamType, value string) {
		params = append(params, param(kind, value))
	}
	if l := in.Labels; l != nil {
		labels := mergeTags(g.Labels, l.AddOrUpdateLabels)
		for _, key := range l.RemoveLabels {
			if _, added := l.AddOrUpdateLabels[key]; added {
				return nil, "The label " + quote(key) + " cannot be both updated and removed."
			}
			delete(labels, key)
		}
		if wrong := wrongLabels(l.AddOrUpdateLabels); wrong != "" {
			return nil, wrong
		}
		g.Labels = labels
		if len(l.AddOrUpdateLabels) > 0 {
			add(types.UpdateParamTypeLabelsToAdd, asJSON(l.AddOrUpdateLabels))
		}
		if len(l.RemoveLabels) > 0 {
			add(types.UpdateParamTypeLabelsToRemove, asJSON(l.RemoveLabels))
		}
	}
	if p := in.Taints; p != nil {
		if g.Taints, wrong = changedTaints(g.Taints, p); wrong != "" {
			return nil, wrong
		}
		if len(p.AddOrUpdateTaints) > 0 {
			add(types.UpdateParamTypeTaintsToAdd, asJSON(p.AddOrUpdateTaints))
		}
		if len(p.RemoveTaints) > 0 {
			add(types.UpdateParamTypeTaintsToRemove, asJSON(p.RemoveTaints))
		}
	}
	if c := in.ScalingConfig; c != nil {
		scaling := mergeScaling(*g.ScalingConfig, c)
		g.ScalingConfig = &scaling
		addNumber(add, types.UpdateParamTypeMinSize, c.MinSize)
		addNumber(add, types.UpdateParamTypeMaxSize, c.MaxSize)
		addNumber(add, types.UpdateParamTypeDesiredSize, c.DesiredSize)
	}
	if c := in.UpdateConfig; c != nil {
		g.UpdateConfig = c
		addNumber(add, types.UpdateParamTypeMaxUnavailable, c.MaxUnavailable)
		addNumber(add, types.UpdateParamTypeMaxUnavailablePercentage, c.MaxUnavailablePercentage)
		if c.UpdateStrategy != "" {
			add(types.UpdateParamTypeUpdateStrategy, string(c.UpdateStrategy))
		}
	}
	if c := in.NodeRepairConfig; c != nil {
		g.NodeRepairConfig = c
		add(types.UpdateParamTypeNodeRepairConfig, asJSON(c))
	}
	if c := in.WarmPoolConfig; c != nil {
		g.WarmPoolConfig = mergeWarmPool(g.WarmPoolConfig, c)
		if c.Enabled != nil {
			add(types.UpdateParamTypeWarmPoolEnabled, strconv.FormatBool(*c.Enabled))
		}
		addNumber(add, types.UpdateParamTypeWarmPoolMaxGroupPreparedCapacity, c.MaxGroupPreparedCapacity)
		addNumber(add, types.UpdateParamTypeWarmPoolMinSize, c.MinSize)
		if c.PoolState != "" {
			add(types.UpdateParamTypeWarmPoolState, string(c.PoolState))
		}
		if c.ReuseOnScaleIn != nil {
			add(types.UpdateParamTypeWarmPoolReuseOnScaleIn, strconv.FormatBool(*c.ReuseOnScaleIn))
		}
	}
	for _, check := range []string{
		wrongScaling(g.ScalingConfig), wrongUnavailable(g.UpdateConfig), wrongRepair(g.NodeRepairConfig),
		wrongWarmPool(g.WarmPoolConfig), wrongTaints(g.Taints),
	} {
		if check != "" {
			return nil, check
		}
	}
	return params, ""
}

func addNumber(add func(types.UpdateParamType, string), kind types.UpdateParamType, n *int32) {
	if n != nil {
		add(kind, strconv.Itoa(int(*n)))
	}
}

// changedTaints are taints after an update; a taint with the same key and effect is replaced.
func changedTaints(taints []types.Taint, p *types.UpdateTaintsPayload) ([]types.Taint, string) {
	if wrong := wrongTaints(p.AddOrUpdateTaints); wrong != "" {
		return nil, wrong
	}
	out := slices.Clone(taints)
	for _, change := range p.AddOrUpdateTaints {
		same := func(t types.Taint) bool { return sameTaint(t, change) }
		if slices.ContainsFunc(p.RemoveTaints, same) {
			return nil, "The taint " + quote(*change.Key) + " cannot be both updated and removed."
		}
		out = append(slices.DeleteFunc(out, same), change)
	}
	for _, removed := range p.RemoveTaints {
		out = slices.DeleteFunc(out, func(t types.Taint) bool { return sameTaint(t, removed) })
	}
	return out, ""
}

// mergeScaling is the sizes with those that a request gives. A desired size that a request does not give stays within
// the others, as an Auto Scaling group has it.
func mergeScaling(c types.NodegroupScalingConfig, in *types.NodegroupScalingConfig) types.NodegroupScalingConfig {
	for _, size := range []struct {
		to   **int32
		from *int32
	}{{&c.MinSize, in.MinSize}, {&c.MaxSize, in.MaxSize}, {&c.DesiredSize, in.DesiredSize}} {
		if size.from != nil {
			*size.to = size.from
		}
	}
	if in.DesiredSize == nil && c.DesiredSize != nil && c.MinSize != nil && c.MaxSize != nil && *c.MinSize <= *c.MaxSize {
		c.DesiredSize = aws.Int32(min(max(*c.DesiredSize, *c.MinSize), *c.MaxSize))
	}
	return c
}

// mergeWarmPool is the warm pool with what a request gives; nil once it is switched off.
func mergeWarmPool(now, in *types.WarmPoolConfig) *types.WarmPoolConfig {
	if in.Enabled != nil && !*in.Enabled {
		return nil
	}
	var out types.WarmPoolConfig
	if now != nil {
		out = *now
	}
	for _, size := range []struct {
		to   **int32
		from *int32
	}{{&out.MinSize, in.MinSize}, {&out.MaxGroupPreparedCapacity, in.MaxGroupPreparedCapacity}} {
		if size.from != nil {
			*size.to = size.from
		}
	}
	if in.Enabled != nil {
		out.Enabled = in.Enabled
	}
	if in.PoolState != "" {
		out.PoolState = in.PoolState
	}
	if in.ReuseOnScaleIn != nil {
		out.ReuseOnScaleIn = in.ReuseOnScaleIn
	}
	return &out
}

func (s *Service) updateNodegroupVersion(call *operation.Call,
	in *eks.UpdateNodegroupVersionInput) (*eks.UpdateNodegroupVersionOutput, error) {
	t := target{aws.ToString(in.ClusterName), nodegroups, aws.ToString(in.NodegroupName)}
	return changeOf(s, call, t, mustBeActive, in.ClientRequestToken, in,
		func(c change) (*eks.UpdateNodegroupVersionOutput, string, error) {
			group, err := nodegroupNamed(c.tx, c.cluster, t.name)
			if err != nil {
				return nil, "", err
			}
			if err := mayUpdate(about{cluster: c.cluster.Name, nodegroup: t.name}, group); err != nil {
				return nil, "", err
			}
			want := group
			params, err := s.applyVersion(c, &want.Nodegroup, in)
			if err != nil {
				return nil, "", err
			}
			update, err := beginVersionUpdate(c, group, want, in.Force, c.newUpdate(types.UpdateTypeVersionUpdate, params))
			return &eks.UpdateNodegroupVersionOutput{Update: describeUpdateRecord(update)}, "", err
		})
}

// applyVersion gives a node group another Kubernetes version, AMI release or launch template version.
func (s *Service) applyVersion(c change, g *types.Nodegroup,
	in *eks.UpdateNodegroupVersionInput) (params []region.UpdateParam, err error) {
	a, clusterVersion := about{cluster: *g.ClusterName, nodegroup: *g.NodegroupName}, c.cluster.Version
	if in.LaunchTemplate != nil {
		if err := s.applyTemplate(c, a, g, in.LaunchTemplate); err != nil {
			return nil, err
		}
		params = append(params, param(types.UpdateParamTypeLaunchTemplateVersion, aws.ToString(g.LaunchTemplate.Version)))
	}
	if g.AmiType == types.AMITypesCustom {
		if in.Version != nil || in.ReleaseVersion != nil {
			return nil, a.invalidParameter("The node group %s has an AMI of its own: give a launch template version instead "+
				"of version or releaseVersion.", *g.NodegroupName)
		}
		if len(params) == 0 {
			return nil, a.invalidParameter("The node group %s has an AMI of its own: give the launch template version with "+
				"the new one.", *g.NodegroupName)
		}
		return params, nil
	}
	version := clusterVersion
	if in.Version != nil {
		version = *in.Version
	}
	from, to, most := minorOf(aws.ToString(g.Version)), minorOf(version), minorOf(clusterVersion)
	switch {
	case to < 0:
		return nil, a.invalidParameter("The version %s is not a Kubernetes version such as %s.", quote(version),
			clusterVersion)
	case to > most:
		return nil, a.invalidParameter("Nodegroup Kubernetes version %s can't be greater than the cluster's, %s: update "+
			"the cluster first.", version, clusterVersion)
	case to < from:
		return nil, a.invalidParameter("Nodegroup Kubernetes version should not be lower than the current one, %s: %s "+
			"was asked for.", aws.ToString(g.Version), version)
	case to > from+1:
		return nil, a.invalidParameter("Nodegroup Kubernetes version cannot skip a minor version: it is %s, and %s was "+
			"asked for.", aws.ToString(g.Version), version)
	}
	release, err := releaseOf(a, g.AmiType, version, aws.ToString(in.ReleaseVersion))
	if err != nil {
		return nil, err
	}
	g.Version, g.ReleaseVersion = aws.String(version), aws.String(release)
	return append(params, param(types.UpdateParamTypeVersion, version),
		param(types.UpdateParamTypeReleaseVersion, release)), nil
}

// applyTemplate gives a node group another version of its launch template.
func (s *Service) applyTemplate(c change, a about, g *types.Nodegroup, want *types.LaunchTemplateSpecification) error {
	if wrong := wrongTemplate(want); wrong != "" {
		return a.invalidParameter("%s", wrong)
	}
	if g.LaunchTemplate == nil {
		return a.invalidParameter("The node group %s was made without a launch template: it cannot get one now.",
			*g.NodegroupName)
	}
	template, err := s.templateOf(c, a, want)
	if err != nil {
		return err
	}
	changed := types.LaunchTemplateSpecification{Id: &template.ID, Name: &template.Name, Version: &template.Version}
	if template.ID == "" { // a lenient region has taken one that is not there
		changed = *g.LaunchTemplate
		changed.Version = aws.String(cmp.Or(aws.ToString(want.Version), aws.ToString(changed.Version)))
	}
	other := func(now, then *string) bool { return now != nil && then != nil && *now != *then }
	if other(cmp.Or(want.Id, changed.Id), g.LaunchTemplate.Id) ||
		other(cmp.Or(want.Name, changed.Name), g.LaunchTemplate.Name) {
		return a.invalidParameter("The launch template must be the one that the node group was made with; only its " +
			"version can change.")
	}
	g.LaunchTemplate = &changed
	return nil
}

// minorOf is the minor of a version such as 1.36, and -1 where it is no such version.
func minorOf(version string) int {
	text, found := strings.CutPrefix(version, "1.")
	minor, err := strconv.Atoi(text)
	if !found || err != nil || minor < 0 {
		return -1
	}
	return minor
}

// asJSON is a parameter's value as EKS shows it in an update.
func asJSON(v any) string {
	text, err := json.Marshal(v)
	if shape, ok := v.(smithy.Serializable); ok {
		text, err = wire.Encode(shape) // with AWS's names of the members
	}
	if err != nil { // only types that encoding/json cannot write
		panic("eks: " + err.Error())
	}
	return string(text)
}

// sortedKeys are a map's keys in order.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
