package ec2

import (
	"net/netip"

	"tripod/state"
)

// What Fault Injection Service's aws:network:disrupt-connectivity denies of a subnet's traffic. What stays within the subnet passes, as no
// network ACL is asked about it.
const (
	DisruptAll   = "all"
	DisruptZones = "availability-zone" // to and from the VPC's subnets in other zones
	DisruptVPC   = "vpc"               // to and from what is not of the VPC
)

// DisruptedTag marks the network ACLs that Disrupt makes, as FIS does.
const DisruptedTag = "managedByFIS"

// Subnet is a subnet as other services know it.
type Subnet struct{ ID, ARN, VPCID, CIDR, Zone, ZoneID string }

// Subnets are all subnets.
func (s *Service) Subnets(tx *state.Txn) (all []Subnet) {
	for _, v := range subnets.all(s, tx) {
		all = append(all, Subnet{v.SubnetID, v.ARN, v.VPCID, v.CIDRBlock, v.Zone, v.ZoneID})
	}
	return all
}

// Disrupt gives a subnet a copy of its network ACL that denies the traffic of a scope, and says which one it makes and which one the subnet
// had. Restore takes that back.
func (s *Service) Disrupt(tx *state.Txn, subnetID, scope string) (made, before string, err error) {
	v, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return "", "", err
	}
	acl, err := networkACLs.get(s, tx, aclOf(tx, v).ACLID)
	if err != nil {
		return "", "", err
	}
	if s.TagsOf(tx, acl.ACLID)[DisruptedTag] != "" {
		return "", "", refuse("DependencyViolation", "The connectivity of subnet %s is disrupted already, by network ACL %s.", subnetID,
			acl.ACLID)
	}
	clone := networkACL{ACLID: newID("acl"), VPCID: acl.VPCID, OwnerID: acl.OwnerID}
	var entries []aclEntry
	for _, egress := range []bool{true, false} {
		own := s.disrupted(tx, v, acl, scope, egress)
		if len(own) > maxACLEntries {
			return "", "", refuse("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached: %d.", maxACLEntries)
		}
		for i := range own {
			own[i].Number = i + 1
		}
		entries = append(append(entries, own...), lastACLEntry(egress))
	}
	clone = clone.with(entries)
	networkACLs.put(s, tx, clone)
	s.SetTags(tx, clone.ACLID, map[string]string{DisruptedTag: "true"})
	aclAssociations.Put(tx, subnetID, aclAssociation{newID("aclassoc"), clone.ACLID, subnetID})
	return clone.ACLID, acl.ACLID, nil
}

// Restore gives a subnet the network ACL back that it had before Disrupt, and deletes the one that was made. A subnet that somebody has
// given another one meanwhile keeps that; one whose own was deleted gets its VPC's default one.
func (s *Service) Restore(tx *state.Txn, subnetID, made, before string) error {
	if v, err := subnets.get(s, tx, subnetID); err == nil && aclOf(tx, v).ACLID == made {
		if _, err := networkACLs.get(s, tx, before); err != nil {
			before = defaultACLID(v.VPCID)
		}
		aclAssociations.Put(tx, subnetID, aclAssociation{newID("aclassoc"), before, subnetID})
	}
	acl, err := networkACLs.get(s, tx, made)
	if err != nil || len(s.shownACL(tx, acl).Associations) > 0 {
		return nil // it is gone, or somebody has come to use it
	}
	return networkACLs.delete(s, tx, made)
}

// disrupted are the entries of one direction of an ACL's copy.
func (s *Service) disrupted(tx *state.Txn, of subnet, acl networkACL, scope string, egress bool) (entries []aclEntry) {
	deny := func(blocks ...netip.Prefix) {
		for _, block := range blocks {
			entries = append(entries, aclEntry{Protocol: "-1", Action: "deny", Egress: egress}.about(block))
		}
	}
	var own []aclEntry
	for _, e := range acl.Entries {
		if e.Egress == egress && e.Number != lastEntry {
			own = append(own, e)
		}
	}
	switch scope {
	case DisruptAll:
		deny(netip.MustParsePrefix(anywhere), netip.MustParsePrefix("::/0"))
		return entries
	case DisruptZones:
		for _, other := range subnets.all(s, tx) {
			if other.VPCID == of.VPCID && other.Zone != of.Zone {
				deny(other.blocks()...)
			}
		}
		return append(entries, own...)
	}
	v, err := vpcs.get(s, tx, of.VPCID)
	if err != nil {
		return nil // it has the subnet
	}
	for _, e := range own {
		for _, block := range v.blocks() {
			if part, overlaps := e.within(block); overlaps {
				entries = append(entries, part)
			}
		}
	}
	return entries
}

// blocks are the addresses of a VPC.
func (v vpcRecord) blocks() []netip.Prefix {
	var texts []string
	for _, four := range v.CIDRs {
		texts = append(texts, four.CIDRBlock)
	}
	for _, six := range v.CIDRs6 {
		texts = append(texts, six.CIDRBlock)
	}
	return prefixes(texts)
}

func prefixes(texts []string) (all []netip.Prefix) {
	for _, text := range texts {
		if block, err := netip.ParsePrefix(text); err == nil {
			all = append(all, block)
		}
	}
	return all
}

// about is the entry for a block.
func (e aclEntry) about(block netip.Prefix) aclEntry {
	e.CIDRBlock, e.CIDRBlock6 = "", ""
	if block.Addr().Is4() {
		e.CIDRBlock = block.String()
	} else {
		e.CIDRBlock6 = block.String()
	}
	return e
}

// within is what an entry says of a block; false: nothing.
func (e aclEntry) within(block netip.Prefix) (aclEntry, bool) {
	for _, own := range prefixes([]string{e.CIDRBlock, e.CIDRBlock6}) {
		switch {
		case !own.Overlaps(block):
		case own.Bits() > block.Bits():
			return e, true
		default:
			return e.about(block), true
		}
	}
	return e, false
}
