package autoscaling

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// record is a source of traffic as it is stored; its type follows from its identifier where none is given.
func (t trafficSource) record() (region.TrafficSource, error) {
	kind := t.Type
	if kind == "" {
		switch {
		case strings.Contains(t.Identifier, ":elasticloadbalancing:"):
			kind = sourceTargetGroup
		case strings.Contains(t.Identifier, ":vpc-lattice:"):
			kind = sourceLattice
		default:
			kind = sourceClassic
		}
	}
	if !slices.Contains([]string{sourceClassic, sourceTargetGroup, sourceLattice}, kind) {
		return region.TrafficSource{}, invalid("The traffic source type %s is not valid: it must be elb, elbv2 or vpc-lattice.",
			wire.Clip(kind))
	}
	return region.TrafficSource{Identifier: t.Identifier, Type: kind}, nil
}

// sourcesOf are all of a group's sources of traffic, however they were attached.
func sourcesOf(g region.AutoScalingGroup) (all []region.TrafficSource) {
	for _, name := range g.LoadBalancers {
		all = append(all, region.TrafficSource{Identifier: name, Type: sourceClassic})
	}
	for _, arn := range g.TargetGroups {
		all = append(all, region.TrafficSource{Identifier: arn, Type: sourceTargetGroup})
	}
	return append(all, g.TrafficSources...)
}

func shownSources(g region.AutoScalingGroup) (all wire.QueryList[trafficSource]) {
	for _, t := range sourcesOf(g) {
		all = append(all, trafficSource{t.Identifier, t.Type})
	}
	return all
}

type balancersInput struct {
	groupNamed
	LoadBalancerNames []string
}

type targetGroupsInput struct {
	groupNamed
	TargetGroupARNs []string
}

type sourcesInput struct {
	groupNamed
	TrafficSources           []trafficSource
	SkipZonalShiftValidation *bool
}

func (in *balancersInput) sources() (all []region.TrafficSource) {
	for _, name := range in.LoadBalancerNames {
		all = append(all, region.TrafficSource{Identifier: name, Type: sourceClassic})
	}
	return all
}

func (in *targetGroupsInput) sources() (all []region.TrafficSource) {
	for _, arn := range in.TargetGroupARNs {
		all = append(all, region.TrafficSource{Identifier: arn, Type: sourceTargetGroup})
	}
	return all
}

// recordsOf are sources of traffic as they are stored.
func recordsOf(given []trafficSource) (all []region.TrafficSource, err error) {
	for _, t := range given {
		source, err := t.record()
		if err != nil {
			return nil, err
		}
		all = append(all, source)
	}
	return all, nil
}

func (s *Service) attachLoadBalancers(call *operation.Call, in *balancersInput) (*none, error) {
	return s.attachSources(call, in.AutoScalingGroupName, in.sources())
}

func (s *Service) attachTargetGroups(call *operation.Call, in *targetGroupsInput) (*none, error) {
	return s.attachSources(call, in.AutoScalingGroupName, in.sources())
}

func (s *Service) attachTrafficSources(call *operation.Call, in *sourcesInput) (*none, error) {
	sources, err := recordsOf(in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return s.attachSources(call, in.AutoScalingGroupName, sources)
}

func (s *Service) attachSources(call *operation.Call, group string, sources []region.TrafficSource) (*none, error) {
	return s.edit(call, group, func(tx *state.Txn, g *region.AutoScalingGroup) error {
		if err := checkSources(tx, sources); err != nil {
			return err
		}
		addSources(g, sources)
		return nil
	})
}

// addSources notes sources of traffic by their types.
func addSources(g *region.AutoScalingGroup, sources []region.TrafficSource) {
	for _, source := range sources {
		switch source.Type {
		case sourceClassic:
			g.LoadBalancers = union(g.LoadBalancers, []string{source.Identifier})
		case sourceTargetGroup:
			g.TargetGroups = union(g.TargetGroups, []string{source.Identifier})
		default:
			if !slices.Contains(g.TrafficSources, source) {
				g.TrafficSources = append(g.TrafficSources, source)
			}
		}
		if i := slices.Index(removing(*g), source); i >= 0 { // it was taken away a moment ago: it begins anew
			g.Attachments = slices.DeleteFunc(g.Attachments,
				func(a region.Attachment) bool { return a.TrafficSource == source })
		}
	}
}

func (s *Service) detachLoadBalancers(call *operation.Call, in *balancersInput) (*none, error) {
	return s.detachSources(call, in.AutoScalingGroupName, in.sources(), "Load Balancers")
}

func (s *Service) detachTargetGroups(call *operation.Call, in *targetGroupsInput) (*none, error) {
	return s.detachSources(call, in.AutoScalingGroupName, in.sources(), "Target Groups")
}

func (s *Service) detachTrafficSources(call *operation.Call, in *sourcesInput) (*none, error) {
	sources, err := recordsOf(in.TrafficSources)
	if err != nil {
		return nil, err
	}
	return s.detachSources(call, in.AutoScalingGroupName, sources, "Traffic Sources")
}

// detachSources takes sources of traffic away. The instances are taken out of them when the group is kept next.
func (s *Service) detachSources(call *operation.Call, group string, sources []region.TrafficSource, what string) (*none, error) {
	return s.edit(call, group, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		for _, source := range sources {
			if !slices.Contains(sourcesOf(*g), source) {
				return invalid("Trying to remove %s that are not part of the group", what)
			}
			gone := []string{source.Identifier}
			switch source.Type {
			case sourceClassic:
				g.LoadBalancers = without(g.LoadBalancers, gone)
			case sourceTargetGroup:
				g.TargetGroups = without(g.TargetGroups, gone)
			}
			g.TrafficSources = slices.DeleteFunc(g.TrafficSources, func(has region.TrafficSource) bool { return has == source })
		}
		return nil
	})
}

func union(has, more []string) []string {
	all := slices.Clone(has)
	for _, one := range more {
		if !slices.Contains(all, one) {
			all = append(all, one)
		}
	}
	return all
}

func without(has, gone []string) []string {
	return slices.DeleteFunc(slices.Clone(has), func(one string) bool { return slices.Contains(gone, one) })
}

type describeOfGroupInput struct {
	groupNamed
	pageInput
}

// attachedState is a source of traffic of a group with how far it is in being attached or detached.
type attachedState struct {
	region.TrafficSource
	state string
}

// attachedTo are all that a group is attached to, of one type where that is not empty, and then those that it is leaving.
func attachedTo(g region.AutoScalingGroup, kind string) (all []attachedState) {
	add := func(source region.TrafficSource, at string) {
		if kind == "" || kind == source.Type {
			all = append(all, attachedState{source, at})
		}
	}
	for _, source := range sourcesOf(g) {
		add(source, attachment(g, source))
	}
	for _, source := range removing(g) {
		add(source, attachmentRemoving)
	}
	return all
}

type balancerState struct{ LoadBalancerName, State string }

type balancersOutput struct {
	LoadBalancers wire.QueryList[balancerState]
	NextToken     string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeLoadBalancers(call *operation.Call, in *describeOfGroupInput) (*balancersOutput, error) {
	g, err := s.view(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var all []balancerState
	for _, a := range attachedTo(g, sourceClassic) {
		all = append(all, balancerState{a.Identifier, a.state})
	}
	out := &balancersOutput{}
	out.LoadBalancers, out.NextToken, err = cut(call, in.pageInput, 100, all,
		func(b balancerState) string { return b.LoadBalancerName })
	return out, err
}

// view is the group with that name.
func (s *Service) view(name string) (g region.AutoScalingGroup, err error) {
	err = s.State.View(func(tx *state.Txn) (err error) {
		g, err = s.group(tx, name)
		return err
	})
	return g, err
}

type targetGroupState struct {
	ARN   string `xml:"LoadBalancerTargetGroupARN" json:"LoadBalancerTargetGroupARN"`
	State string
}

type targetGroupsOutput struct {
	TargetGroups wire.QueryList[targetGroupState] `xml:"LoadBalancerTargetGroups" json:"LoadBalancerTargetGroups"`
	NextToken    string                           `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeTargetGroups(call *operation.Call, in *describeOfGroupInput) (*targetGroupsOutput, error) {
	g, err := s.view(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var all []targetGroupState
	for _, a := range attachedTo(g, sourceTargetGroup) {
		all = append(all, targetGroupState{a.Identifier, a.state})
	}
	out := &targetGroupsOutput{}
	out.TargetGroups, out.NextToken, err = cut(call, in.pageInput, 100, all,
		func(t targetGroupState) string { return t.ARN })
	return out, err
}

type describeSourcesInput struct {
	groupNamed
	pageInput
	TrafficSourceType string
}

type sourceState struct{ TrafficSource, State, Identifier, Type string }

type sourcesOutput struct {
	TrafficSources wire.QueryList[sourceState]
	NextToken      string `xml:",omitempty" json:",omitempty"`
}

func (s *Service) describeTrafficSources(call *operation.Call, in *describeSourcesInput) (*sourcesOutput, error) {
	g, err := s.view(in.AutoScalingGroupName)
	if err != nil {
		return nil, err
	}
	var all []sourceState
	for _, a := range attachedTo(g, in.TrafficSourceType) {
		all = append(all, sourceState{a.Identifier, a.state, a.Identifier, a.Type})
	}
	out := &sourcesOutput{}
	out.TrafficSources, out.NextToken, err = cut(call, in.pageInput, 50, all,
		func(t sourceState) string { return t.Identifier })
	return out, err
}
