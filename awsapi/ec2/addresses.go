package ec2

import (
	"net/netip"
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// elasticIP is an Elastic IP address as stored and as EC2 shows it. It is recorded only: nothing is reached under it.
type elasticIP struct {
	AllocationID   string    `xml:"allocationId"`
	PublicIP       string    `xml:"publicIp"`
	Domain         string    `xml:"domain"`
	Pool           string    `xml:"publicIpv4Pool"`
	BorderGroup    string    `xml:"networkBorderGroup"`
	InstanceID     string    `xml:"instanceId,omitempty" json:"-"`
	AssociationID  string    `xml:"associationId,omitempty" json:"-"`
	PrivateIP      string    `xml:"privateIpAddress,omitempty" json:"-"`
	InterfaceID    string    `xml:"networkInterfaceId,omitempty" json:"-"`
	InterfaceOwner string    `xml:"networkInterfaceOwnerId,omitempty" json:"-"`
	Tags           list[tag] `xml:"tagSet" json:"-"`
}

// publicIPs is where Elastic IP addresses come from: a range kept for documentation (RFC 5737), which nobody on the
// internet has. The default network's NAT gateway has the first after the network's own.
var publicIPs = netip.MustParsePrefix("203.0.113.0/24")

// maxAddresses is how many addresses calls may allocate: AWS's default quota.
const maxAddresses = 5

var addresses = &kind[elasticIP]{
	table: state.NewTable[entry[elasticIP]]("ec2-address"), prefix: "eipalloc", noun: "allocation ID",
	code: "InvalidAllocationID",
	id:   func(v elasticIP) string { return v.AllocationID },
	computed: func(s *Service, _ *state.Txn) []elasticIP {
		return []elasticIP{s.newAddress(id("eipalloc", s.VPC.ID()), publicIPs.Addr().Next())}
	},
}

func (s *Service) newAddress(allocationID string, ip netip.Addr) elasticIP {
	return elasticIP{AllocationID: allocationID, PublicIP: ip.String(), Domain: "vpc", Pool: "amazon",
		BorderGroup: s.VPC.Region}
}

type describeAddressesInput struct {
	IDs       []string `ec2:"AllocationId"`
	PublicIPs []string `ec2:"PublicIp"`
	Filters   []filter `ec2:"Filter"`
}

type describeAddressesOutput struct {
	Addresses list[elasticIP] `xml:"addressesSet"`
}

func (s *Service) describeAddresses(call *operation.Call, in *describeAddressesInput) (*describeAddressesOutput,
	error) {
	if len(in.PublicIPs) > 0 {
		in.Filters = append(in.Filters, filter{"public-ip", in.PublicIPs})
	}
	found, _, err := describe(s, call, addresses, in.IDs, page{Filters: in.Filters}, func(tx *state.Txn, v *elasticIP) {
		v.Tags = s.tagsOf(tx, v.AllocationID)
		if holder, used := s.associationOf(tx, v.AllocationID); used {
			v.AssociationID, v.PrivateIP = holder.Association.AssociationID, holder.Address
			v.InterfaceID, v.InterfaceOwner, v.InstanceID = holder.InterfaceID, s.VPC.AccountID, holder.Attachment.InstanceID
		}
	})
	if err != nil {
		return nil, err
	}
	for _, ip := range in.PublicIPs {
		if !slices.ContainsFunc(found, func(v elasticIP) bool { return v.PublicIP == ip }) {
			return nil, noAddress(ip)
		}
	}
	return &describeAddressesOutput{found}, nil
}

type allocateAddressInput struct {
	Domain         string             `ec2:"Domain"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// allocateAddressOutput has fewer members than a described address.
type allocateAddressOutput struct {
	AllocationID string `xml:"allocationId"`
	PublicIP     string `xml:"publicIp"`
	Domain       string `xml:"domain"`
	Pool         string `xml:"publicIpv4Pool"`
	BorderGroup  string `xml:"networkBorderGroup"`
}

func (s *Service) allocateAddress(call *operation.Call, in *allocateAddressInput) (*allocateAddressOutput, error) {
	if in.Domain != "" && in.Domain != "vpc" {
		return nil, refuse("InvalidParameterValue", "Domain must be vpc: AWS has no other any more.")
	}
	given, err := newTags(in.Specifications, "elastic-ip")
	if err != nil {
		return nil, err
	}
	allocationID, out := newID("eipalloc"), &allocateAddressOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		used := addresses.all(s, tx)
		if len(used) > maxAddresses { // the default network's does not count
			return refuse("AddressLimitExceeded", "The maximum number of addresses has been reached: %d.", maxAddresses)
		}
		ip := publicIPs.Addr().Next()
		for slices.ContainsFunc(used, func(v elasticIP) bool { return v.PublicIP == ip.String() }) {
			ip = ip.Next()
		}
		v := s.newAddress(allocationID, ip)
		addresses.put(s, tx, v)
		tags.Put(tx, v.AllocationID, given)
		*out = allocateAddressOutput{v.AllocationID, v.PublicIP, v.Domain, v.Pool, v.BorderGroup}
		return nil
	})
}

type releaseAddressInput struct {
	AllocationID string `ec2:"AllocationId,required"`
	BorderGroup  string `ec2:"NetworkBorderGroup"`
}

func (s *Service) releaseAddress(call *operation.Call, in *releaseAddressInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := addresses.get(s, tx, in.AllocationID)
		if err != nil {
			return err
		}
		holder, used := s.associationOf(tx, v.AllocationID)
		if err := addresses.delete(s, tx, v.AllocationID); err != nil {
			return err
		}
		if used {
			call.Note(holder.InterfaceID + " has " + v.PublicIP)
			return refuse("InvalidIPAddress.InUse", "Address %s is in use.", v.PublicIP)
		}
		return nil
	})
}

type describeAddressesAttributeInput struct {
	IDs        []string `ec2:"AllocationId"`
	Attribute  string   `ec2:"Attribute"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeAddressesAttributeOutput struct {
	Addresses list[struct{}] `xml:"addressSet"`
}

// describeAddressesAttribute tells the addresses' domain names: no address has one.
func (s *Service) describeAddressesAttribute(call *operation.Call,
	in *describeAddressesAttributeInput) (*describeAddressesAttributeOutput, error) {
	if in.Attribute != "" && in.Attribute != "domain-name" {
		return nil, refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. It must be "+
			"domain-name.", clip(in.Attribute))
	}
	_, _, err := describe(s, call, addresses, in.IDs, page{MaxResults: in.MaxResults, NextToken: in.NextToken},
		func(*state.Txn, *elasticIP) {})
	return &describeAddressesAttributeOutput{}, err
}
