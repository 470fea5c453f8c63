package autoscaling

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
	"tripod/nodes/machine"
	"tripod/state"
)

// simulatedGroup has the nodes of a cluster that are no instances' but `tripod up`'s own. It is shown, and nothing
// scales it.
type simulatedGroup struct {
	name, arn string
	nodes     []ec2.Node
}

// simulatedGroups are those of all clusters that have such nodes, in the order of the clusters' ids.
func (s *Service) simulatedGroups(tx *state.Txn) (all []simulatedGroup) {
	byCluster := map[string]*simulatedGroup{}
	for _, node := range s.Network.Nodes(tx) {
		if node.Group != "" || !node.Adopted {
			continue // it belongs to a group that acts, or to none
		}
		g := byCluster[node.ClusterID]
		if g == nil {
			id := strings.ToLower(node.ClusterID)
			uuid := fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
			g = &simulatedGroup{name: "eks-" + ec2.NodeGroup + "-" + uuid}
			g.arn = s.groupARN(uuid, g.name)
			byCluster[node.ClusterID] = g
		}
		g.nodes = append(g.nodes, node)
	}
	for _, id := range slices.Sorted(maps.Keys(byCluster)) {
		all = append(all, *byCluster[id])
	}
	return all
}

// isSimulated says whether a group of that name has a cluster's own nodes.
func (s *Service) isSimulated(tx *state.Txn, name string) bool {
	return strings.HasPrefix(name, "eks-"+ec2.NodeGroup+"-") &&
		slices.ContainsFunc(s.simulatedGroups(tx), func(g simulatedGroup) bool { return g.name == name })
}

// tags are a group's as EKS and cluster-autoscaler know them; each goes on to new instances.
func (g simulatedGroup) tags() (all wire.QueryList[tag]) {
	for _, t := range g.nodes[0].Tags() {
		if t.Key != "Name" {
			all = append(all, tag{g.name, groupResource, t.Key, t.Value, true})
		}
	}
	return all
}

func (s *Service) shownSimulated(g simulatedGroup) groupOutput {
	out := groupOutput{AutoScalingGroupName: g.name, AutoScalingGroupARN: g.arn, MinSize: len(g.nodes),
		MaxSize: len(g.nodes), DesiredCapacity: len(g.nodes), DefaultCooldown: defaultCooldown,
		HealthCheckType: defaultHealth, HealthCheckGracePeriod: 15, CreatedTime: stamp(g.nodes[0].Launched), Tags: g.tags(),
		CapacityRebalance:   true,
		TerminationPolicies: wire.QueryList[string]{"AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"},
		ServiceLinkedRoleARN: "arn:aws:iam::" + s.Network.VPC.AccountID +
			":role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"}
	var subnets []string
	for _, node := range g.nodes {
		if !slices.Contains(out.AvailabilityZones, node.Zone) {
			out.AvailabilityZones, subnets = append(out.AvailabilityZones, node.Zone), append(subnets, node.SubnetID)
		}
		out.Instances = append(out.Instances, instance{InstanceID: node.ID, InstanceType: machine.DefaultType,
			AvailabilityZone: node.Zone, AvailabilityZoneID: node.ZoneID, LifecycleState: "InService", HealthStatus: "Healthy"})
	}
	out.VPCZoneIdentifier = strings.Join(subnets, ",")
	return out
}
