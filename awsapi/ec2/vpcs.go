package ec2

import (
	"encoding/xml"
	"net/netip"

	"tripod/awsapi/operation"
	"tripod/state"
)

// vpcRecord is a VPC as stored and as EC2 shows it.
type vpcRecord struct {
	VPCID           string                 `xml:"vpcId"`
	OwnerID         string                 `xml:"ownerId"`
	State           string                 `xml:"state"`
	CIDRBlock       string                 `xml:"cidrBlock"`
	CIDRs           list[cidrAssociation]  `xml:"cidrBlockAssociationSet"`
	CIDRs6          list[cidr6Association] `xml:"ipv6CidrBlockAssociationSet,omitempty"`
	DHCPOptionsID   string                 `xml:"dhcpOptionsId"`
	InstanceTenancy string                 `xml:"instanceTenancy"`
	IsDefault       bool                   `xml:"isDefault"`
	PublicAccess    publicAccess           `xml:"blockPublicAccessStates" json:"-"`
	Tags            list[tag]              `xml:"tagSet" json:"-"`

	DNSSupport     bool `xml:"-"`
	DNSHostnames   bool `xml:"-"`
	AddressMetrics bool `xml:"-"`
}

type cidrAssociation struct {
	AssociationID string `xml:"associationId"`
	CIDRBlock     string `xml:"cidrBlock"`
	State         string `xml:"cidrBlockState>state"`
}

// cidr6Association is an IPv6 block of a VPC.
type cidr6Association struct {
	AssociationID string `xml:"associationId"`
	CIDRBlock     string `xml:"ipv6CidrBlock"`
	State         string `xml:"ipv6CidrBlockState>state"`
	BorderGroup   string `xml:"networkBorderGroup"`
	Pool          string `xml:"ipv6Pool"`
	Attribute     string `xml:"ipv6AddressAttribute"`
	Source        string `xml:"ipSource"`
}

// publicAccess says that nothing blocks the internet gateways of a VPC or subnet: VPC Block Public Access is not here.
type publicAccess struct{}

// MarshalXML implements xml.Marshaler.
func (publicAccess) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	return e.EncodeElement(struct {
		Mode string `xml:"internetGatewayBlockMode"`
	}{"off"}, start)
}

var vpcs = &kind[vpcRecord]{
	table: state.NewTable[entry[vpcRecord]]("ec2-vpc"), prefix: "vpc", noun: "vpc ID", code: "InvalidVpcID",
	id:       func(v vpcRecord) string { return v.VPCID },
	computed: func(s *Service, _ *state.Txn) []vpcRecord { return []vpcRecord{s.defaultVPC()} },
}

func (s *Service) defaultVPC() vpcRecord {
	v := s.newVPC(s.VPC.ID(), defaultCIDR, id("vpc-cidr-assoc", s.VPC.ID()))
	v.IsDefault, v.DNSHostnames = true, true
	return v
}

func (s *Service) newVPC(vpcID, cidr, associationID string) vpcRecord {
	return vpcRecord{
		VPCID: vpcID, OwnerID: s.VPC.AccountID, State: "available", CIDRBlock: cidr, InstanceTenancy: "default",
		DNSSupport:    true,
		CIDRs:         list[cidrAssociation]{{associationID, cidr, "associated"}},
		DHCPOptionsID: id("dopt", s.VPC.AccountID, s.VPC.Region),
	}
}

type describeVPCsInput struct {
	IDs        []string `ec2:"VpcId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeVPCsOutput struct {
	VPCs      list[vpcRecord] `xml:"vpcSet"`
	NextToken string          `xml:"nextToken,omitempty"`
}

func (s *Service) describeVPCs(call *operation.Call, in *describeVPCsInput) (*describeVPCsOutput, error) {
	found, next, err := describe(s, call, vpcs, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *vpcRecord) { v.Tags = s.tagsOf(tx, v.VPCID) })
	return &describeVPCsOutput{found, next}, err
}

type createVPCInput struct {
	CIDRBlock      string             `ec2:"CidrBlock,required"`
	IPv6           bool               `ec2:"AmazonProvidedIpv6CidrBlock"`
	BorderGroup    string             `ec2:"Ipv6CidrBlockNetworkBorderGroup"`
	Tenancy        string             `ec2:"InstanceTenancy"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createVPCOutput struct {
	VPC vpcRecord `xml:"vpc"`
}

func (s *Service) createVPC(call *operation.Call, in *createVPCInput) (*createVPCOutput, error) {
	block, err := parseBlock(in.CIDRBlock, "InvalidVpc.Range")
	if err != nil {
		return nil, err
	}
	tenancy, err := tenancyOf(in.Tenancy)
	if err != nil {
		return nil, err
	}
	if err := s.checkBorderGroup(in.BorderGroup); err != nil {
		return nil, err
	}
	given, err := newTags(in.Specifications, "vpc")
	if err != nil {
		return nil, err
	}
	out := &createVPCOutput{s.newVPC(newID("vpc"), block.String(), newID("vpc-cidr-assoc"))}
	out.VPC.Tags, out.VPC.InstanceTenancy = given, tenancy
	if in.IPv6 {
		out.VPC.CIDRs6 = list[cidr6Association]{s.newCIDR6(newID("vpc-cidr-assoc"), newIPv6Block())}
	}
	return change(s, call, out, func(tx *state.Txn) error {
		vpcs.put(s, tx, out.VPC)
		tags.Put(tx, out.VPC.VPCID, given)
		return nil
	})
}

// parseBlock reads an IPv4 range of /16 to /28, as VPCs and subnets have them. Host bits are cut off, as EC2 does.
func parseBlock(text, rangeCode string) (netip.Prefix, error) {
	block, err := netip.ParsePrefix(text)
	if err != nil || !block.Addr().Is4() {
		return block, refuse("InvalidParameterValue", "Value (%s) for parameter cidrBlock is invalid. This is not a "+
			"valid CIDR block.", clip(text))
	}
	if block.Bits() < 16 || block.Bits() > 28 {
		return block, refuse(rangeCode, "The CIDR '%s' is invalid.", text)
	}
	return block.Masked(), nil
}

type deleteVPCInput struct {
	VPCID string `ec2:"VpcId,required"`
}

func (s *Service) deleteVPC(call *operation.Call, in *deleteVPCInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		if _, err := vpcs.get(s, tx, in.VPCID); err != nil {
			return err
		}
		if err := vpcs.delete(s, tx, in.VPCID); err != nil {
			return err
		}
		var left []string
		for _, v := range subnets.all(s, tx) {
			if v.VPCID == in.VPCID {
				left = append(left, v.SubnetID)
			}
		}
		for _, v := range groups.all(s, tx) {
			if v.VPCID == in.VPCID && !v.isDefault() {
				left = append(left, v.GroupID)
			}
		}
		for _, v := range routeTables.all(s, tx) {
			if v.VPCID == in.VPCID && !routeTables.isComputed(s, tx, v.RouteTableID) {
				left = append(left, v.RouteTableID)
			}
		}
		for _, v := range networkACLs.all(s, tx) {
			if v.VPCID == in.VPCID && !v.Default {
				left = append(left, v.ACLID)
			}
		}
		for _, v := range egressGateways.all(s, tx) {
			if v.Attachments[0].VPCID == in.VPCID {
				left = append(left, v.GatewayID)
			}
		}
		for _, v := range internetGateways.all(s, tx) {
			if v.in(in.VPCID) {
				left = append(left, v.GatewayID)
			}
		}
		left = append(left, s.endpointUsers(tx, in.VPCID)...)
		if len(left) > 0 {
			return depended(call, "vpc", in.VPCID, left...)
		}
		return nil
	})
}

type describeVPCAttributeInput struct {
	VPCID     string `ec2:"VpcId,required"`
	Attribute string `ec2:"Attribute,required"`
}

type boolean struct {
	Value bool `ec2:"Value,required" xml:"value"`
}

type vpcAttributes struct {
	VPCID        string   `xml:"vpcId"`
	DNSSupport   *boolean `xml:"enableDnsSupport"`
	DNSHostnames *boolean `xml:"enableDnsHostnames"`
	Metrics      *boolean `xml:"enableNetworkAddressUsageMetrics"`
}

func (s *Service) describeVPCAttribute(call *operation.Call, in *describeVPCAttributeInput) (*vpcAttributes, error) {
	out := &vpcAttributes{VPCID: in.VPCID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "enableDnsSupport":
			out.DNSSupport = &boolean{v.DNSSupport}
		case "enableDnsHostnames":
			out.DNSHostnames = &boolean{v.DNSHostnames}
		case "enableNetworkAddressUsageMetrics":
			out.Metrics = &boolean{v.AddressMetrics}
		default:
			return refuse("InvalidParameterValue", "Attribute must be enableDnsSupport, enableDnsHostnames or "+
				"enableNetworkAddressUsageMetrics.")
		}
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

// toggle is an attribute that a call may set.
type toggle struct {
	to   *boolean // nil: the call does not
	into *bool
}

// setGiven sets those attributes that the call gives, and says how many these are.
func setGiven(toggles ...toggle) (given int) {
	for _, attribute := range toggles {
		if attribute.to != nil {
			*attribute.into = attribute.to.Value
			given++
		}
	}
	return given
}

type modifyVPCAttributeInput struct {
	VPCID        string   `ec2:"VpcId,required"`
	DNSSupport   *boolean `ec2:"EnableDnsSupport"`
	DNSHostnames *boolean `ec2:"EnableDnsHostnames"`
	Metrics      *boolean `ec2:"EnableNetworkAddressUsageMetrics"`
}

func (s *Service) modifyVPCAttribute(call *operation.Call, in *modifyVPCAttributeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		if setGiven(toggle{in.DNSSupport, &v.DNSSupport}, toggle{in.DNSHostnames, &v.DNSHostnames},
			toggle{in.Metrics, &v.AddressMetrics}) != 1 {
			return refuse("InvalidParameterCombination", "Give exactly one attribute to modify.")
		}
		vpcs.put(s, tx, v)
		return nil
	})
}
