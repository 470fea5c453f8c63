package ec2

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/state"
)

// networkACL is a network ACL as stored and as EC2 shows it. See Paths for what it does. Each VPC
// begins with one that lets everything through.
type networkACL struct {
	ACLID        string               `xml:"networkAclId"`
	VPCID        string               `xml:"vpcId"`
	OwnerID      string               `xml:"ownerId"`
	Default      bool                 `xml:"default"`
	Entries      list[aclEntry]       `xml:"entrySet"`
	Associations list[aclAssociation] `xml:"associationSet" json:"-"`
	Tags         list[tag]            `xml:"tagSet" json:"-"`

	Token string `xml:"-"` // the call's ClientToken
}

type aclEntry struct {
	Number     int       `xml:"ruleNumber"`
	Protocol   string    `xml:"protocol"`
	Action     string    `xml:"ruleAction"`
	Egress     bool      `xml:"egress"`
	CIDRBlock  string    `xml:"cidrBlock,omitempty"`
	CIDRBlock6 string    `xml:"ipv6CidrBlock,omitempty"`
	ICMP       *icmpType `xml:"icmpTypeCode"`
	Ports      *aclPorts `xml:"portRange"`
}

type icmpType struct {
	Type *int `ec2:"Type" xml:"type"`
	Code *int `ec2:"Code" xml:"code"`
}

type aclPorts struct {
	From *int `ec2:"From" xml:"from"`
	To   *int `ec2:"To" xml:"to"`
}

type aclAssociation struct {
	AssociationID string `xml:"networkAclAssociationId"`
	ACLID         string `xml:"networkAclId"`
	SubnetID      string `xml:"subnetId"`
}

// lastEntry is the number of the entry at the end of every ACL, that refuses the rest: the API's number for what
// consoles show as *.
const lastEntry = 32767

var networkACLs = &kind[networkACL]{
	table: state.NewTable[entry[networkACL]]("ec2-network-acl"), prefix: "acl", noun: "networkAcl ID",
	code:     "InvalidNetworkAclID",
	misnamed: "InvalidNetworkAclId.Malformed",
	id:       func(v networkACL) string { return v.ACLID },
	computed: func(s *Service, tx *state.Txn) []networkACL { return s.defaultACLs(tx) },
}

// aclAssociations are the ACLs of subnets that do not have their VPC's default one, by the subnets' ids.
var aclAssociations = state.NewTable[aclAssociation]("ec2-network-acl-association")

func (s *Service) defaultACLs(tx *state.Txn) []networkACL {
	var all []networkACL
	for _, v := range vpcs.all(s, tx) {
		acl := networkACL{ACLID: defaultACLID(v.VPCID), VPCID: v.VPCID, OwnerID: v.OwnerID, Default: true}
		for _, egress := range []bool{false, true} {
			acl.Entries = append(acl.Entries,
				aclEntry{Number: 100, Protocol: "-1", Action: "allow", Egress: egress, CIDRBlock: anywhere},
				lastACLEntry(egress))
		}
		all = append(all, acl)
	}
	return all
}

// anywhere are all IPv4 addresses.
const anywhere = "0.0.0.0/0"

func defaultACLID(vpcID string) string { return id("acl", vpcID) }

func lastACLEntry(egress bool) aclEntry {
	return aclEntry{Number: lastEntry, Protocol: "-1", Action: "deny", Egress: egress, CIDRBlock: anywhere}
}

// aclOf is the association of a subnet: with the ACL that a call gave it, or its VPC's default one.
func aclOf(tx *state.Txn, v subnet) aclAssociation {
	if a, found := aclAssociations.Get(tx, v.SubnetID); found {
		return a
	}
	return aclAssociation{id("aclassoc", v.SubnetID), defaultACLID(v.VPCID), v.SubnetID}
}

// shownACL is the ACL with what is not stored.
func (s *Service) shownACL(tx *state.Txn, acl networkACL) networkACL {
	acl.Tags, acl.Associations = s.tagsOf(tx, acl.ACLID), nil
	for _, v := range subnets.all(s, tx) {
		if a := aclOf(tx, v); a.ACLID == acl.ACLID {
			acl.Associations = append(acl.Associations, a)
		}
	}
	return acl
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

func (s *Service) describeACLs(call *operation.Call, in *describeACLsInput) (*describeACLsOutput, error) {
	found, next, err := describe(s, call, networkACLs, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *networkACL) { *v = s.shownACL(tx, *v) })
	return &describeACLsOutput{found, next}, err
}

type createACLInput struct {
	VPCID          string             `ec2:"VpcId,required"`
	Token          string             `ec2:"ClientToken"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

type createACLOutput struct {
	ACL   networkACL `xml:"networkAcl"`
	Token string     `xml:"clientToken,omitempty"`
}

// createACL makes an ACL that refuses everything until it has entries.
func (s *Service) createACL(call *operation.Call, in *createACLInput) (*createACLOutput, error) {
	given, err := newTags(in.Specifications, "network-acl")
	if err != nil {
		return nil, err
	}
	if len(in.Token) > 64 {
		return nil, refuse("InvalidParameterValue", "ClientToken must be at most 64 characters.")
	}
	aclID, out := newID("acl"), &createACLOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		for _, earlier := range networkACLs.all(s, tx) {
			if in.Token != "" && earlier.Token == in.Token {
				if earlier.VPCID != in.VPCID {
					return refuse("IdempotentParameterMismatch", "The ClientToken was used before, with another VpcId.")
				}
				out.ACL = s.shownACL(tx, earlier)
				return nil
			}
		}
		v, err := vpcs.get(s, tx, in.VPCID)
		if err != nil {
			return err
		}
		acl := networkACL{ACLID: aclID, VPCID: v.VPCID, OwnerID: v.OwnerID, Entries: list[aclEntry]{lastACLEntry(false),
			lastACLEntry(true)}, Token: in.Token}
		networkACLs.put(s, tx, acl)
		tags.Put(tx, aclID, given)
		out.ACL = s.shownACL(tx, acl)
		return nil
	})
}

type deleteACLInput struct {
	ACLID string `ec2:"NetworkAclId,required"`
}

func (s *Service) deleteACL(call *operation.Call, in *deleteACLInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		acl, err := networkACLs.get(s, tx, in.ACLID)
		switch {
		case err != nil:
			return err
		case acl.Default:
			return refuse("InvalidParameterValue", "cannot delete default network ACL %s", acl.ACLID)
		case len(s.shownACL(tx, acl).Associations) > 0:
			return depended(call, "networkAcl", acl.ACLID)
		}
		return networkACLs.delete(s, tx, acl.ACLID)
	})
}

type replaceACLAssociationInput struct {
	AssociationID string `ec2:"AssociationId,required"`
	ACLID         string `ec2:"NetworkAclId,required"`
}

type replaceACLAssociationOutput struct {
	AssociationID string `xml:"newAssociationId"`
}

// replaceACLAssociation gives the subnet of an association another ACL; the association gets a new id.
func (s *Service) replaceACLAssociation(call *operation.Call,
	in *replaceACLAssociationInput) (*replaceACLAssociationOutput, error) {
	newAssociation := newID("aclassoc")
	return change(s, call, &replaceACLAssociationOutput{newAssociation}, func(tx *state.Txn) error {
		acl, err := networkACLs.get(s, tx, in.ACLID)
		if err != nil {
			return err
		}
		all := subnets.all(s, tx)
		at := slices.IndexFunc(all, func(v subnet) bool { return aclOf(tx, v).AssociationID == in.AssociationID })
		switch {
		case at < 0:
			return refuse("InvalidAssociationID.NotFound", "The association ID '%s' does not exist", clip(in.AssociationID))
		case all[at].VPCID != acl.VPCID:
			return refuse("InvalidParameterValue", "Network ACL %s and subnet %s belong to different networks", acl.ACLID,
				all[at].SubnetID)
		}
		aclAssociations.Put(tx, all[at].SubnetID, aclAssociation{newAssociation, acl.ACLID, all[at].SubnetID})
		return nil
	})
}
