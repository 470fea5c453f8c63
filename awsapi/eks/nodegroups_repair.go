package eks

import (
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
)

// Node repair, as "Detect node health issues and enable automatic node repair" of the EKS user guide has it.

// repairAfter is after how many minutes a node with that condition is repaired; others are not.
var repairAfter = map[string]int{
	"AcceleratedHardwareReady": 10,
	"ContainerRuntimeReady":    30, "KernelReady": 30, "NetworkingReady": 30, "StorageReady": 30, "Ready": 30,
}

// repairedAlways is up to how many nodes a group may have all of its nodes repaired.
const repairedAlways = 5

// repair replaces nodes that have been ill for long, where the node group's configuration says so. It stops when too many
// are, or in a zonal shift: then something else is wrong.
func (st *groupStep) repair() error {
	c := st.group.NodeRepairConfig
	if c == nil || !aws.ToBool(c.Enabled) || st.view.Nodes == nil || !st.scaled {
		return nil
	}
	staying := st.which((*groupNode).stays)
	ill := slices.DeleteFunc(slices.Clone(staying), func(m *groupNode) bool {
		return m.node == nil || len(m.node.Unhealthy) == 0
	})
	if len(ill) == 0 || len(ill) > tolerated(c, len(staying)) || st.shifted() {
		return nil
	}
	under := len(st.which(func(m *groupNode) bool { return m.State.Ends() && m.instance.State.Alive() }))
	for _, m := range ill {
		action, due := st.remedy(c, m)
		switch {
		case !due || action == types.RepairActionNoAction:
			continue
		case under >= parallelRepairs(c, len(staying)):
			return nil
		}
		under++
		// A reboot keeps the instance; nothing that a simulated node suffers from is cured by one alone, so that both end
		// with an instance that is new.
		if err := st.end(m, false); err != nil {
			return err
		}
	}
	return nil
}

// remedy is what is done with an ill node, and whether it is time.
func (st *groupStep) remedy(c *types.NodeRepairConfig, m *groupNode) (action types.RepairAction, due bool) {
	for _, one := range m.node.Unhealthy {
		minutes, known := repairAfter[one.Type]
		does := types.RepairActionReplace
		for _, override := range c.NodeRepairConfigOverrides {
			if aws.ToString(override.NodeMonitoringCondition) == one.Type &&
				(override.NodeUnhealthyReason == nil || *override.NodeUnhealthyReason == one.Reason) {
				minutes, known, does = int(aws.ToInt32(override.MinRepairWaitTimeMins)), true, override.RepairAction
			}
		}
		if known && st.over(one.Since, time.Duration(minutes)*st.pace.Minute) {
			return does, true
		}
	}
	return "", false
}

// tolerated is how many ill nodes of so many are repaired; with more none is.
func tolerated(c *types.NodeRepairConfig, nodes int) int {
	switch {
	case c.MaxUnhealthyNodeThresholdCount != nil:
		return int(*c.MaxUnhealthyNodeThresholdCount)
	case c.MaxUnhealthyNodeThresholdPercentage != nil:
		return nodes * int(*c.MaxUnhealthyNodeThresholdPercentage) / 100
	case nodes <= repairedAlways:
		return nodes
	}
	return nodes / 5
}

// parallelRepairs is how many nodes of so many are repaired at the same time.
func parallelRepairs(c *types.NodeRepairConfig, nodes int) int {
	switch {
	case c.MaxParallelNodesRepairedCount != nil:
		return int(*c.MaxParallelNodesRepairedCount)
	case c.MaxParallelNodesRepairedPercentage != nil:
		return max(1, nodes*int(*c.MaxParallelNodesRepairedPercentage)/100)
	}
	return max(1, nodes)
}

// shifted says whether traffic is moved away from one of the cluster's zones.
func (st *groupStep) shifted() bool {
	return slices.ContainsFunc(region.ShiftsOf(st.tx, st.cluster.ID),
		func(s region.ZonalShift) bool { return s.Active(st.now) })
}
