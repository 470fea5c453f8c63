package ec2

import (
	"slices"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// dhcpOptions are a set of DHCP options as stored and as EC2 shows it. It is recorded only: nothing here asks for an
// address by DHCP. The region has one set, which every VPC begins with.
type dhcpOptions struct {
	OptionsID      string           `xml:"dhcpOptionsId"`
	OwnerID        string           `xml:"ownerId"`
	Configurations list[dhcpOption] `xml:"dhcpConfigurationSet"`
	Tags           list[tag]        `xml:"tagSet" json:"-"`
}

type dhcpOption struct {
	Key    string          `xml:"key"`
	Values list[dhcpValue] `xml:"valueSet"`
}

type dhcpValue struct {
	Value string `xml:"value"`
}

var dhcpOptionSets = &kind[dhcpOptions]{
	table: state.NewTable[entry[dhcpOptions]]("ec2-dhcp-options"), prefix: "dopt", noun: "dhcpOption ID",
	code:    "InvalidDhcpOptionsId",
	missing: "InvalidDhcpOptionID.NotFound",
	id:      func(v dhcpOptions) string { return v.OptionsID },
	computed: func(s *Service, _ *state.Txn) []dhcpOptions {
		return []dhcpOptions{{OptionsID: id("dopt", s.VPC.AccountID, s.VPC.Region), OwnerID: s.VPC.AccountID,
			Configurations: list[dhcpOption]{
				{"domain-name", list[dhcpValue]{{s.VPC.privateDomain()}}},
				{"domain-name-servers", list[dhcpValue]{{"AmazonProvidedDNS"}}},
			}}}
	},
}

// privateDomain ends the private names of the region's addresses; the first region's has no region in it.
func (v VPC) privateDomain() string {
	if v.Region == "us-east-1" {
		return "ec2.internal"
	}
	return v.Region + ".compute.internal"
}

type describeDHCPOptionsInput struct {
	IDs        []string `ec2:"DhcpOptionsId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeDHCPOptionsOutput struct {
	Sets      list[dhcpOptions] `xml:"dhcpOptionsSet"`
	NextToken string            `xml:"nextToken,omitempty"`
}

func (s *Service) describeDHCPOptions(call *operation.Call, in *describeDHCPOptionsInput) (*describeDHCPOptionsOutput,
	error) {
	found, next, err := describe(s, call, dhcpOptionSets, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *dhcpOptions) { v.Tags = s.tagsOf(tx, v.OptionsID) })
	return &describeDHCPOptionsOutput{found, next}, err
}

type dhcpOptionInput struct {
	Key    string   `ec2:"Key,required"`
	Values []string `ec2:"Value,required"`
}

type createDHCPOptionsInput struct {
	Configurations []dhcpOptionInput  `ec2:"DhcpConfiguration,required"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createDHCPOptionsOutput struct {
	Set dhcpOptions `xml:"dhcpOptions"`
}

// dhcpKeys are the options that a set may have.
var dhcpKeys = []string{"domain-name-servers", "domain-name", "ntp-servers", "netbios-name-servers",
	"netbios-node-type",
	"ipv6-address-preferred-lease-time"}

func (s *Service) createDHCPOptions(call *operation.Call, in *createDHCPOptionsInput) (*createDHCPOptionsOutput,
	error) {
	given, err := newTags(in.Specifications, "dhcp-options")
	if err != nil {
		return nil, err
	}
	set := dhcpOptions{OptionsID: newID("dopt"), OwnerID: s.VPC.AccountID, Tags: given}
	for _, c := range in.Configurations {
		if !slices.Contains(dhcpKeys, c.Key) {
			return nil, refuse("InvalidParameterValue", "Value (%s) for parameter key is invalid. It must be one of %s.",
				clip(c.Key),
				strings.Join(dhcpKeys, ", "))
		}
		if slices.ContainsFunc(set.Configurations, func(o dhcpOption) bool { return o.Key == c.Key }) {
			return nil, refuse("InvalidParameterValue", "The option %s is given twice.", c.Key)
		}
		option := dhcpOption{Key: c.Key}
		for _, value := range c.Values {
			option.Values = append(option.Values, dhcpValue{value})
		}
		set.Configurations = append(set.Configurations, option)
	}
	return change(s, call, &createDHCPOptionsOutput{set}, func(tx *state.Txn) error {
		dhcpOptionSets.put(s, tx, set)
		tags.Put(tx, set.OptionsID, given)
		return nil
	})
}

type deleteDHCPOptionsInput struct {
	OptionsID string `ec2:"DhcpOptionsId,required"`
}

func (s *Service) deleteDHCPOptions(call *operation.Call, in *deleteDHCPOptionsInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		set, err := dhcpOptionSets.get(s, tx, in.OptionsID)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(vpcs.all(s, tx), func(v vpcRecord) bool { return v.DHCPOptionsID == set.OptionsID }) {
			return depended(call, "dhcpOptions", set.OptionsID)
		}
		return dhcpOptionSets.delete(s, tx, set.OptionsID)
	})
}

type associateDHCPOptionsInput struct {
	OptionsID string `ec2:"DhcpOptionsId,required"`
	VPCID     string `ec2:"VpcId,required"`
}

// noDHCPOptions is how a call and a VPC name no set at all.
const noDHCPOptions = "default"

func (s *Service) associateDHCPOptions(call *operation.Call, in *associateDHCPOptionsInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		if in.OptionsID != noDHCPOptions {
			if _, err := dhcpOptionSets.get(s, tx, in.OptionsID); err != nil {
				return err
			}
		}
		v.DHCPOptionsID = in.OptionsID
		vpcs.put(s, tx, v)
		return nil
	})
}
