package ec2

import (
	"net/netip"
	"time"

	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// Node is a simulated node as EC2 sees it: an instance with one interface and one volume, in the zone's default private
// subnet. All of it follows from the cluster's record.
type Node struct {
	ID, VolumeID, InterfaceID string
	Address, DNSName          string
	Zone, ZoneID, SubnetID    string
	Cluster, ClusterID        string
	Profile                   string // the instance profile's name; empty: it has none
	Launched                  time.Time
}

// NodeGroup is the name of the node group that the nodes of `tripod up` say they are of.
const NodeGroup = "default"

// Tags are those that EKS gives to a managed node group's instances, and a name.
func (n Node) Tags() []tag {
	return []tag{
		{"Name", n.Cluster + "-" + NodeGroup + "-Node"}, {"eks:cluster-name", n.Cluster}, {"eks:nodegroup-name", NodeGroup},
		{"k8s.io/cluster-autoscaler/" + n.Cluster, "owned"}, {"k8s.io/cluster-autoscaler/enabled", "true"},
		{"kubernetes.io/cluster/" + n.Cluster, "owned"},
	}
}

// Nodes are those of all clusters, in the order of clusters, zones and nodes.
func (s *Service) Nodes(tx *state.Txn) (all []Node) {
	for _, c := range region.Clusters.List(tx) {
		if !c.Runs() {
			continue
		}
		for zone, name := range s.VPC.Zones {
			subnet := netip.MustParsePrefix(privateCIDR(zone))
			for i, address := range machine.Addresses(subnet, c.ID, name, c.NodesIn(zone, len(s.VPC.Zones))) {
				instance := machine.InstanceID(c.ID, name, i)
				all = append(all, Node{
					ID: instance, VolumeID: id("vol", instance), InterfaceID: id("eni", instance), Address: address.String(),
					DNSName: machine.Name(s.VPC.Region, address),
					Zone:    name, ZoneID: s.VPC.ZoneIDs()[zone], SubnetID: s.VPC.SubnetIDs()[zone], Cluster: c.Name,
					ClusterID: c.ID, Profile: c.NodeRole, Launched: c.CreatedAt,
				})
			}
		}
	}
	return all
}

// nodeInterfaces are the nodes' primary interfaces. Those that a CNI would add for pods are not told.
func (s *Service) nodeInterfaces(tx *state.Txn) (all []networkInterface) {
	names := s.groupNames(tx)
	for _, n := range s.Nodes(tx) {
		group := s.VPC.ClusterSecurityGroupID(n.ClusterID)
		all = append(all, networkInterface{
			InterfaceID: n.InterfaceID, SubnetID: n.SubnetID, VPCID: s.VPC.ID(), Zone: n.Zone, ZoneID: n.ZoneID,
			OwnerID: s.VPC.AccountID, Status: "in-use",
			MAC: macAddress(n.ClusterID, n.ID), Address: n.Address, DNSName: n.DNSName, SourceDestCheck: true, Type: "interface",
			Groups: list[groupName]{{group, names[group]}}, Addresses: list[address]{{Address: n.Address, DNSName: n.DNSName,
				Primary: true}},
			Attachment: interfaceAttachment{AttachmentID: id("eni-attach", n.ID), InstanceID: n.ID,
				InstanceOwnerID: s.VPC.AccountID, Status: "attached", AttachTime: timestamp(n.Launched),
				DeleteOnTermination: true},
		})
	}
	return s.addressesOf(tx, all)
}
