package elb

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

// leastFree is how many free addresses an application load balancer needs in each of its subnets.
const leastFree = 8

// subnetMapping is a subnet, and which addresses a network load balancer is to have in it.
type subnetMapping struct {
	SubnetID            string `query:"SubnetId,required"`
	AllocationID        string `query:"AllocationId"`
	PrivateIPv4Address  string
	IPv6Address         string
	SourceNatIpv6Prefix string
}

// placement says where a load balancer is to be.
type placement struct {
	Subnets        []string
	SubnetMappings []subnetMapping
}

func (p placement) mappings() ([]subnetMapping, error) {
	switch {
	case len(p.Subnets) > 0 && len(p.SubnetMappings) > 0:
		return nil, invalid("You can specify either subnets or subnet mappings, but not both")
	case len(p.Subnets)+len(p.SubnetMappings) == 0:
		return nil, invalid("You must specify subnets or subnet mappings")
	}
	all := slices.Clone(p.SubnetMappings)
	for _, id := range p.Subnets {
		all = append(all, subnetMapping{SubnetID: id})
	}
	return all, nil
}

// place puts a load balancer into subnets: it sets its Zones and, where it has none yet, its VPC.
func (s *Service) place(tx *state.Txn, b *region.LoadBalancer, mappings []subnetMapping) error {
	before := b.Zones
	b.Zones = nil
	for _, m := range mappings {
		at, found := s.Network.PlaceIn(tx, m.SubnetID)
		b.VPC = cmp.Or(b.VPC, at.VPCID)
		isNew := !slices.ContainsFunc(before, func(z region.BalancerZone) bool { return z.SubnetID == m.SubnetID })
		switch {
		case !found:
			return refuse("SubnetNotFound", "The subnet ID '%s' does not exist", wire.Clip(m.SubnetID))
		case slices.ContainsFunc(b.Zones, func(z region.BalancerZone) bool { return z.Zone == at.Zone }):
			return unsuitable("A load balancer cannot be attached to multiple subnets in the same Availability Zone")
		case at.VPCID != b.VPC:
			return unsuitable("All subnets must belong to the same VPC: '%s'", b.VPC)
		case b.Scheme == region.SchemeInternetFacing && !at.Gateway:
			return refuse("InvalidSubnet", "VPC %s has no internet gateway", at.VPCID)
		case b.Type != region.NetworkBalancer && isNew && at.Free < leastFree:
			return refuse("InvalidSubnet", "Not enough IP space available in %s. ELB requires at least %d free IP addresses in "+
				"each subnet.", m.SubnetID, leastFree)
		case strings.HasPrefix(b.IPAddressType, "dualstack") && !at.IPv6:
			return refuse("InvalidSubnet", "You must specify subnets with an associated IPv6 CIDR block.")
		}
		z, err := s.addresses(tx, b, m, at.Block)
		if err != nil {
			return err
		}
		z.Zone = at.Zone
		if err := s.placeNode(tx, b, &z, at); err != nil {
			return err
		}
		b.Zones = append(b.Zones, z)
	}
	if b.Type == region.ApplicationBalancer && len(b.Zones) < 2 {
		return invalid("At least two subnets in two different Availability Zones must be specified")
	}
	slices.SortFunc(b.Zones, func(a, b region.BalancerZone) int { return cmp.Compare(a.Zone, b.Zone) })
	return nil
}

// placeNode gives a load balancer's node its address in a subnet. One that it had there it keeps.
func (s *Service) placeNode(tx *state.Txn, b *region.LoadBalancer, z *region.BalancerZone, at ec2.Place) error {
	stored, _ := region.LoadBalancers.Get(tx, b.Key()) // also where the same one is made again
	before := stored.Zones
	had := slices.IndexFunc(before, func(old region.BalancerZone) bool { return old.SubnetID == z.SubnetID })
	if had >= 0 && before[had].PrivateAddress == z.PrivateAddress {
		z.NodeAddress = before[had].NodeAddress
		return nil
	}
	if z.PrivateAddress != "" {
		if ip, err := netip.ParseAddr(z.PrivateAddress); err == nil && !s.Network.IsFree(tx, z.SubnetID, ip) {
			return unsuitable("The private IPv4 address '%s' is not available for use", z.PrivateAddress)
		}
		return nil
	}
	ip, usual, err := s.Network.BalancerAddress(tx, b.ARN, at)
	if err != nil {
		return refuse("InvalidSubnet", "Not enough IP space available in %s. ELB requires at least %d free IP addresses in each subnet.",
			z.SubnetID, 1)
	}
	if !usual {
		z.NodeAddress = ip.String()
	}
	return nil
}

// addresses are those that a mapping asks for.
func (s *Service) addresses(tx *state.Txn, b *region.LoadBalancer, m subnetMapping, block netip.Prefix) (region.BalancerZone,
	error) {
	z := region.BalancerZone{SubnetID: m.SubnetID, AllocationID: m.AllocationID, PrivateAddress: m.PrivateIPv4Address,
		IPv6Address: m.IPv6Address}
	asked := m.AllocationID + m.PrivateIPv4Address + m.IPv6Address
	switch {
	case asked == "":
		return z, nil
	case b.Type != region.NetworkBalancer:
		return z, unsuitable("Addresses of subnet mappings are not supported for load balancers of type '%s'", b.Type)
	case m.AllocationID != "" && b.Scheme == region.SchemeInternal:
		return z, unsuitable("Elastic IP addresses are not supported for load balancers with the scheme 'internal'")
	case m.PrivateIPv4Address != "" && b.Scheme != region.SchemeInternal:
		return z, unsuitable("Private IPv4 addresses are supported only for load balancers with the scheme 'internal'")
	case m.PrivateIPv4Address != "":
		if a, err := netip.ParseAddr(m.PrivateIPv4Address); err != nil || !block.Contains(a) {
			return z, invalid("The private IPv4 address '%s' is not in the range of the subnet '%s'", wire.Clip(m.PrivateIPv4Address),
				m.SubnetID)
		}
	}
	if m.AllocationID == "" {
		return z, nil
	}
	publicIP, used := s.Network.ElasticIP(tx, m.AllocationID)
	own := region.LoadBalancer{}
	if there, found := region.LoadBalancers.Get(tx, b.Key()); found {
		own = there
	}
	has := slices.ContainsFunc(own.Zones, func(z region.BalancerZone) bool { return z.AllocationID == m.AllocationID })
	switch {
	case publicIP == "":
		return z, refuse("AllocationIdNotFound", "The allocation ID '%s' does not exist", wire.Clip(m.AllocationID))
	case used && !has:
		return z, refuse("ResourceInUse", "The allocation ID '%s' is not available for use", m.AllocationID)
	}
	z.PublicAddress = publicIP
	return z, nil
}

// checkGroups says whether a load balancer in a VPC can have the security groups.
func (s *Service) checkGroups(tx *state.Txn, vpcID string, ids []string) error {
	const most = 5
	if len(ids) > most {
		return unsuitable("The maximum number of security groups per load balancer is '%d'", most)
	}
	for _, id := range ids {
		if in, _, found := s.Network.GroupIn(tx, id); !found || in != vpcID {
			return unsuitable("One or more security groups are invalid")
		}
	}
	return nil
}
