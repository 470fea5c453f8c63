package eks

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/region"
	"tripod/state"
)

// place puts the cluster into its subnets and gives it its Service addresses and its secrets.
func (s *Service) place(tx *state.Txn, record *region.Cluster, own *settings, in *eks.CreateClusterInput) error {
	want := in.ResourcesVpcConfig
	plan, err := s.network().CheckNetwork(tx, want.SubnetIds, want.SecurityGroupIds)
	if err != nil {
		return err
	}
	own.VPC = &types.VpcConfigResponse{
		VpcId: aws.String(plan.VPCID), SubnetIds: want.SubnetIds,
		SecurityGroupIds:       append([]string{}, want.SecurityGroupIds...),
		ClusterSecurityGroupId: aws.String(s.VPC.ClusterSecurityGroupID(record.ID)),
		EndpointPublicAccess:   want.EndpointPublicAccess == nil || *want.EndpointPublicAccess,
		EndpointPrivateAccess:  aws.ToBool(want.EndpointPrivateAccess), PublicAccessCidrs: want.PublicAccessCidrs,
	}
	if err := checkAccess(own.VPC); err != nil {
		return err
	}
	record.Access = accessOf(own.VPC)
	if record.ServiceCIDR, err = serviceCIDR(in.KubernetesNetworkConfig, plan.CIDRs); err != nil {
		return err
	}
	if in.KubernetesNetworkConfig != nil {
		own.LoadBalancing = in.KubernetesNetworkConfig.ElasticLoadBalancing
	}
	// kept when the transaction runs again, but for a key that is under another by now
	if record.Secrets.CACert == "" || record.Envelope != nil {
		record.Envelope = nil
		if record.Secrets, err = s.ControlPlane.NewSecrets(*record); err != nil {
			return fmt.Errorf("the cluster's keys cannot be made: %w", err)
		}
	}
	return nil
}

// checkAccess completes and checks who may reach the endpoint.
func checkAccess(vpc *types.VpcConfigResponse) error {
	if !vpc.EndpointPublicAccess && !vpc.EndpointPrivateAccess {
		return inWords("Private and public endpoint access cannot both be disabled")
	}
	switch {
	case !vpc.EndpointPublicAccess:
		vpc.PublicAccessCidrs = []string{}
	case len(vpc.PublicAccessCidrs) == 0:
		vpc.PublicAccessCidrs = []string{anywhere}
	default: // a set: EKS does not keep the order
		vpc.PublicAccessCidrs = slices.Compact(slices.Sorted(slices.Values(vpc.PublicAccessCidrs)))
	}
	for _, cidr := range vpc.PublicAccessCidrs {
		if prefix, err := netip.ParsePrefix(cidr); err != nil || prefix.Masked() != prefix {
			return inWords("The following CIDRs are invalid in publicAccessCidrs: [%s]", cidr)
		}
	}
	return nil
}

// accessOf is what the region acts on of a checked description.
func accessOf(vpc *types.VpcConfigResponse) *region.EndpointAccess {
	return &region.EndpointAccess{Public: vpc.EndpointPublicAccess, PublicCIDRs: vpc.PublicAccessCidrs,
		Private: vpc.EndpointPrivateAccess}
}

// serviceCIDR is the range of Service addresses: the one asked for, if it is right, and else 10.100.0.0/16, or
// 172.20.0.0/16 in a VPC that overlaps it.
func serviceCIDR(config *types.KubernetesNetworkConfigRequest, vpc []string) (string, error) {
	overlaps := func(prefix netip.Prefix) bool {
		for _, cidr := range vpc {
			if other, err := netip.ParsePrefix(cidr); err == nil && other.Overlaps(prefix) {
				return true
			}
		}
		return false
	}
	if config == nil || config.ServiceIpv4Cidr == nil {
		if first := netip.MustParsePrefix("10.100.0.0/16"); !overlaps(first) {
			return first.String(), nil
		}
		return "172.20.0.0/16", nil
	}
	prefix, err := netip.ParsePrefix(*config.ServiceIpv4Cidr)
	switch {
	case err != nil || !prefix.Addr().Is4() || prefix.Masked() != prefix || !prefix.Addr().IsPrivate():
		return "", fmt.Errorf("serviceIpv4Cidr %s is not within one of 10.0.0.0/8, 172.16.0.0/12 and 192.168.0.0/16",
			*config.ServiceIpv4Cidr)
	case prefix.Bits() < 12 || prefix.Bits() > 24:
		return "", fmt.Errorf("serviceIpv4Cidr %s must be between /24 and /12", prefix)
	case overlaps(prefix):
		return "", fmt.Errorf("serviceIpv4Cidr %s overlaps the VPC's range", prefix)
	}
	return prefix.String(), nil
}
