package ec2

import (
	"net/netip"
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/state"
)

// natGateway is a NAT gateway as stored and as EC2 shows it. It is recorded only: containers reach the machine's
// network without one.
type natGateway struct {
	GatewayID    string           `xml:"natGatewayId"`
	SubnetID     string           `xml:"subnetId"`
	VPCID        string           `xml:"vpcId"`
	State        string           `xml:"state"`
	Created      string           `xml:"createTime"`
	Connectivity string           `xml:"connectivityType"`
	Availability string           `xml:"availabilityMode" json:"-"`
	Addresses    list[natAddress] `xml:"natGatewayAddressSet"`
	Tags         list[tag]        `xml:"tagSet" json:"-"`

	Token string `xml:"-"` // the call's ClientToken
}

type natAddress struct {
	AllocationID  string `xml:"allocationId,omitempty"`
	AssociationID string `xml:"associationId,omitempty"`
	InterfaceID   string `xml:"networkInterfaceId" json:"-"`
	PrivateIP     string `xml:"privateIp"`
	PublicIP      string `xml:"publicIp,omitempty"`
	Primary       bool   `xml:"isPrimary"`
	Status        string `xml:"status"`
}

var natGateways = &kind[natGateway]{
	table: state.NewTable[entry[natGateway]]("ec2-nat-gateway"), prefix: "nat", noun: "NAT gateway",
	code: "InvalidNatGatewayID", missing: "NatGatewayNotFound",
	misnamed: "NatGatewayMalformed", absent: "The Nat Gateway %s was not found",
	id:       func(v natGateway) string { return v.GatewayID },
	computed: func(s *Service, _ *state.Txn) []natGateway { return []natGateway{s.defaultNATGateway()} },
}

// defaultNATGateway is in the first zone's public subnet; the private subnets' routes go to it.
func (s *Service) defaultNATGateway() natGateway {
	home := s.newSubnet(s.VPC.PublicSubnetIDs()[0], s.VPC.ID(), publicCIDR(0), 0)
	ip := s.newAddress(id("eipalloc", s.VPC.ID()), publicIPs.Addr().Next())
	return newNATGateway(s.defaultNATGatewayID(), home, natHost(netip.MustParsePrefix(home.CIDRBlock)), &ip,
		time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
}

func (s *Service) defaultNATGatewayID() string { return id("nat", s.VPC.ID()) }

// newNATGateway is one in a subnet with a private address there, public with an Elastic IP address and private without.
func newNATGateway(gatewayID string, home subnet, at netip.Addr, ip *elasticIP, created time.Time) natGateway {
	private := natAddress{PrivateIP: at.String(), Primary: true, Status: "succeeded"}
	g := natGateway{GatewayID: gatewayID, SubnetID: home.SubnetID, VPCID: home.VPCID, State: "available",
		Created: timestamp(created), Connectivity: "private"}
	if ip != nil {
		g.Connectivity = "public"
		private.AllocationID, private.PublicIP, private.AssociationID = ip.AllocationID, ip.PublicIP,
			id("eipassoc", gatewayID)
	}
	g.Addresses = list[natAddress]{private}
	return g
}

// shownNATGateway is the gateway with what is not stored.
func (s *Service) shownNATGateway(tx *state.Txn, g natGateway) natGateway {
	g.Availability, g.Tags, g.Addresses = "zonal", s.tagsOf(tx, g.GatewayID), slices.Clone(g.Addresses)
	g.Addresses[0].InterfaceID = g.interfaceID()
	return g
}

// interfaceID is that of the interface in its subnet, by which a gateway has its addresses.
func (g natGateway) interfaceID() string { return id("eni", g.GatewayID) }

// natOffset is where a gateway's own address is in its subnet, as long as nobody has that: the first that AWS does not keep
// for itself.
const natOffset = 4

func natHost(block netip.Prefix) netip.Addr { return hostAt(block, natOffset) }

type describeNATGatewaysInput struct {
	IDs        []string `ec2:"NatGatewayId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeNATGatewaysOutput struct {
	Gateways  list[natGateway] `xml:"natGatewaySet"`
	NextToken string           `xml:"nextToken,omitempty"`
}

func (s *Service) describeNATGateways(call *operation.Call, in *describeNATGatewaysInput) (*describeNATGatewaysOutput,
	error) {
	found, next, err := describe(s, call, natGateways, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *natGateway) { *v = s.shownNATGateway(tx, *v) })
	return &describeNATGatewaysOutput{found, next}, err
}

type createNATGatewayInput struct {
	SubnetID       string             `ec2:"SubnetId,required"`
	AllocationID   string             `ec2:"AllocationId"`
	Connectivity   string             `ec2:"ConnectivityType"`
	Token          string             `ec2:"ClientToken"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createNATGatewayOutput struct {
	Gateway natGateway `xml:"natGateway"`
	Token   string     `xml:"clientToken,omitempty"`
}

func (s *Service) createNATGateway(call *operation.Call, in *createNATGatewayInput) (*createNATGatewayOutput, error) {
	switch {
	case in.Connectivity != "" && in.Connectivity != "public" && in.Connectivity != "private":
		return nil, refuse("InvalidParameterValue", "ConnectivityType must be public or private.")
	case in.Connectivity == "private" && in.AllocationID != "":
		return nil, refuse("InvalidParameterCombination", "A private NAT gateway has no AllocationId.")
	case in.Connectivity != "private" && in.AllocationID == "":
		return nil, refuse("MissingParameter", "The request must contain the parameter AllocationId: a public NAT "+
			"gateway needs an Elastic IP address.")
	case len(in.Token) > 64:
		return nil, refuse("InvalidParameterValue", "ClientToken must be at most 64 characters.")
	}
	given, err := newTags(in.Specifications, "natgateway")
	if err != nil {
		return nil, err
	}
	gatewayID, created, out := newID("nat"), s.now(), &createNATGatewayOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, earlier := range natGateways.all(s, tx) {
			if in.Token != "" && earlier.Token == in.Token {
				if earlier.SubnetID != in.SubnetID || earlier.Addresses[0].AllocationID != in.AllocationID {
					return refuse("IdempotentParameterMismatch", "The ClientToken was used before, with other parameters.")
				}
				out.Gateway = s.shownNATGateway(tx, earlier)
				return nil
			}
		}
		home, err := subnets.get(s, tx, in.SubnetID)
		switch {
		case err != nil:
			return err
		case home.IPv6Native:
			return refuse("InvalidParameterValue", "The subnet %s is IPv6-only: a NAT gateway needs an IPv4 address.",
				home.SubnetID)
		}
		var ip *elasticIP
		if in.AllocationID != "" {
			v, err := addresses.get(s, tx, in.AllocationID)
			if err != nil {
				return err
			}
			if holder, used := s.associationOf(tx, v.AllocationID); used {
				call.Note(holder.InterfaceID + " has " + v.PublicIP)
				return refuse("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", v.AllocationID)
			}
			ip = &v
		}
		at, err := s.ServiceAddress(tx, home.SubnetID, natHost)
		if err != nil {
			return err
		}
		g := newNATGateway(gatewayID, home, at, ip, created)
		g.Token = in.Token
		natGateways.put(s, tx, g)
		tags.Put(tx, gatewayID, given)
		out.Gateway = s.shownNATGateway(tx, g)
		return nil
	})
}

type deleteNATGatewayInput struct {
	GatewayID string `ec2:"NatGatewayId,required"`
}

type deleteNATGatewayOutput struct {
	GatewayID string `xml:"natGatewayId"`
}

// deleteNATGateway removes the record at once; AWS shows it as deleted for an hour.
func (s *Service) deleteNATGateway(call *operation.Call, in *deleteNATGatewayInput) (*deleteNATGatewayOutput, error) {
	return change(s, call, &deleteNATGatewayOutput{in.GatewayID}, func(tx *state.Txn) error {
		if _, err := natGateways.get(s, tx, in.GatewayID); err != nil {
			return err
		}
		return natGateways.delete(s, tx, in.GatewayID)
	})
}
