package eks

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// parameters are the control-plane parameters of a cluster: "Advanced Kubernetes control plane configuration" in the
// EKS user guide.
type parameters struct {
	EventTTL       string
	NodePorts      types.ServiceNodePortRange
	Scoring        types.ScoringStrategy
	HPASyncPeriod  string
	TerminatedPods int32
}

// What a cluster has that was asked for nothing else, and between which bounds it may be changed. The guide has no
// bounds for terminated pods: more than Kubernetes' default are refused, since all of them are kept in the database.
var (
	defaultParameters = parameters{
		EventTTL: "60m", NodePorts: types.ServiceNodePortRange{MinPort: 30000, MaxPort: 32767}, HPASyncPeriod: "15s",
		TerminatedPods: 12500,
		Scoring: types.ScoringStrategy{Type: types.ScoringStrategyTypeLeastAllocated,
			Resources: []types.ResourceWeight{{Name: aws.String("cpu"), Weight: aws.Int32(1)},
				{Name: aws.String("memory"), Weight: aws.Int32(1)}}},
	}
	eventTTLs      = types.DurationConstraints{Min: aws.String("10m"), Max: aws.String("60m")}
	hpaPeriods     = types.DurationConstraints{Min: aws.String("10s"), Max: aws.String("15s")}
	nodePorts      = types.IntegerRangeConstraint{Min: aws.Int32(10260), Max: aws.Int32(32767)}
	terminatedPods = types.IntegerConstraints{Min: aws.Int32(1), Max: aws.Int32(12500)}
	weights        = types.IntegerRangeConstraint{Min: aws.Int32(1), Max: aws.Int32(100)}
	scored         = []string{"cpu", "memory", "nvidia.com/gpu", "aws.amazon.com/neuron", "aws.amazon.com/neuroncore"}
)

// parameterRequest is what CreateCluster and UpdateClusterConfig ask for.
type parameterRequest struct {
	server    *types.KubeApiServerConfigRequest
	scheduler *types.KubeSchedulerConfigRequest
	manager   *types.KubeControllerManagerConfigRequest
}

func (r parameterRequest) empty() bool {
	return r.server == nil && r.scheduler == nil && r.manager == nil
}

// params are the request as its update shows it.
func (r parameterRequest) params() (params []region.UpdateParam) {
	if r.server != nil {
		params = append(params, param(types.UpdateParamTypeKubeApiServerConfig, asJSON(r.server)))
	}
	if r.scheduler != nil {
		params = append(params, param(types.UpdateParamTypeKubeSchedulerConfig, asJSON(r.scheduler)))
	}
	if r.manager != nil {
		params = append(params, param(types.UpdateParamTypeKubeControllerManagerConfig, asJSON(r.manager)))
	}
	return params
}

// merge changes what the request names and leaves the rest.
func (p *parameters) merge(r parameterRequest) error {
	if r.server != nil && r.server.EventTtl != nil {
		if err := within("kubeApiServerConfig.eventTtl", *r.server.EventTtl, eventTTLs); err != nil {
			return err
		}
		p.EventTTL = *r.server.EventTtl
	}
	if r.server != nil && r.server.ServiceNodePortRange != nil {
		ports := *r.server.ServiceNodePortRange
		if ports.MinPort < *nodePorts.Min || ports.MaxPort > *nodePorts.Max || ports.MinPort > ports.MaxPort {
			return fmt.Errorf("kubeApiServerConfig.serviceNodePortRange %d-%d is not a range between %d and %d", ports.MinPort,
				ports.MaxPort, *nodePorts.Min, *nodePorts.Max)
		}
		p.NodePorts = ports
	}
	if r.scheduler != nil && r.scheduler.NodeResourcesFit != nil && r.scheduler.NodeResourcesFit.ScoringStrategy != nil {
		if err := p.score(*r.scheduler.NodeResourcesFit.ScoringStrategy); err != nil {
			return err
		}
	}
	if r.manager == nil {
		return nil
	}
	if hpa := r.manager.HorizontalPodAutoscalerControllerConfig; hpa != nil &&
		hpa.HorizontalPodAutoscalerSyncPeriod != nil {
		if err := within("horizontalPodAutoscalerSyncPeriod", *hpa.HorizontalPodAutoscalerSyncPeriod,
			hpaPeriods); err != nil {
			return err
		}
		p.HPASyncPeriod = *hpa.HorizontalPodAutoscalerSyncPeriod
	}
	if gc := r.manager.PodGcControllerConfig; gc != nil && gc.TerminatedPodGcThreshold != nil {
		if n := *gc.TerminatedPodGcThreshold; n < *terminatedPods.Min || n > *terminatedPods.Max {
			return fmt.Errorf("terminatedPodGcThreshold %d is not between %d and %d", n, *terminatedPods.Min,
				*terminatedPods.Max)
		}
		p.TerminatedPods = *gc.TerminatedPodGcThreshold
	}
	return nil
}

// score changes the scheduler's scoring. Resources are given as a whole: those that are left out do not count.
func (p *parameters) score(want types.ScoringStrategy) error {
	p.Scoring.Type = cmp.Or(want.Type, p.Scoring.Type)
	if want.Resources == nil {
		return nil
	}
	var names []string
	for _, resource := range want.Resources {
		name, weight := aws.ToString(resource.Name), aws.ToInt32(resource.Weight)
		switch {
		case !slices.Contains(scored, name):
			return fmt.Errorf("scoringStrategy.resources: %q cannot be scored: use %s", name, strings.Join(scored, ", "))
		case slices.Contains(names, name):
			return fmt.Errorf("scoringStrategy.resources has %s twice", name)
		case weight < *weights.Min || weight > *weights.Max:
			return fmt.Errorf("scoringStrategy.resources: the weight of %s is %d: it must be between %d and %d", name, weight,
				*weights.Min, *weights.Max)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return fmt.Errorf("scoringStrategy.resources is empty: name one, or leave it out")
	}
	p.Scoring.Resources = want.Resources
	return nil
}

// singleUnit are durations as EKS takes them.
var singleUnit = regexp.MustCompile(`^[0-9]{1,6}[smh]$`)

func within(what, value string, bounds types.DurationConstraints) error {
	if singleUnit.MatchString(value) && duration(value) >= duration(*bounds.Min) &&
		duration(value) <= duration(*bounds.Max) {
		return nil
	}
	return fmt.Errorf("%s %q is not a duration of one unit between %s and %s", what, value, *bounds.Min, *bounds.Max)
}

// duration is the length of one that was checked.
func duration(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

// describe shows the parameters with a cluster.
func (p parameters) describe(c *types.Cluster) {
	ports, scoring := p.NodePorts, p.Scoring
	c.KubeApiServerConfig = &types.KubeApiServerConfigResponse{EventTtl: aws.String(p.EventTTL),
		ServiceNodePortRange: &ports}
	c.KubeSchedulerConfig = &types.KubeSchedulerConfigResponse{NodeResourcesFit: &types.NodeResourcesFitConfig{
		ScoringStrategy: &scoring}}
	c.KubeControllerManagerConfig = &types.KubeControllerManagerConfigResponse{
		HorizontalPodAutoscalerControllerConfig: &types.HorizontalPodAutoscalerControllerConfigResponse{
			HorizontalPodAutoscalerSyncPeriod: aws.String(p.HPASyncPeriod)},
		PodGcControllerConfig: &types.PodGcControllerConfigResponse{TerminatedPodGcThreshold: aws.Int32(p.TerminatedPods)},
	}
}

// describeParameters are the parameters' defaults and bounds, the same for every version.
func describeParameters() *types.ControlPlaneConfigInfo {
	d := defaultParameters
	strategies := []string{string(types.ScoringStrategyTypeLeastAllocated), string(types.ScoringStrategyTypeMostAllocated)}
	return &types.ControlPlaneConfigInfo{
		KubeApiServerConfig: &types.KubeApiServerVersionConfig{
			EventTtl: &types.DurationParameterConfig{DefaultValue: aws.String(d.EventTTL), Constraints: &eventTTLs},
			ServiceNodePortRange: &types.PortRangeParameterConfig{DefaultValue: &d.NodePorts,
				Constraints: &types.PortRangeConstraints{MinPort: &nodePorts, MaxPort: &nodePorts}},
		},
		KubeSchedulerConfig: &types.KubeSchedulerVersionConfig{NodeResourcesFit: &types.NodeResourcesFitVersionConfig{
			ScoringStrategy: &types.ScoringStrategyConfig{
				DefaultValue: &d.Scoring,
				Constraints: &types.ScoringStrategyConstraints{ScoringStrategy: &types.AllowedValuesConstraint{
					AllowedValues: strategies},
					Resources: &types.ResourceConstraints{Name: &types.AllowedValuesConstraint{AllowedValues: scored},
						Weight: &weights}},
			}}},
		KubeControllerManagerConfig: &types.KubeControllerManagerVersionConfig{
			HorizontalPodAutoscalerControllerConfig: &types.HorizontalPodAutoscalerControllerVersionConfig{
				HorizontalPodAutoscalerSyncPeriod: &types.DurationParameterConfig{DefaultValue: aws.String(d.HPASyncPeriod),
					Constraints: &hpaPeriods}},
			PodGcControllerConfig: &types.PodGcControllerVersionConfig{
				TerminatedPodGcThreshold: &types.IntegerParameterConfig{DefaultValue: aws.Int32(d.TerminatedPods),
					Constraints: &terminatedPods}},
		},
	}
}
