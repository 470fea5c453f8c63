package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// Node is an instance that has become a cluster's node, or is to.
type Node struct {
	ID, VolumeID, InterfaceID string
	Address, DNSName          string
	Zone, ZoneID, SubnetID    string
	Cluster, ClusterID        string
	Profile                   string // the instance profile's name; empty: it has none
	Launched                  time.Time
	Group                     string // the Auto Scaling group it belongs to; empty: none
	Adopted                   bool   // it is older than instances' records
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

// NodesOf are those of the cluster with that ID, in the order of zones and launches.
func (s *Service) NodesOf(tx *state.Txn, clusterID string) (all []Node) {
	for _, v := range region.InstancesByCluster.Of(clusterID).List(tx) {
		if !v.State.Alive() {
			continue
		}
		all = append(all, Node{ID: v.ID, VolumeID: v.VolumeID, InterfaceID: v.InterfaceID, Address: v.Address,
			DNSName: v.DNSName, Zone: v.Zone, ZoneID: s.zoneID(v.Zone), SubnetID: v.SubnetID, Cluster: v.Boot.Cluster,
			ClusterID: v.Boot.ClusterID, Profile: v.Launch.Profile, Launched: v.Launched, Group: v.Group,
			Adopted: v.Launch.ImageID == ""})
	}
	slices.SortStableFunc(all, func(a, b Node) int { return cmp.Compare(a.Zone, b.Zone) })
	return all
}

func (s *Service) zoneID(zone string) string {
	if at := slices.Index(s.VPC.Zones, zone); at >= 0 {
		return s.VPC.ZoneIDs()[at]
	}
	return ""
}

// AdoptNodes writes the records of the instances that a cluster of a data directory of before has had without any: as
// they were shown, running since the cluster was made. Those that there are already stay as they are.
func (s *Service) AdoptNodes(tx *state.Txn, c region.Cluster, now time.Time) error {
	if !c.Runs() {
		return nil
	}
	for zone, name := range s.VPC.Zones {
		block := netip.MustParsePrefix(privateCIDR(zone))
		for i, address := range machine.Addresses(block, c.ID, name, c.NodesIn(zone, len(s.VPC.Zones))) {
			instanceID := machine.InstanceID(c.ID, name, i)
			v := region.Instance{
				ID: instanceID, ReservationID: id("r", instanceID), Launched: c.CreatedAt,
				Zone: name, SubnetID: s.VPC.SubnetIDs()[zone], VPCID: s.VPC.ID(), Address: address.String(),
				DNSName:     machine.Name(s.VPC.Region, address),
				InterfaceID: id("eni", instanceID), VolumeID: id("vol", instanceID),
				Launch: region.InstanceLaunch{Type: machine.DefaultType, Profile: c.NodeRole,
					Groups: []string{s.VPC.ClusterSecurityGroupID(c.ID)}},
				Boot: region.Boot{At: c.CreatedAt, ClusterID: c.ID, Cluster: c.Name, Joined: c.CreatedAt},
			}
			if !region.AdoptInstance(tx, v, now) {
				continue
			}
			for _, resource := range []string{v.ID, v.VolumeID, v.InterfaceID} {
				if _, stored := tags.Get(tx, resource); !stored {
					tags.Put(tx, resource, Node{Cluster: c.Name}.Tags())
				}
			}
		}
	}
	return nil
}

// nodeInterfaces are the instances' primary interfaces.
func (s *Service) nodeInterfaces(tx *state.Txn) []networkInterface {
	return s.interfacesOf(tx, region.Instances.List(tx))
}

// interfacesOf are the primary interfaces of instances that are not terminated.
func (s *Service) interfacesOf(tx *state.Txn, of []region.Instance) (all []networkInterface) {
	names := s.groupNames(tx)
	for _, v := range of {
		if v.InterfaceID != "" {
			all = append(all, s.interfaceOfInstance(tx, v, names))
		}
	}
	return s.addressesOf(tx, all)
}

func (s *Service) interfaceOfInstance(tx *state.Txn, v region.Instance, names func(string) string) networkInterface {
	d := s.detailsOf(tx, v.ID)
	eni := networkInterface{
		InterfaceID: v.InterfaceID, SubnetID: v.SubnetID, VPCID: v.VPCID, Zone: v.Zone, ZoneID: s.zoneID(v.Zone),
		Description: d.Interface, OwnerID: s.VPC.AccountID, Status: "in-use", MAC: macOf(v), Address: v.Address,
		DNSName: v.DNSName, SourceDestCheck: !d.NoSourceCheck, Type: "interface",
		Attachment: interfaceAttachment{AttachmentID: id("eni-attach", v.ID), InstanceID: v.ID,
			InstanceOwnerID: s.VPC.AccountID, Status: "attached", AttachTime: timestamp(v.Launched),
			DeleteOnTermination: !d.KeepsInterface},
	}
	for _, group := range v.Launch.Groups {
		eni.Groups = append(eni.Groups, groupName{group, names(group)})
	}
	if v.Address != "" {
		eni.Addresses = list[address]{{Address: v.Address, DNSName: v.DNSName, Primary: true}}
	}
	if stored, found := region.NetworkInterfaces.Get(tx, v.InterfaceID); found {
		s.addPrivate(&eni, stored)
	}
	if v.PublicIP != "" {
		eni.Association = &interfaceAddress{OwnerID: "amazon", PublicIP: v.PublicIP, DNSName: s.VPC.publicDNSName(v.PublicIP)}
		eni.Addresses[0].Association = eni.Association
	}
	return eni
}

// macOf is the MAC address of an instance's interface. Those of adopted nodes follow from their cluster, as before.
func macOf(v region.Instance) string {
	if v.InterfaceID == id("eni", v.ID) {
		return macAddress(v.Boot.ClusterID, v.ID)
	}
	return macAddress(v.VPCID, v.ID)
}
