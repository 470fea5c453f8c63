package eks_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/google/go-cmp/cmp"

	"tripod/region"
)

func scoring(kind types.ScoringStrategyType, resources ...types.ResourceWeight) *types.KubeSchedulerConfigRequest {
	return &types.KubeSchedulerConfigRequest{NodeResourcesFit: &types.NodeResourcesFitConfig{
		ScoringStrategy: &types.ScoringStrategy{Type: kind, Resources: resources}}}
}

func weight(name string, n int32) types.ResourceWeight {
	return types.ResourceWeight{Name: aws.String(name), Weight: aws.Int32(n)}
}

func hpaPeriod(period string) *types.KubeControllerManagerConfigRequest {
	return &types.KubeControllerManagerConfigRequest{
		HorizontalPodAutoscalerControllerConfig: &types.HorizontalPodAutoscalerControllerConfigRequest{
			HorizontalPodAutoscalerSyncPeriod: aws.String(period)}}
}

func terminatedPods(n int32) *types.KubeControllerManagerConfigRequest {
	return &types.KubeControllerManagerConfigRequest{PodGcControllerConfig: &types.PodGcControllerConfigRequest{
		TerminatedPodGcThreshold: aws.Int32(n)}}
}

func ports(from, to int32) *types.KubeApiServerConfigRequest {
	return &types.KubeApiServerConfigRequest{ServiceNodePortRange: &types.ServiceNodePortRange{MinPort: from, MaxPort: to}}
}

func eventTTL(ttl string) *types.KubeApiServerConfigRequest {
	return &types.KubeApiServerConfigRequest{EventTtl: aws.String(ttl)}
}

// finishRollout ends a rollout well, as the zones do.
func (w *world) finishRollout(t *testing.T) {
	t.Helper()
	w.set(t, func(c *region.Cluster) {
		if c.Rollout == nil || c.Rollout.Components == nil {
			t.Fatalf("there is no rollout of components: %+v", c.Rollout)
		}
		c.Status, c.Components, c.Settings, c.Rollout = "ACTIVE", *c.Rollout.Components, c.Rollout.Settings, nil
	})
}

func TestParametersAreRolledOutAndMerged(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	begun := must(w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo, KubeApiServerConfig: eventTTL("10m"),
			KubeSchedulerConfig: scoring("MostAllocated")}))(t).Update
	if begun.Type != types.UpdateTypeControlPlaneComponentConfigUpdate || begun.Status != types.UpdateStatusInProgress ||
		len(begun.Params) != 2 ||
		aws.ToString(begun.Params[0].Value) != `{"eventTtl":"10m"}` {
		t.Errorf("got %+v", begun)
	}
	describe := func() *types.Cluster {
		return must(w.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: demo}))(t).Cluster
	}
	if c := describe(); c.Status != types.ClusterStatusUpdating || aws.ToString(c.KubeApiServerConfig.EventTtl) != "60m" {
		t.Errorf("meanwhile: %s, %+v", c.Status, c.KubeApiServerConfig)
	}
	w.finishRollout(t)
	must(w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo, KubeApiServerConfig: ports(20000, 21000)}))(t)
	w.finishRollout(t)
	c := describe()
	if server := c.KubeApiServerConfig; aws.ToString(server.EventTtl) != "10m" ||
		server.ServiceNodePortRange.MinPort != 20000 {
		t.Errorf("got %+v, want both changes", server)
	}
	want := region.Components{EventTTL: "10m", NodePorts: "20000-21000", Scoring: "MostAllocated",
		ScoringWeights: map[string]int{"cpu": 1, "memory": 1}}
	if diff := cmp.Diff(want, record(t, w, "demo").Components); diff != "" {
		t.Error(diff)
	}
	// as before all
	must(w.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: demo, KubeApiServerConfig: eventTTL("1h")}))(t)
	w.finishRollout(t)
	if got := record(t, w, "demo").Components.EventTTL; got != "" {
		t.Errorf("what is Kubernetes' default is set to %s", got)
	}
}

func TestTierIsRolledOut(t *testing.T) {
	w := newWorld(t, "API")
	demo := aws.String("demo")
	tier := func(name types.ProvisionedControlPlaneTier) (*eks.UpdateClusterConfigOutput, error) {
		return w.UpdateClusterConfig(ctx,
			&eks.UpdateClusterConfigInput{Name: demo, ControlPlaneScalingConfig: &types.ControlPlaneScalingConfig{Tier: name}})
	}
	out, err := w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo, KubeControllerManagerConfig: hpaPeriod("10s")})
	wantError(t, out, err, invalid) // the standard tier has no room for it
	must(tier("tier-2xl"))(t)
	w.finishRollout(t)
	if diff := cmp.Diff(region.Components{RequestSeats: 3400, PodsPerSecond: 283, DatabaseGB: 16},
		record(t, w, "demo").Components); diff != "" {
		t.Error(diff)
	}
	out, err = tier("tier-2xl")
	wantError(t, out, err, invalid)
	must(w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo, KubeControllerManagerConfig: hpaPeriod("10s")}))(t)
	w.finishRollout(t)
	out, err = tier("standard")
	wantError(t, out, err, refused)
	out, err = tier("")
	wantError(t, out, err, invalid)
	if got := must(w.DescribeCluster(ctx,
		&eks.DescribeClusterInput{Name: demo}))(t).Cluster.ControlPlaneScalingConfig.Tier; got != "tier-2xl" {
		t.Errorf("an empty scaling config made the tier %q", got)
	}
	out, err = w.UpdateClusterConfig(ctx,
		&eks.UpdateClusterConfigInput{Name: demo, UpgradePolicy: &types.UpgradePolicyRequest{}})
	wantError(t, out, err, invalid)
}

func TestParametersOutOfBoundsAreRefused(t *testing.T) {
	w := newWorld(t, "API")
	for what, in := range map[string]eks.UpdateClusterConfigInput{
		"events for too short":      {KubeApiServerConfig: eventTTL("9m")},
		"events for too long":       {KubeApiServerConfig: eventTTL("2h")},
		"two units":                 {KubeApiServerConfig: eventTTL("10m30s")},
		"no unit":                   {KubeApiServerConfig: eventTTL("600")},
		"low ports":                 {KubeApiServerConfig: ports(80, 32767)},
		"high ports":                {KubeApiServerConfig: ports(30000, 40000)},
		"ports the wrong way round": {KubeApiServerConfig: ports(31000, 30000)},
		"one port":                  {KubeApiServerConfig: ports(0, 30000)},
		"an unknown resource":       {KubeSchedulerConfig: scoring("MostAllocated", weight("pods", 1))},
		"no weight":                 {KubeSchedulerConfig: scoring("MostAllocated", weight("cpu", 0))},
		"too much weight":           {KubeSchedulerConfig: scoring("MostAllocated", weight("cpu", 101))},
		"a resource twice":          {KubeSchedulerConfig: scoring("MostAllocated", weight("cpu", 1), weight("cpu", 2))},
		"no resource":               {KubeSchedulerConfig: scoring("MostAllocated", []types.ResourceWeight{}...)},
		"a strategy too many":       {KubeSchedulerConfig: scoring("RequestedToCapacityRatio")},
		"too many terminated pods":  {KubeControllerManagerConfig: terminatedPods(20000)},
		"a slow autoscaler":         {KubeControllerManagerConfig: hpaPeriod("30s")},
		"what is so already":        {KubeApiServerConfig: eventTTL("60m")},
		"nothing":                   {KubeApiServerConfig: &types.KubeApiServerConfigRequest{}},
	} {
		t.Run(what, func(t *testing.T) {
			in.Name = aws.String("demo")
			if what == "no resource" {
				in.KubeSchedulerConfig.NodeResourcesFit.ScoringStrategy.Resources = []types.ResourceWeight{}
			}
			out, err := w.UpdateClusterConfig(ctx, &in)
			wantError(t, out, err, invalid)
			if in.KubeApiServerConfig == nil && in.KubeSchedulerConfig == nil || what == "what is so already" ||
				what == "nothing" {
				return
			}
			made, err := w.CreateCluster(ctx, newCluster("new", func(c *eks.CreateClusterInput) {
				c.KubeApiServerConfig, c.KubeSchedulerConfig = in.KubeApiServerConfig, in.KubeSchedulerConfig
			}))
			wantError(t, made, err, invalid)
		})
	}
}

func TestCreatedClusterHasItsParametersAndTier(t *testing.T) {
	w := newWorld(t, "API")
	must(w.CreateCluster(ctx, newCluster("new", func(in *eks.CreateClusterInput) {
		in.KubeApiServerConfig, in.KubeControllerManagerConfig = eventTTL("10m"), hpaPeriod("12s")
		in.ControlPlaneScalingConfig = &types.ControlPlaneScalingConfig{Tier: "tier-xl"}
	})))(t)
	want := region.Components{RequestSeats: 1700, PodsPerSecond: 167, DatabaseGB: 16, EventTTL: "10m",
		HPASyncPeriod: "12s"}
	if diff := cmp.Diff(want, record(t, w, "new").Components); diff != "" {
		t.Error(diff)
	}
	info := must(w.DescribeClusterVersions(ctx, &eks.DescribeClusterVersionsInput{}))(t).ClusterVersions[0]
	if aws.ToString(info.ControlPlaneComponentConfig.KubeApiServerConfig.EventTtl.Constraints.Min) != "10m" ||
		len(info.ControlPlaneScalingTiers) != 4 {
		t.Errorf("the versions do not say what is possible: %+v", info)
	}
}
