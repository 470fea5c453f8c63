package eks

import (
	"fmt"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// tiers are the scaling tiers of "EKS Provisioned Control Plane" in the user guide: what an API server works on at
// once, pods that are bound in a second, and gigabytes of etcd. The standard tier, which is not among them, has
// Kubernetes' defaults and 8 GB.
var tiers = []struct {
	name                     types.ProvisionedControlPlaneTier
	seats, pods, databaseGiB int
}{
	{types.ProvisionedControlPlaneTierTierXl, 1700, 167, 16},
	{types.ProvisionedControlPlaneTierTier2xl, 3400, 283, 16},
	{types.ProvisionedControlPlaneTierTier4xl, 6800, 400, 16},
	{types.ProvisionedControlPlaneTierTier8xl, 13600, 400, 16},
}

// parameters are the cluster's, or the defaults.
func (own settings) parameters() parameters {
	if own.Parameters == nil {
		return defaultParameters
	}
	return *own.Parameters
}

// components are what the zones start the control plane with: the tier, and those parameters that are not Kubernetes'
// defaults; certificate authorities stay as they are.
func (own settings) components(before region.Components) region.Components {
	c := region.Components{Signer: before.Signer, Trusted: before.Trusted}
	for _, tier := range tiers {
		if tier.name == own.Tier {
			c.RequestSeats, c.PodsPerSecond, c.DatabaseGB = tier.seats, tier.pods, tier.databaseGiB
		}
	}
	p, d := own.parameters(), defaultParameters
	if duration(p.EventTTL) != duration(d.EventTTL) {
		c.EventTTL = p.EventTTL
	}
	if p.NodePorts.MinPort != d.NodePorts.MinPort || p.NodePorts.MaxPort != d.NodePorts.MaxPort {
		c.NodePorts = fmt.Sprintf("%d-%d", p.NodePorts.MinPort, p.NodePorts.MaxPort)
	}
	if duration(p.HPASyncPeriod) != duration(d.HPASyncPeriod) {
		c.HPASyncPeriod = p.HPASyncPeriod
	}
	if p.TerminatedPods != d.TerminatedPods {
		c.TerminatedPods = int(p.TerminatedPods)
	}
	if !reflect.DeepEqual(p.Scoring, d.Scoring) {
		c.Scoring, c.ScoringWeights = string(p.Scoring.Type), map[string]int{}
		for _, resource := range p.Scoring.Resources {
			c.ScoringWeights[aws.ToString(resource.Name)] = int(aws.ToInt32(resource.Weight))
		}
	}
	return c
}

// checkTier says what cannot be had in the standard tier.
func (own settings) checkTier() error {
	if own.Tier == types.ProvisionedControlPlaneTierStandard &&
		duration(own.parameters().HPASyncPeriod) != duration(defaultParameters.HPASyncPeriod) {
		return fmt.Errorf("a horizontalPodAutoscalerSyncPeriod other than %s needs a provisioned control plane: it "+
			"cannot be had with the tier standard",
			defaultParameters.HPASyncPeriod)
	}
	return nil
}

// describeTiers are the tiers of a version.
func describeTiers() (all []types.ControlPlaneScalingTierInfo) {
	for _, tier := range tiers {
		all = append(all, types.ControlPlaneScalingTierInfo{TierName: aws.String(string(tier.name)),
			ApiRequestConcurrency:      aws.Int32(int32(tier.seats)),
			PodSchedulingRatePerSecond: aws.Int32(int32(tier.pods)), ClusterDatabaseSizeGb: aws.Int32(int32(tier.databaseGiB))})
	}
	return all
}
