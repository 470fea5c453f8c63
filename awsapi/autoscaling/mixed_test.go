package autoscaling

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"tripod/nodes/image"
	"tripod/region"
	"tripod/state"
)

func mixedGroup(edit func(*region.MixedInstances)) func(*region.AutoScalingGroup) {
	return func(g *region.AutoScalingGroup) {
		g.Mixed = &region.MixedInstances{Template: *g.Template, OnDemandStrategy: "prioritized", SpotStrategy: "lowest-price",
			Overrides: []region.InstanceOverride{{Type: "m5.large"}, {Type: "m6i.large"}, {Type: "m7i.large"}}}
		g.Template = nil
		edit(g.Mixed)
	}
}

// kinds are the members' types, with ! behind Spot Instances.
func (w *world) kinds() string {
	var all []string
	for _, m := range w.members() {
		v := w.instance(m.InstanceID)
		text := v.Launch.Type
		if v.Launch.Spot {
			text += "!"
		}
		all = append(all, text)
	}
	return strings.Join(all, " ")
}

func TestOnDemandBaseAndPercentage(t *testing.T) {
	w := newWorld(t, mixedGroup(func(m *region.MixedInstances) { m.OnDemandBase, m.OnDemandPercentage = 2, 50 }))
	w.desired(6)
	w.want("kinds", w.kinds(), "m5.large m5.large m5.large m5.large! m5.large m6i.large!")
	w.desired(4)
	w.want("kinds", w.kinds(), "m5.large m5.large m5.large! m5.large")
}

func TestOverridesAreTriedInOrder(t *testing.T) {
	w := newWorld(t, mixedGroup(func(m *region.MixedInstances) { m.OnDemandPercentage = 100 }))
	for _, zone := range []string{"a", "b", "c"} {
		w.ec2.capacity["us-east-1"+zone+"/m5.large"] = 0
	}
	w.desired(3)
	w.want("kinds", w.kinds(), "m6i.large m6i.large m6i.large")
	w.want("zones", w.zones(), "a1 b1 c1")
	w.want("activities", fmt.Sprint(len(w.activities())), "3") // a type that is not to be had is no failure
}

func TestFailedMixedLaunchNamesTheKind(t *testing.T) {
	w := newWorld(t, mixedGroup(func(m *region.MixedInstances) {}))
	w.ec2.refuses = refuse("UnfulfillableCapacity", "Unable to fulfill capacity due to your request configuration.")
	w.desired(1)
	w.want("message", w.activities()[0].Message, "Could not launch Spot Instances. UnfulfillableCapacity - Unable to fulfill "+
		"capacity due to your request configuration. Launching EC2 instance failed.")
}

func TestWeightsCountAsCapacity(t *testing.T) {
	w := newWorld(t, mixedGroup(func(m *region.MixedInstances) {
		m.OnDemandPercentage = 100
		m.Overrides = []region.InstanceOverride{{Type: "m5.xlarge", Weight: 4}, {Type: "m5.large", Weight: 2}}
	}))
	w.desired(6)
	w.want("kinds", w.kinds(), "m5.xlarge m5.xlarge") // 8: as AWS, a little more than desired, and none goes for it
	w.desired(4)
	w.want("kinds", w.kinds(), "m5.xlarge")
	w.desired(3)
	w.want("kinds", w.kinds(), "m5.xlarge")
}

func TestRequirementsStandForTypes(t *testing.T) {
	w := newWorld(t, mixedGroup(func(m *region.MixedInstances) {
		m.OnDemandPercentage = 100
		m.Overrides = []region.InstanceOverride{{Requirements: []byte(`{"VCpuCount":{"Min":4,"Max":4},"MemoryMiB":{"Min":16384},` +
			`"AllowedInstanceTypes":["m5.*","m6i.*"]}`)}}
	}))
	w.desired(1)
	w.want("kinds", w.kinds(), "m5.xlarge")
}

func TestTypesFitTheImage(t *testing.T) {
	all := image.All()
	x86 := all[slices.IndexFunc(all, func(i image.Image) bool { return i.Architecture != image.ARM })]
	for name, o := range map[string][]region.InstanceOverride{
		"named":    {{Type: "m7g.large", ImageID: x86.ID}, {Type: "m5.large", ImageID: x86.ID}},
		"required": {{ImageID: x86.ID, Requirements: []byte(`{"AllowedInstanceTypes":["m7g.large","m5.large"]}`)}},
	} {
		w := newWorld(t, mixedGroup(func(m *region.MixedInstances) { m.OnDemandPercentage, m.Overrides = 100, o }))
		w.desired(1)
		w.want(name, w.kinds(), "m5.large")
	}
	w := newWorld(t, mixedGroup(func(m *region.MixedInstances) {
		m.OnDemandPercentage, m.Overrides = 100, []region.InstanceOverride{{Type: "m7g.large", ImageID: x86.ID}}
	}))
	w.desired(1)
	w.want("the only one, which EC2 judges", w.ec2.last.Type, "m7g.large")
}

func TestStrategiesOrderTypes(t *testing.T) {
	types := []region.InstanceOverride{{Type: "m5.4xlarge"}, {Type: "m5.2xlarge"}, {Type: "m5.large"}}
	for _, one := range []struct {
		strategy string
		onDemand int
		full     string // a type that is not to be had
		want     string
	}{
		{"prioritized", 100, "", "m5.4xlarge"},
		{"lowest-price", 100, "", "m5.large"},
		{"lowest-price", 0, "", "m5.large!"},
		{"capacity-optimized", 0, "m5.4xlarge", "m5.2xlarge!"},
		{"capacity-optimized-prioritized", 0, "m5.4xlarge", "m5.2xlarge!"},
		{"price-capacity-optimized", 0, "m5.large", "m5.2xlarge!"},
		{"price-capacity-optimized", 0, "", "m5.large!"},
	} {
		w := newWorld(t, mixedGroup(func(m *region.MixedInstances) {
			m.OnDemandPercentage, m.OnDemandStrategy, m.SpotStrategy, m.Overrides = one.onDemand, one.strategy, one.strategy, types
		}))
		if one.full != "" {
			w.write(func(tx *state.Txn) {
				for _, zone := range w.Network.VPC.Zones {
					region.LimitCapacity(tx, region.Capacity{Zone: zone, Type: one.full})
				}
			})
		}
		w.desired(1)
		w.want(one.strategy+" without "+one.full, w.kinds(), one.want)
	}
}

func TestBalancedOnlyDoesNotGoElsewhere(t *testing.T) {
	w := newWorld(t, func(g *region.AutoScalingGroup) { g.ZoneDistribution = "balanced-only" })
	w.ec2.capacity["us-east-1b"] = 0
	w.desired(4)
	w.want("zones", w.zones(), "a1 c1")
}
