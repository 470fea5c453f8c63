package ec2

import (
	"net/netip"
	"slices"

	"tripod/state"
)

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
