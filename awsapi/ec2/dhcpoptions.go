package ec2

import (
	"tripod/awsapi/wire"
	"tripod/region"
)

// dhcpOptions are DHCP options as EC2 shows them: the region's one set, which every VPC has.
type dhcpOptions struct {
	OptionsID      string           `xml:"dhcpOptionsId"`
	OwnerID        string           `xml:"ownerId"`
	Configurations list[dhcpOption] `xml:"dhcpConfigurationSet"`
	Tags           list[tag]        `xml:"tagSet"`
}

type dhcpOption struct {
	Key    string          `xml:"key"`
	Values list[dhcpValue] `xml:"valueSet"`
}

type dhcpValue struct {
	Value string `xml:"value"`
}

var dhcpOptionSets = &kind[dhcpOptions]{
	prefix: "dopt", noun: "dhcpOption ID", code: "InvalidDhcpOptionsID",
	id: func(v dhcpOptions) string { return v.OptionsID },
	computed: func(s *Service, _ *region.Txn) []dhcpOptions {
		return []dhcpOptions{{OptionsID: id("dopt", s.VPC.AccountID, s.VPC.Region), OwnerID: s.VPC.AccountID, Configurations: list[dhcpOption]{
			{"domain-name", list[dhcpValue]{{s.VPC.privateDomain()}}}, {"domain-name-servers", list[dhcpValue]{{"AmazonProvidedDNS"}}},
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

func (s *Service) describeDHCPOptions(call *wire.Call, in *describeDHCPOptionsInput) (*describeDHCPOptionsOutput, error) {
	found, next, err := describe(s, call, dhcpOptionSets, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *region.Txn, v *dhcpOptions) { v.Tags = s.tagsOf(tx, v.OptionsID) })
	return &describeDHCPOptionsOutput{found, next}, err
}
