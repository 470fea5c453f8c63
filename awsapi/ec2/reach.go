package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"tripod/region"
	"tripod/state"
)

// Reach says how an instance gets out of its subnet.
type Reach struct {
	// VPCID is where it is.
	VPCID string
	// Internet says that a route leads it to the internet, where it comes from the address Source: its own public one by
	// an internet gateway, or that of a NAT gateway. Source is empty where the route is there and no such address.
	Internet bool
	Source   string
}

// SubnetReaches says how an instance in a subnet, with that public address (empty: it has none), gets out. The error is
// EC2's: there is no such subnet.
func (s *Service) SubnetReaches(tx *state.Txn, subnetID, publicIP string) (Reach, error) {
	v, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return Reach{}, err
	}
	reach := Reach{VPCID: v.VPCID}
	for _, r := range s.routesOf(tx, v).Routes {
		if r.Destination != anywhere {
			continue
		}
		switch {
		case strings.HasPrefix(r.GatewayID, "igw-"):
			reach.Internet, reach.Source = publicIP != "", publicIP
		case r.NATGatewayID != "":
			all := natGateways.all(s, tx)
			at := slices.IndexFunc(all, func(g natGateway) bool { return g.GatewayID == r.NATGatewayID })
			if at >= 0 && all[at].Addresses[0].PublicIP != "" {
				reach.Internet, reach.Source = true, all[at].Addresses[0].PublicIP
			}
		}
	}
	return reach, nil
}

// IsInVPC says whether the cluster with that ID has its network in the VPC.
func (s *Service) IsInVPC(tx *state.Txn, clusterID, vpcID string) bool {
	return slices.ContainsFunc(s.clusters(tx), func(c ClusterNetwork) bool { return c.ID == clusterID && c.VPCID == vpcID })
}

// SubnetCIDR is the IPv4 range of a subnet.
func (s *Service) SubnetCIDR(tx *state.Txn, subnetID string) (block netip.Prefix, found bool) {
	v, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return netip.Prefix{}, false
	}
	block, err = netip.ParsePrefix(v.CIDRBlock)
	return block, err == nil
}

// podSubnetTag is that of subnets in which nodes' CNI may make interfaces; with the value 0 it may not.
const podSubnetTag = "kubernetes.io/role/cni"

// SubnetsForPods are the subnets in which the CNI of a node in a subnet may make interfaces, those with the most free addresses
// first: the node's own, and those with the tag in the same VPC and zone.
func (s *Service) SubnetsForPods(tx *state.Txn, own string) []string {
	home, err := subnets.get(s, tx, own)
	if err != nil {
		return []string{own}
	}
	var found []subnet
	for _, v := range subnets.all(s, tx) {
		if v.VPCID != home.VPCID || v.Zone != home.Zone || v.CIDRBlock == "" {
			continue
		}
		value, tagged := s.TagsOf(tx, v.SubnetID)[podSubnetTag]
		if tagged && value != "0" || v.SubnetID == own && !tagged {
			found = append(found, v)
		}
	}
	if len(found) > 1 {
		for i := range found {
			found[i] = s.shown(tx, found[i])
		}
		slices.SortStableFunc(found, func(a, b subnet) int { return cmp.Compare(b.Available, a.Available) })
	}
	return each(found, func(v subnet) string { return v.SubnetID })
}

// NodeAt is the instance one of whose interfaces has an address, in whatever subnet.
func (s *Service) NodeAt(tx *state.Txn, address netip.Addr) (of region.Instance, found bool) {
	for _, v := range subnets.all(s, tx) {
		block, err := netip.ParsePrefix(v.CIDRBlock)
		if err != nil || !block.Contains(address) {
			continue
		}
		if at, is := region.InterfaceAt(tx, v.SubnetID, address); is {
			return region.Instances.Get(tx, at.AttachedTo())
		}
	}
	return of, false
}
