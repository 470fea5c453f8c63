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
			kind = "elbv2"
		case strings.Contains(t.Identifier, ":vpc-lattice:"):
			kind = "vpc-lattice"
		default:
			kind = "elb"
		}
	}
	if !slices.Contains([]string{"elb", "elbv2", "vpc-lattice"}, kind) {
		return region.TrafficSource{}, invalid("The traffic source type %s is not valid: it must be elb, elbv2 or vpc-lattice.",
			wire.Clip(kind))
	}
	return region.TrafficSource{Identifier: t.Identifier, Type: kind}, nil
}

// sourcesOf are all of a group's sources of traffic, however they were attached.
func sourcesOf(g region.AutoScalingGroup) (all []region.TrafficSource) {
	for _, name := range g.LoadBalancers {
		all = append(all, region.TrafficSource{Identifier: name, Type: "elb"})
	}
	for _, arn := range g.TargetGroups {
		all = append(all, region.TrafficSource{Identifier: arn, Type: "elbv2"})
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

func (s *Service) attachLoadBalancers(call *operation.Call, in *balancersInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		g.LoadBalancers = union(g.LoadBalancers, in.LoadBalancerNames)
		return nil
	})
}

func (s *Service) detachLoadBalancers(call *operation.Call, in *balancersInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		g.LoadBalancers = without(g.LoadBalancers, in.LoadBalancerNames)
		return nil
	})
}

func (s *Service) attachTargetGroups(call *operation.Call, in *targetGroupsInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		g.TargetGroups = union(g.TargetGroups, in.TargetGroupARNs)
		return nil
	})
}

func (s *Service) detachTargetGroups(call *operation.Call, in *targetGroupsInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		g.TargetGroups = without(g.TargetGroups, in.TargetGroupARNs)
		return nil
	})
}

func (s *Service) attachTrafficSources(call *operation.Call, in *sourcesInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		for _, t := range in.TrafficSources {
			source, err := t.record()
			if err != nil {
				return err
			}
			switch source.Type {
			case "elb":
				g.LoadBalancers = union(g.LoadBalancers, []string{source.Identifier})
			case "elbv2":
				g.TargetGroups = union(g.TargetGroups, []string{source.Identifier})
			default:
				if !slices.Contains(g.TrafficSources, source) {
					g.TrafficSources = append(g.TrafficSources, source)
				}
			}
		}
		return nil
	})
}

func (s *Service) detachTrafficSources(call *operation.Call, in *sourcesInput) (*none, error) {
	return s.edit(call, in.AutoScalingGroupName, func(_ *state.Txn, g *region.AutoScalingGroup) error {
		for _, t := range in.TrafficSources {
			gone := []string{t.Identifier}
			g.LoadBalancers, g.TargetGroups = without(g.LoadBalancers, gone), without(g.TargetGroups, gone)
			g.TrafficSources = slices.DeleteFunc(g.TrafficSources,
				func(has region.TrafficSource) bool { return has.Identifier == t.Identifier })
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

// groupState is the state of what is attached to a group: its instances are registered there, as far as there is one.
const attachedState = "InService"

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
	for _, name := range g.LoadBalancers {
		all = append(all, balancerState{name, attachedState})
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
	for _, arn := range g.TargetGroups {
		all = append(all, targetGroupState{arn, attachedState})
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
	for _, t := range sourcesOf(g) {
		if in.TrafficSourceType == "" || in.TrafficSourceType == t.Type {
			all = append(all, sourceState{t.Identifier, attachedState, t.Identifier, t.Type})
		}
	}
	out := &sourcesOutput{}
	out.TrafficSources, out.NextToken, err = cut(call, in.pageInput, 50, all,
		func(t sourceState) string { return t.Identifier })
	return out, err
}
