package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"tripod/region"
	"tripod/state"
)

// Place is what a load balancer has to know of a subnet that it is to be in.
type Place struct {
	SubnetID, VPCID, Zone string
	// Free is how many addresses nobody has.
	Free int
	// Gateway says that the subnet's VPC has an internet gateway.
	Gateway bool
	// IPv6 says that the subnet has an IPv6 block.
	IPv6 bool
	// Block is the subnet's IPv4 range.
	Block netip.Prefix
}

// PlaceIn is what there is to know of a subnet; found is false where there is none.
func (s *Service) PlaceIn(tx *state.Txn, subnetID string) (place Place, found bool) {
	v, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return Place{}, false
	}
	block, err := netip.ParsePrefix(v.CIDRBlock)
	if err != nil {
		return Place{}, false // an IPv6-only one, where nothing listens
	}
	return Place{SubnetID: v.SubnetID, VPCID: v.VPCID, Zone: v.Zone, Free: s.shown(tx, v).Available, Block: block,
		Gateway: s.hasGateway(tx, v.VPCID), IPv6: len(v.CIDRs6) > 0}, true
}

func (s *Service) hasGateway(tx *state.Txn, vpcID string) bool {
	return slices.ContainsFunc(internetGateways.all(s, tx), func(g internetGateway) bool { return g.in(vpcID) })
}

// DefaultSubnets are the ids of the default VPC's default subnets, one in each of the zones; ok is false where a zone has
// none.
func (s *Service) DefaultSubnets(tx *state.Txn, zones []string) (ids []string, ok bool) {
	for _, zone := range zones {
		at := slices.IndexFunc(subnets.all(s, tx), func(v subnet) bool { return v.DefaultForAZ && v.Zone == zone })
		if at < 0 {
			return nil, false
		}
		ids = append(ids, subnets.all(s, tx)[at].SubnetID)
	}
	return ids, true
}

// GroupIn is the VPC that a security group is in, and its name; found is false where there is no such group.
func (s *Service) GroupIn(tx *state.Txn, groupID string) (vpcID, name string, found bool) {
	g, err := groups.get(s, tx, groupID)
	return g.VPCID, g.GroupName, err == nil
}

// DefaultGroup is the id of a VPC's default security group.
func (s *Service) DefaultGroup(vpcID string) string { return id("sg", vpcID, "default") }

// HasVPC says whether there is a VPC with that id.
func (s *Service) HasVPC(tx *state.Txn, vpcID string) bool {
	_, err := vpcs.get(s, tx, vpcID)
	return err == nil
}

// ZoneOf is the zone of the subnet of a VPC in which an address is; empty where none of them has it.
func (s *Service) ZoneOf(tx *state.Txn, vpcID string, address netip.Addr) string {
	for _, v := range subnets.all(s, tx) {
		if v.VPCID != vpcID {
			continue
		}
		blocks := []string{v.CIDRBlock}
		for _, b := range v.CIDRs6 {
			blocks = append(blocks, b.CIDRBlock)
		}
		for _, text := range blocks {
			if block, err := netip.ParsePrefix(text); err == nil && block.Contains(address) {
				return v.Zone
			}
		}
	}
	return ""
}

// ElasticIP is the public address of an allocation, and whether something has it already; it is empty where there is no
// such allocation.
func (s *Service) ElasticIP(tx *state.Txn, allocationID string) (publicIP string, used bool) {
	v, err := addresses.get(s, tx, allocationID)
	if err != nil {
		return "", false
	}
	_, used = s.associationOf(tx, allocationID)
	return v.PublicIP, used
}

// BalancerAddress is the address that a load balancer's node gets in a subnet, and whether it follows from the ARN.
func (s *Service) BalancerAddress(tx *state.Txn, arn string, place Place) (ip netip.Addr, usual bool, err error) {
	ip, err = s.ServiceAddress(tx, place.SubnetID, func(block netip.Prefix) netip.Addr { return endpointHost(arn, block) })
	return ip, ip == endpointHost(arn, place.Block.Masked()), err
}

// balancerInterfaces are those by which load balancers are in their subnets.
func (s *Service) balancerInterfaces(tx *state.Txn) (all []networkInterface) {
	balancers := region.LoadBalancers.List(tx)
	if len(balancers) == 0 {
		return nil
	}
	names := s.groupNames(tx)
	for _, b := range balancers {
		for _, z := range b.Zones {
			if home, err := subnets.get(s, tx, z.SubnetID); err == nil {
				all = append(all, s.balancerInterface(b, z, home, names))
			}
		}
	}
	return all
}

func (s *Service) balancerInterface(b region.LoadBalancer, z region.BalancerZone, home subnet,
	groupNames func(groupID string) string) networkInterface {
	ip := cmp.Or(z.PrivateAddress, z.NodeAddress)
	if block, err := netip.ParsePrefix(home.CIDRBlock); err == nil && ip == "" {
		ip = endpointHost(b.ARN, block).String()
	}
	name := s.VPC.dnsName(ip)
	owner, kind, attached := "amazon-elb", "interface", "amazon-elb"
	if b.Type == region.NetworkBalancer {
		kind, attached = "network_load_balancer", "amazon-aws"
	}
	eni := networkInterface{
		InterfaceID: id("eni", b.ARN, z.SubnetID), SubnetID: z.SubnetID, VPCID: home.VPCID, Zone: home.Zone,
		ZoneID: home.ZoneID, Description: "ELB " + b.Path(), OwnerID: s.VPC.AccountID, RequesterID: owner,
		RequesterManaged: true, Status: "in-use", MAC: macAddress(b.ARN, z.SubnetID), Address: ip, DNSName: name,
		SourceDestCheck: b.Type != region.NetworkBalancer, Type: kind,
		Attachment: interfaceAttachment{AttachmentID: id("ela-attach", b.ARN, z.SubnetID), InstanceOwnerID: attached,
			DeviceIndex: 1, Status: "attached", AttachTime: timestamp(b.CreatedAt)},
	}
	for _, groupID := range b.SecurityGroups {
		eni.Groups = append(eni.Groups, groupName{groupID, groupNames(groupID)})
	}
	if z.AllocationID != "" {
		eni.Association = &interfaceAddress{z.AllocationID, id("eipassoc", b.ARN, z.AllocationID), s.VPC.AccountID,
			z.PublicAddress, s.VPC.publicDNSName(z.PublicAddress)}
	}
	eni.Addresses = list[address]{{eni.Address, eni.DNSName, true, eni.Association}}
	return eni
}

// balancerUsers name the load balancers that use a security group or a subnet.
func balancerUsers(tx *state.Txn, resourceID string) (all []string) {
	users := region.BalancersBySubnet.Of(resourceID)
	if strings.HasPrefix(resourceID, "sg-") {
		users = region.BalancersBySecurityGroup.Of(resourceID)
	}
	for _, b := range users.List(tx) {
		all = append(all, "the load balancer "+b.Path())
	}
	return all
}
