package ec2

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"tripod/awsapi/operation"
	"tripod/state"
)

// maxACLEntries is how many entries an ACL has in each direction: AWS's default quota.
const maxACLEntries = 20

type aclEntryInput struct {
	ACLID      string    `ec2:"NetworkAclId,required"`
	Number     int       `ec2:"RuleNumber,required"`
	Protocol   string    `ec2:"Protocol,required"`
	Action     string    `ec2:"RuleAction,required"`
	Egress     bool      `ec2:"Egress,required"`
	CIDRBlock  string    `ec2:"CidrBlock"`
	CIDRBlock6 string    `ec2:"Ipv6CidrBlock"`
	ICMP       *icmpType `ec2:"Icmp"`
	Ports      *aclPorts `ec2:"PortRange"`
}

// aclProtocols are the numbers of the protocols that may be given by name.
var aclProtocols = map[string]string{"all": "-1", "icmp": "1", "tcp": "6", "udp": "17", "icmpv6": "58"}

// entry is the entry that the call describes.
func (in *aclEntryInput) entry() (aclEntry, error) {
	e := aclEntry{Number: in.Number, Protocol: cmp.Or(aclProtocols[strings.ToLower(in.Protocol)], in.Protocol),
		Action: strings.ToLower(in.Action), Egress: in.Egress}
	number, err := strconv.Atoi(e.Protocol)
	var block string
	switch {
	case in.Number < 1 || in.Number >= lastEntry:
		return e, refuse("InvalidParameterValue",
			"Value (%d) for parameter ruleNumber is invalid. Rule number must be between 1 and 32766.", in.Number)
	case err != nil || number < -1 || number > 255:
		return e, refuse("InvalidParameterValue", "Invalid value '%s' for protocol. Must be a protocol number.",
			clip(in.Protocol))
	case e.Action != "allow" && e.Action != "deny":
		return e, refuse("InvalidParameterValue", "Value (%s) for parameter ruleAction is invalid. Must be allow or deny.",
			clip(in.Action))
	case (in.CIDRBlock == "") == (in.CIDRBlock6 == ""):
		return e, refuse("InvalidParameterCombination", "Give exactly one of CidrBlock and Ipv6CidrBlock.")
	case in.CIDRBlock != "":
		if block, err = ruleBlock(in.CIDRBlock, isIPv4); err != nil {
			return e, err
		}
		e.CIDRBlock = block
	default:
		if block, err = ruleBlock(in.CIDRBlock6, isIPv6); err != nil {
			return e, err
		}
		e.CIDRBlock6 = block
	}
	return e, e.take(in)
}

// take gives the entry the ports or ICMP type of the call, which some protocols need; others have none.
func (e *aclEntry) take(in *aclEntryInput) error {
	switch e.Protocol {
	case "6", "17":
		if in.Ports == nil || in.Ports.From == nil || in.Ports.To == nil {
			return refuse("MissingParameter", "The request must contain the parameter PortRange.")
		}
		if *in.Ports.From < 0 || *in.Ports.To > 65535 || *in.Ports.From > *in.Ports.To {
			return refuse("InvalidParameterValue", "Invalid ports %d to %d: they must be between 0 and 65535, the lower "+
				"one first.",
				*in.Ports.From, *in.Ports.To)
		}
		e.Ports = in.Ports
	case "1", "58":
		if in.ICMP == nil || in.ICMP.Type == nil || in.ICMP.Code == nil {
			return refuse("MissingParameter", "The request must contain the parameter Icmp.Type and Icmp.Code.")
		}
		e.ICMP = in.ICMP
	}
	return nil
}

// at is the place of the ACL's entry with that number and direction, or -1.
func (acl networkACL) at(number int, egress bool) int {
	return slices.IndexFunc(acl.Entries, func(e aclEntry) bool { return e.Number == number && e.Egress == egress })
}

// with is the ACL with changed entries, in their order.
func (acl networkACL) with(entries []aclEntry) networkACL {
	slices.SortStableFunc(entries, func(a, b aclEntry) int {
		if a.Egress != b.Egress { // as EC2 lists them, those outwards first
			if a.Egress {
				return -1
			}
			return 1
		}
		return a.Number - b.Number
	})
	acl.Entries = entries
	return acl
}

func (s *Service) createACLEntry(call *operation.Call, in *aclEntryInput) (*done, error) {
	e, err := in.entry()
	if err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		acl, err := networkACLs.get(s, tx, in.ACLID)
		if err != nil {
			return err
		}
		if acl.at(e.Number, e.Egress) >= 0 {
			return refuse("NetworkAclEntryAlreadyExists", "The network acl entry identified by %d already exists.", e.Number)
		}
		inDirection := 0
		for _, other := range acl.Entries {
			if other.Egress == e.Egress && other.Number != lastEntry {
				inDirection++
			}
		}
		if inDirection >= maxACLEntries {
			return refuse("NetworkAclEntryLimitExceeded", "The maximum number of network acl entries has been reached: %d.",
				maxACLEntries)
		}
		networkACLs.put(s, tx, acl.with(append(slices.Clone(acl.Entries), e)))
		return nil
	})
}

func (s *Service) replaceACLEntry(call *operation.Call, in *aclEntryInput) (*done, error) {
	e, err := in.entry()
	if err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		acl, at, err := s.aclEntry(tx, in.ACLID, e.Number, e.Egress)
		if err != nil {
			return err
		}
		entries := slices.Clone(acl.Entries)
		entries[at] = e
		networkACLs.put(s, tx, acl.with(entries))
		return nil
	})
}

// aclEntry is an ACL, and the place in it of an entry that may be changed: not the last.
func (s *Service) aclEntry(tx *state.Txn, aclID string, number int, egress bool) (networkACL, int, error) {
	acl, err := networkACLs.get(s, tx, aclID)
	if err != nil {
		return acl, -1, err
	}
	at := acl.at(number, egress)
	if at < 0 || number == lastEntry {
		direction := "ingress"
		if egress {
			direction = "egress"
		}
		return acl, -1, refuse("InvalidNetworkAclEntry.NotFound",
			"The specified %s network ACL entry with rule number %d does not exist in network ACL %s.", direction, number, aclID)
	}
	return acl, at, nil
}

type deleteACLEntryInput struct {
	ACLID  string `ec2:"NetworkAclId,required"`
	Number int    `ec2:"RuleNumber,required"`
	Egress bool   `ec2:"Egress,required"`
}

func (s *Service) deleteACLEntry(call *operation.Call, in *deleteACLEntryInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		acl, at, err := s.aclEntry(tx, in.ACLID, in.Number, in.Egress)
		if err != nil {
			return err
		}
		networkACLs.put(s, tx, acl.with(slices.Delete(slices.Clone(acl.Entries), at, at+1)))
		return nil
	})
}
