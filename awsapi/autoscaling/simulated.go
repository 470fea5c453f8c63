package autoscaling

import (
	"fmt"
	"slices"
	"strings"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// simulatedGroup has the nodes of a cluster that are no instances' but `tripod up`'s own. It is shown, and nothing
// scales it.
type simulatedGroup struct {
	name, arn string
	nodes     []ec2.Node
}

// simulatedPrefix is what such groups' names begin with; a UUID of the cluster's id follows.
const simulatedPrefix = "eks-" + ec2.NodeGroup + "-"

// simulatedGroups are those of all clusters that have such nodes, in the order of the clusters' ids.
func (s *Service) simulatedGroups(tx *state.Txn) (all []simulatedGroup) {
	for _, c := range region.Clusters.List(tx) {
		if g, found := s.simulatedOf(tx, c.ID); found {
			all = append(all, g)
		}
	}
	slices.SortFunc(all, func(a, b simulatedGroup) int { return strings.Compare(a.name, b.name) })
	return all
}

// simulatedOf is the group of a cluster's own nodes, if it has such.
func (s *Service) simulatedOf(tx *state.Txn, clusterID string) (g simulatedGroup, found bool) {
	if clusterID == "" {
		return g, false
	}
	for _, node := range s.Network.NodesOf(tx, clusterID) {
		if node.Group == "" && node.Adopted { // it belongs to no group that acts
			g.nodes = append(g.nodes, node)
		}
	}
	if len(g.nodes) == 0 {
		return g, false
	}
	id := strings.ToLower(clusterID)
	uuid := fmt.Sprintf("%s-%s-%s-%s-%s", id[:8], id[8:12], id[12:16], id[16:20], id[20:])
	g.name = simulatedPrefix + uuid
	g.arn = s.groupARN(uuid, g.name)
	return g, true
}

// simulatedNamed are those groups with such names; without names, all.
func (s *Service) simulatedNamed(tx *state.Txn, names []string) (all []simulatedGroup) {
	if len(names) == 0 {
		return s.simulatedGroups(tx)
	}
	for _, name := range slices.Compact(slices.Sorted(slices.Values(names))) {
		uuid, is := strings.CutPrefix(name, simulatedPrefix)
		if !is {
			continue
		}
		clusterID := strings.ToUpper(strings.ReplaceAll(uuid, "-", ""))
		if g, found := s.simulatedOf(tx, clusterID); found && g.name == name {
			all = append(all, g)
		}
	}
	return all
}

// isSimulated says whether a group of that name has a cluster's own nodes.
func (s *Service) isSimulated(tx *state.Txn, name string) bool {
	return len(s.simulatedNamed(tx, []string{name})) > 0
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
