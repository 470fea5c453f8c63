package ec2

import (
	"tripod/awsapi/wire"
	"tripod/region"
)

// networkACL is a network ACL as EC2 shows it. Each VPC has the one that it begins with, which lets everything through.
type networkACL struct {
	ACLID        string               `xml:"networkAclId"`
	VPCID        string               `xml:"vpcId"`
	OwnerID      string               `xml:"ownerId"`
	Default      bool                 `xml:"default"`
	Entries      list[aclEntry]       `xml:"entrySet"`
	Associations list[aclAssociation] `xml:"associationSet"`
	Tags         list[tag]            `xml:"tagSet"`
}

type aclEntry struct {
	Number    int    `xml:"ruleNumber"`
	Protocol  string `xml:"protocol"`
	Action    string `xml:"ruleAction"`
	Egress    bool   `xml:"egress"`
	CIDRBlock string `xml:"cidrBlock"`
}

type aclAssociation struct {
	AssociationID string `xml:"networkAclAssociationId"`
	ACLID         string `xml:"networkAclId"`
	SubnetID      string `xml:"subnetId"`
}

// lastEntry is the number of the entry at the end of every ACL, that refuses the rest: the API's number for what consoles show as *.
const lastEntry = 32767

var networkACLs = &kind[networkACL]{
	prefix: "acl", noun: "networkAcl ID", code: "InvalidNetworkAclID",
	id:       func(v networkACL) string { return v.ACLID },
	computed: func(s *Service, tx *region.Txn) []networkACL { return s.defaultACLs(tx) },
	filters: filters[networkACL]{
		"network-acl-id": one(func(v networkACL) string { return v.ACLID }), "vpc-id": one(func(v networkACL) string { return v.VPCID }),
		"owner-id": one(func(v networkACL) string { return v.OwnerID }), "default": one(func(v networkACL) string { return flag(v.Default) }),
		"association.subnet-id": func(v networkACL) []string {
			return each(v.Associations, func(a aclAssociation) string { return a.SubnetID })
		},
	},
}

func (s *Service) defaultACLs(tx *region.Txn) []networkACL {
	var all []networkACL
	for _, v := range vpcs.all(s, tx) {
		acl := networkACL{ACLID: id("acl", v.VPCID), VPCID: v.VPCID, OwnerID: v.OwnerID, Default: true}
		for _, egress := range []bool{false, true} {
			acl.Entries = append(acl.Entries, aclEntry{100, "-1", "allow", egress, "0.0.0.0/0"}, aclEntry{lastEntry, "-1", "deny", egress, "0.0.0.0/0"})
		}
		for _, in := range subnets.all(s, tx) {
			if in.VPCID == v.VPCID {
				acl.Associations = append(acl.Associations, aclAssociation{id("aclassoc", in.SubnetID), acl.ACLID, in.SubnetID})
			}
		}
		all = append(all, acl)
	}
	return all
}

type describeACLsInput struct {
	IDs        []string `ec2:"NetworkAclId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeACLsOutput struct {
	ACLs      list[networkACL] `xml:"networkAclSet"`
	NextToken string           `xml:"nextToken,omitempty"`
}

func (s *Service) describeACLs(call *wire.Call, in *describeACLsInput) (*describeACLsOutput, error) {
	found, next, err := describe(s, call, networkACLs, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *region.Txn, v *networkACL) { v.Tags = s.tagsOf(tx, v.ACLID) })
	return &describeACLsOutput{found, next}, err
}
