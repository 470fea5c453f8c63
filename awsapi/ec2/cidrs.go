package ec2

import (
	"cmp"
	"crypto/rand"
	"net/netip"
	"regexp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// maxCIDRs is how many blocks of a kind a VPC has: AWS's default quota.
const maxCIDRs = 5

// amazonIPv6 is where IPv6 blocks come from that Amazon gives to VPCs: a range kept for documentation (RFC 3849), which
// nobody on the internet has.
var amazonIPv6 = netip.MustParsePrefix("2001:db8::/32")

// newIPv6Block is a /56 of that range, at random.
func newIPv6Block() netip.Prefix {
	address := amazonIPv6.Addr().As16()
	rand.Read(address[4:7]) // never fails
	return netip.PrefixFrom(netip.AddrFrom16(address), 56)
}

func (s *Service) newCIDR6(associationID string, block netip.Prefix) cidr6Association {
	return cidr6Association{AssociationID: associationID, CIDRBlock: block.String(), State: "associated",
		BorderGroup: s.VPC.Region,
		Pool:        "Amazon",
		Attribute:   "public", Source: "amazon"}
}

type associateVPCCIDRInput struct {
	VPCID       string `ec2:"VpcId,required"`
	CIDRBlock   string `ec2:"CidrBlock"`
	IPv6        bool   `ec2:"AmazonProvidedIpv6CidrBlock"`
	BorderGroup string `ec2:"Ipv6CidrBlockNetworkBorderGroup"`
}

// vpcCIDROutput is the answer of what gives a VPC a block or takes one away.
type vpcCIDROutput struct {
	VPCID string            `xml:"vpcId"`
	CIDR  *cidrAssociation  `xml:"cidrBlockAssociation"`
	CIDR6 *cidr6Association `xml:"ipv6CidrBlockAssociation"`
}

func (s *Service) associateVPCCIDR(call *operation.Call, in *associateVPCCIDRInput) (*vpcCIDROutput, error) {
	if (in.CIDRBlock == "") == !in.IPv6 {
		return nil, refuse("InvalidParameterCombination", "Give exactly one of CidrBlock and AmazonProvidedIpv6CidrBlock.")
	}
	if err := s.checkBorderGroup(in.BorderGroup); err != nil {
		return nil, err
	}
	associationID, block, out := newID("vpc-cidr-assoc"), newIPv6Block(), &vpcCIDROutput{VPCID: in.VPCID}
	if in.CIDRBlock != "" {
		var err error
		if block, err = parseBlock(in.CIDRBlock, "InvalidVpc.Range"); err != nil {
			return nil, err
		}
	}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		full := refuse("CidrLimitExceeded", "This network '%s' has met its maximum number of allowed CIDRs: %d", v.VPCID,
			maxCIDRs)
		if in.IPv6 {
			if len(v.CIDRs6) >= maxCIDRs {
				return full
			}
			made := s.newCIDR6(associationID, block)
			v.CIDRs6 = append(slices.Clone(v.CIDRs6), made)
			out.CIDR6 = &made
		} else {
			if len(v.CIDRs) >= maxCIDRs {
				return full
			}
			for _, other := range v.CIDRs {
				if netip.MustParsePrefix(other.CIDRBlock).Overlaps(block) {
					return refuse("InvalidVpc.Range", "The CIDR '%s' conflicts with a CIDR of the same VPC.", block)
				}
			}
			made := cidrAssociation{associationID, block.String(), "associated"}
			v.CIDRs = append(slices.Clone(v.CIDRs), made)
			out.CIDR = &made
		}
		vpcs.put(s, tx, v)
		return nil
	})
}

func (s *Service) checkBorderGroup(name string) error {
	if name != "" && name != s.VPC.Region {
		return refuse("InvalidParameterValue", "Value (%s) for parameter networkBorderGroup is invalid. It must be %s.",
			clip(name),
			s.VPC.Region)
	}
	return nil
}

type disassociateCIDRInput struct {
	AssociationID string `ec2:"AssociationId,required"`
}

func (s *Service) disassociateVPCCIDR(call *operation.Call, in *disassociateCIDRInput) (*vpcCIDROutput, error) {
	out := &vpcCIDROutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, v := range vpcs.all(s, tx) {
			at := slices.IndexFunc(v.CIDRs, func(a cidrAssociation) bool { return a.AssociationID == in.AssociationID })
			at6 := slices.IndexFunc(v.CIDRs6, func(a cidr6Association) bool { return a.AssociationID == in.AssociationID })
			var block string
			switch {
			case at == 0:
				return refuse("OperationNotPermitted",
					"The vpc CIDR block with association ID %s may not be disassociated. It is the primary IPv4 CIDR block "+
						"of the VPC", in.AssociationID)
			case at > 0:
				gone := v.CIDRs[at]
				block, out.CIDR = gone.CIDRBlock, &gone
				v.CIDRs = slices.Delete(slices.Clone(v.CIDRs), at, at+1)
			case at6 >= 0:
				gone := v.CIDRs6[at6]
				block, out.CIDR6 = gone.CIDRBlock, &gone
				v.CIDRs6 = slices.Delete(slices.Clone(v.CIDRs6), at6, at6+1)
			default:
				continue
			}
			if s.usesBlock(tx, v.VPCID, netip.MustParsePrefix(block)) {
				return refuse("InvalidCidrBlock.InUse", "The vpc %s currently has a subnet within CIDR block %s", v.VPCID, block)
			}
			out.VPCID = v.VPCID
			vpcs.put(s, tx, v)
			return nil
		}
		return refuse("InvalidVpcCidrBlockAssociationID.NotFound", "The vpc CIDR block association ID '%s' does not exist",
			clip(in.AssociationID))
	})
}

// usesBlock says whether a subnet of the VPC is inside the block.
func (s *Service) usesBlock(tx *state.Txn, vpcID string, block netip.Prefix) bool {
	return slices.ContainsFunc(subnets.all(s, tx), func(v subnet) bool {
		return v.VPCID == vpcID && slices.ContainsFunc(v.blocks(), block.Overlaps)
	})
}

// blocks are a subnet's ranges, of IPv4 and of IPv6.
func (v subnet) blocks() []netip.Prefix {
	var all []netip.Prefix
	if !v.IPv6Native {
		all = append(all, netip.MustParsePrefix(v.CIDRBlock))
	}
	for _, a := range v.CIDRs6 {
		all = append(all, netip.MustParsePrefix(a.CIDRBlock))
	}
	return all
}

// place refuses a block for a subnet of the VPC: one that is in none of the VPC's blocks, or that overlaps another
// subnet's.
func (s *Service) place(tx *state.Txn, v vpcRecord, block netip.Prefix) error {
	inside := func(text string) bool {
		whole := netip.MustParsePrefix(text)
		return whole.Bits() <= block.Bits() && whole.Contains(block.Addr())
	}
	if !slices.ContainsFunc(v.CIDRs, func(a cidrAssociation) bool { return inside(a.CIDRBlock) }) &&
		!slices.ContainsFunc(v.CIDRs6, func(a cidr6Association) bool { return inside(a.CIDRBlock) }) {
		return refuse("InvalidSubnet.Range", "The CIDR '%s' is invalid.", block)
	}
	if s.usesBlock(tx, v.VPCID, block) {
		return refuse("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", block)
	}
	return nil
}

// subnetIPv6 matches the lengths that a subnet's IPv6 block may have: from /44 to /64, in steps of four.
var subnetIPv6 = regexp.MustCompile(`/(44|48|52|56|60|64)$`)

// parseIPv6Block reads a subnet's IPv6 block.
func parseIPv6Block(text string) (netip.Prefix, error) {
	block, err := netip.ParsePrefix(text)
	if err != nil || !isIPv6(block.Addr()) || block.Masked() != block {
		return block, refuse("InvalidParameterValue",
			"Value (%s) for parameter ipv6CidrBlock is invalid. This is not a valid IPv6 CIDR block.", clip(text))
	}
	if !subnetIPv6.MatchString(text) {
		return block, refuse("InvalidSubnet.Range",
			"The IPv6 CIDR '%s' is invalid: its length must be between /44 and /64 in increments of /4.", text)
	}
	return block, nil
}

func newSubnetCIDR6(block netip.Prefix) subnetCIDR6 {
	return subnetCIDR6{AssociationID: newID("subnet-cidr-assoc"), CIDRBlock: block.String(), State: "associated",
		Attribute: "public",
		Source:    "amazon"}
}

type associateSubnetCIDRInput struct {
	SubnetID  string `ec2:"SubnetId,required"`
	CIDRBlock string `ec2:"Ipv6CidrBlock,required"`
}

type subnetCIDROutput struct {
	SubnetID string      `xml:"subnetId"`
	CIDR6    subnetCIDR6 `xml:"ipv6CidrBlockAssociation"`
}

func (s *Service) associateSubnetCIDR(call *operation.Call, in *associateSubnetCIDRInput) (*subnetCIDROutput, error) {
	block, err := parseIPv6Block(in.CIDRBlock)
	if err != nil {
		return nil, err
	}
	out := &subnetCIDROutput{SubnetID: in.SubnetID, CIDR6: newSubnetCIDR6(block)}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := subnets.get(s, tx, in.SubnetID)
		if err != nil {
			return err
		}
		if len(v.CIDRs6) > 0 {
			return refuse("CidrLimitExceeded", "This subnet '%s' has met its maximum number of allowed IPv6 CIDRs: 1",
				v.SubnetID)
		}
		home, err := vpcs.get(s, tx, v.VPCID)
		if err != nil {
			return err
		}
		if err := s.place(tx, home, block); err != nil {
			return err
		}
		v.CIDRs6 = list[subnetCIDR6]{out.CIDR6}
		subnets.put(s, tx, v)
		return nil
	})
}

func (s *Service) disassociateSubnetCIDR(call *operation.Call, in *disassociateCIDRInput) (*subnetCIDROutput, error) {
	out := &subnetCIDROutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, v := range subnets.all(s, tx) {
			at := slices.IndexFunc(v.CIDRs6, func(a subnetCIDR6) bool { return a.AssociationID == in.AssociationID })
			if at < 0 {
				continue
			}
			if v.IPv6Native {
				return refuse("OperationNotPermitted", "The IPv6 CIDR block of the IPv6-only subnet %s may not be disassociated.",
					v.SubnetID)
			}
			out.SubnetID, out.CIDR6 = v.SubnetID, v.CIDRs6[at]
			v.CIDRs6, v.AssignIPv6, v.DNS64, v.Names.AAAA = nil, false, false, false
			subnets.put(s, tx, v)
			return nil
		}
		return refuse("InvalidSubnetCidrBlockAssociationID.NotFound",
			"The subnet CIDR block with association ID '%s' does not exist",
			clip(in.AssociationID))
	})
}

// tenancies are those that a VPC may have.
var tenancies = []string{"default", "dedicated"}

type modifyTenancyInput struct {
	VPCID   string `ec2:"VpcId,required"`
	Tenancy string `ec2:"InstanceTenancy,required"`
}

// modifyTenancy lifts the dedicated tenancy of a VPC: only so it can change.
func (s *Service) modifyTenancy(call *operation.Call, in *modifyTenancyInput) (*done, error) {
	if in.Tenancy != tenancies[0] {
		return nil, refuse("InvalidParameterValue",
			"Value (%s) for parameter instanceTenancy is invalid. The tenancy of a VPC can only be changed to default.",
			clip(in.Tenancy))
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		v.InstanceTenancy = in.Tenancy
		vpcs.put(s, tx, v)
		return nil
	})
}

// tenancyOf is the tenancy that a call asks for.
func tenancyOf(text string) (string, error) {
	tenancy := cmp.Or(text, tenancies[0])
	if !slices.Contains(tenancies, tenancy) {
		return "", refuse("InvalidParameterValue",
			"Value (%s) for parameter instanceTenancy is invalid. It must be default or dedicated.", clip(text))
	}
	return tenancy, nil
}
