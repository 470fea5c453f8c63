package ec2

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// subnet is a subnet as stored and as EC2 shows it.
type subnet struct {
	SubnetID     string            `xml:"subnetId"`
	ARN          string            `xml:"subnetArn"`
	State        string            `xml:"state"`
	OwnerID      string            `xml:"ownerId"`
	VPCID        string            `xml:"vpcId"`
	CIDRBlock    string            `xml:"cidrBlock,omitempty"` // none where IPv6Native
	Available    int               `xml:"availableIpAddressCount" json:"-"`
	Zone         string            `xml:"availabilityZone"`
	ZoneID       string            `xml:"availabilityZoneId"`
	DefaultForAZ bool              `xml:"defaultForAz"`
	MapPublicIP  bool              `xml:"mapPublicIpOnLaunch"`
	AssignIPv6   bool              `xml:"assignIpv6AddressOnCreation"`
	CIDRs6       list[subnetCIDR6] `xml:"ipv6CidrBlockAssociationSet"`
	IPv6Native   bool              `xml:"ipv6Native"`
	DNS64        bool              `xml:"enableDns64"`
	MapCustomer  bool              `xml:"mapCustomerOwnedIpOnLaunch" json:"-"` // false: it is of Outposts
	Names        launchNames       `xml:"privateDnsNameOptionsOnLaunch"`
	PublicAccess publicAccess      `xml:"blockPublicAccessStates" json:"-"`
	Tags         list[tag]         `xml:"tagSet" json:"-"`
}

// subnetCIDR6 is an IPv6 block of a subnet.
type subnetCIDR6 struct {
	AssociationID string `xml:"associationId"`
	CIDRBlock     string `xml:"ipv6CidrBlock"`
	State         string `xml:"ipv6CidrBlockState>state"`
	Attribute     string `xml:"ipv6AddressAttribute"`
	Source        string `xml:"ipSource"`
}

// launchNames say how a subnet's instances are named.
type launchNames struct {
	HostnameType string `xml:"hostnameType"`
	A            bool   `xml:"enableResourceNameDnsARecord"`
	AAAA         bool   `xml:"enableResourceNameDnsAAAARecord"`
}

// resourceNames is the type of names that follow from instances' ids: that of subnets without IPv4.
const resourceNames = "resource-name"

// ipNames is the type of names that follow from addresses: that of subnets with IPv4 where nothing else is said.
const ipNames = "ip-name"

var subnets = &kind[subnet]{
	table: state.NewTable[entry[subnet]]("ec2-subnet"), prefix: "subnet", noun: "subnet ID", code: "InvalidSubnetID",
	id:       func(v subnet) string { return v.SubnetID },
	computed: func(s *Service, _ *state.Txn) []subnet { return s.defaultSubnets() },
}

// defaultSubnets are the default VPC's: in each zone a private one, where the clusters are, and a public one.
func (s *Service) defaultSubnets() []subnet {
	var all []subnet
	for i := range s.VPC.Zones {
		public := s.newSubnet(s.VPC.PublicSubnetIDs()[i], s.VPC.ID(), publicCIDR(i), i)
		public.MapPublicIP, public.DefaultForAZ = true, true
		all = append(all, s.newSubnet(s.VPC.SubnetIDs()[i], s.VPC.ID(), privateCIDR(i), i), public)
	}
	return all
}

func (s *Service) newSubnet(subnetID, vpcID, cidr string, zone int) subnet {
	return subnet{
		SubnetID: subnetID, ARN: s.arn("subnet", subnetID), State: "available", OwnerID: s.VPC.AccountID, VPCID: vpcID,
		CIDRBlock: cidr,
		Zone:      s.VPC.Zones[zone], ZoneID: s.VPC.ZoneIDs()[zone],
	}
}

// shown is the subnet with what is not stored: its tags, and its free addresses.
func (s *Service) shown(tx *state.Txn, v subnet) subnet {
	v.Tags = s.tagsOf(tx, v.SubnetID)
	v.Names.HostnameType = cmp.Or(v.Names.HostnameType, ipNames)
	if v.CIDRBlock != "" {
		v.Available = s.spaceOf(tx, v).available()
	}
	return v
}

type describeSubnetsInput struct {
	IDs        []string `ec2:"SubnetId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeSubnetsOutput struct {
	Subnets   list[subnet] `xml:"subnetSet"`
	NextToken string       `xml:"nextToken,omitempty"`
}

func (s *Service) describeSubnets(call *operation.Call, in *describeSubnetsInput) (*describeSubnetsOutput, error) {
	found, next, err := describe(s, call, subnets, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *subnet) { *v = s.shown(tx, *v) })
	return &describeSubnetsOutput{found, next}, err
}

type createSubnetInput struct {
	VPCID          string             `ec2:"VpcId,required"`
	CIDRBlock      string             `ec2:"CidrBlock"`
	CIDRBlock6     string             `ec2:"Ipv6CidrBlock"`
	IPv6Native     bool               `ec2:"Ipv6Native"`
	Zone           string             `ec2:"AvailabilityZone"`
	ZoneID         string             `ec2:"AvailabilityZoneId"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createSubnetOutput struct {
	Subnet subnet `xml:"subnet"`
}

func (s *Service) createSubnet(call *operation.Call, in *createSubnetInput) (*createSubnetOutput, error) {
	blocks, err := in.blocks()
	if err != nil {
		return nil, err
	}
	zone, err := s.zoneOf(in.Zone, in.ZoneID)
	if err != nil {
		return nil, err
	}
	given, err := newTags(in.Specifications, "subnet")
	if err != nil {
		return nil, err
	}
	out := &createSubnetOutput{s.newSubnet(newID("subnet"), in.VPCID, "", zone)}
	for _, block := range blocks {
		if isIPv4(block.Addr()) {
			out.Subnet.CIDRBlock = block.String()
		} else {
			out.Subnet.CIDRs6 = list[subnetCIDR6]{newSubnetCIDR6(block)}
		}
	}
	if in.IPv6Native {
		out.Subnet.IPv6Native, out.Subnet.AssignIPv6, out.Subnet.Names.HostnameType = true, true, resourceNames
	}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		for _, block := range blocks {
			if err := s.place(tx, v, block); err != nil {
				return err
			}
		}
		subnets.put(s, tx, out.Subnet)
		tags.Put(tx, out.Subnet.SubnetID, given)
		out.Subnet = s.shown(tx, out.Subnet)
		return nil
	})
}

// blocks are those that the call gives a new subnet: of IPv4 and, if it says so, of IPv6; or of IPv6 alone.
func (in *createSubnetInput) blocks() (all []netip.Prefix, err error) {
	switch {
	case in.IPv6Native && in.CIDRBlock != "":
		return nil, refuse("InvalidParameterCombination",
			"The parameter cidrBlock cannot be used with the parameter ipv6Native")
	case in.IPv6Native && in.CIDRBlock6 == "":
		return nil, refuse("MissingParameter", "Either 'ipv6CidrBlock' or 'ipv6IpamPoolId' should be provided.")
	case !in.IPv6Native && in.CIDRBlock == "":
		return nil, refuse("MissingParameter", "Either 'cidrBlock' or 'ipv4IpamPoolId' should be provided.")
	}
	if in.CIDRBlock != "" {
		block, err := parseBlock(in.CIDRBlock, "InvalidSubnet.Range")
		if err != nil {
			return nil, err
		}
		all = append(all, block)
	}
	if in.CIDRBlock6 != "" {
		block, err := parseIPv6Block(in.CIDRBlock6)
		if err != nil {
			return nil, err
		}
		all = append(all, block)
	}
	return all, nil
}

// zoneOf is the index of the zone with that name or id; the first where neither is given.
func (s *Service) zoneOf(name, zoneID string) (int, error) {
	if name == "" && zoneID == "" {
		return 0, nil
	}
	byName, byID := slices.Index(s.VPC.Zones, name), slices.Index(s.VPC.ZoneIDs(), zoneID)
	switch {
	case name != "" && byName < 0 || zoneID != "" && byID < 0:
		return 0, refuse("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid. Subnets can "+
			"currently only be created in the following availability zones: %s.",
			clip(name+zoneID), strings.Join(s.VPC.Zones, ", "))
	case name != "" && zoneID != "" && byName != byID:
		return 0, refuse("InvalidParameterCombination", "AvailabilityZone and AvailabilityZoneId are different zones: "+
			"give one of them.")
	}
	return max(byName, byID), nil
}

type deleteSubnetInput struct {
	SubnetID string `ec2:"SubnetId,required"`
}

func (s *Service) deleteSubnet(call *operation.Call, in *deleteSubnetInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		if _, err := subnets.get(s, tx, in.SubnetID); err != nil {
			return err
		}
		for _, cluster := range s.clusters(tx) {
			if slices.Contains(cluster.SubnetIDs, in.SubnetID) {
				return depended(call, "subnet", in.SubnetID, "the EKS cluster "+cluster.Name)
			}
		}
		for _, g := range natGateways.all(s, tx) {
			if g.SubnetID == in.SubnetID {
				return depended(call, "subnet", in.SubnetID, g.GatewayID)
			}
		}
		for _, v := range region.InstancesBySubnet.Of(in.SubnetID).After(tx, "") {
			return depended(call, "subnet", in.SubnetID, v.ID)
		}
		for _, v := range region.InterfacesBySubnet.Of(in.SubnetID).After(tx, "") {
			return depended(call, "subnet", in.SubnetID, v.ID)
		}
		for _, m := range region.FargateBySubnet.Of(in.SubnetID).After(tx, "") {
			return depended(call, "subnet", in.SubnetID, m.InterfaceID)
		}
		users := slices.Concat(s.endpointUsers(tx, in.SubnetID), balancerUsers(tx, in.SubnetID), mountTargetUsers(tx, in.SubnetID))
		if len(users) > 0 {
			return depended(call, "subnet", in.SubnetID, users...)
		}
		s.dissociate(tx, in.SubnetID)
		aclAssociations.Delete(tx, in.SubnetID)
		return subnets.delete(s, tx, in.SubnetID)
	})
}
