package ec2

import (
	"errors"
	"fmt"
	"slices"

	"tripod/region"
	"tripod/state"
)

// ClusterNetwork is where a cluster is.
type ClusterNetwork struct {
	ID, Name         string
	VPCID            string
	SubnetIDs        []string
	SecurityGroupIDs []string
}

// clusters are the networks of the region's clusters.
func (s *Service) clusters(tx *state.Txn) []ClusterNetwork {
	if s.Clusters != nil {
		return s.Clusters(tx)
	}
	var all []ClusterNetwork
	for _, c := range region.Clusters.List(tx) {
		all = append(all, ClusterNetwork{ID: c.ID, Name: c.Name, VPCID: s.VPC.ID(), SubnetIDs: s.VPC.SubnetIDs()})
	}
	return all
}

// NetworkPlan is the network that a cluster is to be in.
type NetworkPlan struct {
	VPCID string
	// CIDRs are the VPC's ranges: the cluster's Service addresses must not overlap them.
	CIDRs []string
	// Zones are the subnets' zones, in the region's order, each once.
	Zones []string
}

// minimumZones is in how many zones a cluster's subnets must be.
const minimumZones = 2

// inWords is an error in EKS's own words, which begin with a capital letter.
func inWords(format string, args ...any) error { return fmt.Errorf(format, args...) }

// CheckNetwork says whether a cluster can be in these subnets with these security groups, in the words of EKS.
func (s *Service) CheckNetwork(tx *state.Txn, subnetIDs, securityGroupIDs []string) (NetworkPlan, error) {
	var plan NetworkPlan
	if len(subnetIDs) == 0 {
		return plan, errors.New("subnets can not be empty")
	}
	zones := map[string]bool{}
	for i, subnetID := range subnetIDs {
		v, err := subnets.get(s, tx, subnetID)
		switch {
		case err != nil:
			return NetworkPlan{}, inWords("The subnet ID '%s' does not exist", clip(subnetID))
		case v.IPv6Native:
			return NetworkPlan{}, inWords("The subnet %s is IPv6-only: clusters need IPv4 addresses", subnetID)
		case slices.Contains(subnetIDs[:i], subnetID):
			return NetworkPlan{}, inWords("The subnet ID '%s' is given twice", subnetID)
		case plan.VPCID != "" && plan.VPCID != v.VPCID:
			return NetworkPlan{}, inWords("Subnets specified must belong to the same VPC: %s is in %s, not in %s", subnetID,
				v.VPCID, plan.VPCID)
		}
		plan.VPCID, zones[v.Zone] = v.VPCID, true
	}
	if len(zones) < minimumZones {
		return NetworkPlan{}, inWords("Subnets specified must be in at least two different AZs")
	}
	for _, groupID := range securityGroupIDs {
		group, err := groups.get(s, tx, groupID)
		switch {
		case err != nil:
			return NetworkPlan{}, inWords("The security group ID '%s' does not exist", clip(groupID))
		case group.VPCID != plan.VPCID:
			return NetworkPlan{}, inWords("Security group %s is in VPC %s, not in the subnets' VPC %s", groupID, group.VPCID,
				plan.VPCID)
		}
	}
	v, err := vpcs.get(s, tx, plan.VPCID)
	if err != nil {
		return NetworkPlan{}, err
	}
	for _, association := range v.CIDRs {
		plan.CIDRs = append(plan.CIDRs, association.CIDRBlock)
	}
	plan.Zones = slices.DeleteFunc(slices.Clone(s.VPC.Zones), func(zone string) bool { return !zones[zone] })
	return plan, nil
}

// VPCOf is the VPC in which a subnet is. The error says that there is no such subnet.
func (s *Service) VPCOf(tx *state.Txn, subnetID string) (string, error) {
	v, err := subnets.get(s, tx, subnetID)
	return v.VPCID, err
}

// IsPrivate says whether a subnet has no route to an internet gateway, as Fargate profiles need it. The error says that
// there is no such subnet.
func (s *Service) IsPrivate(tx *state.Txn, subnetID string) (bool, error) {
	v, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return false, err
	}
	return !s.routesOf(tx, v).public(), nil
}
