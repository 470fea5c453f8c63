package ec2

import (
	"cmp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// privateAddress is an address that a call asks for.
type privateAddress struct {
	Address string `ec2:"PrivateIpAddress,required"`
	Primary bool   `ec2:"Primary"`
}

// namedPrefix is a prefix that a call asks for.
type namedPrefix struct {
	Prefix string `ec2:"Ipv4Prefix"`
}

type createInterfaceInput struct {
	SubnetID       string             `ec2:"SubnetId,required"`
	Description    string             `ec2:"Description"`
	Type           string             `ec2:"InterfaceType"`
	Groups         []string           `ec2:"SecurityGroupId"`
	Address        string             `ec2:"PrivateIpAddress"`
	Addresses      []privateAddress   `ec2:"PrivateIpAddresses"`
	Count          int                `ec2:"SecondaryPrivateIpAddressCount"`
	Prefixes       []namedPrefix      `ec2:"Ipv4Prefix"`
	PrefixCount    int                `ec2:"Ipv4PrefixCount"`
	Token          string             `ec2:"ClientToken"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
	// The rest is about IPv6, which nothing here has.
	Addresses6 []struct {
		Address string `ec2:"Ipv6Address"`
	} `ec2:"Ipv6Addresses"`
	Count6       int `ec2:"Ipv6AddressCount"`
	PrefixCount6 int `ec2:"Ipv6PrefixCount"`
}

type createInterfaceOutput struct {
	Interface networkInterface `xml:"networkInterface"`
	Token     string           `xml:"clientToken,omitempty"`
}

// creatable are the types of interfaces that a call may make; EC2 makes the others itself.
var creatable = []string{"", "interface", "efa", "efa-only", "branch", "trunk"}

// wanted is the interface that a call asks for.
func (in *createInterfaceInput) wanted() (want NewInterface, err error) {
	want = NewInterface{SubnetID: in.SubnetID, Description: in.Description, Type: in.Type, Address: in.Address, Count: in.Count,
		PrefixCount: in.PrefixCount}
	if in.Type == "interface" {
		want.Type = ""
	}
	for _, one := range in.Addresses {
		switch {
		case !one.Primary:
			want.Secondary = append(want.Secondary, one.Address)
		case want.Address != "":
			return want, refuse("InvalidParameterCombination", "Only one primary private IP address can be specified.")
		default:
			want.Address = one.Address
		}
	}
	for _, one := range in.Prefixes {
		want.Prefixes = append(want.Prefixes, one.Prefix)
	}
	switch {
	case !slices.Contains(creatable, in.Type):
		return want, refuse("InvalidParameterValue", "Value (%s) for parameter interfaceType is invalid.", clip(in.Type))
	case len(in.Addresses6) > 0 || in.Count6 > 0 || in.PrefixCount6 > 0:
		return want, refuse("UnsupportedOperation", "Tripod's network interfaces have no IPv6 addresses: leave them out.")
	case in.Count < 0 || in.PrefixCount < 0:
		return want, refuse("InvalidParameterValue", "The number of addresses and prefixes must not be negative.")
	case in.Count > 0 && len(want.Secondary) > 0:
		return want, errCountAndNames
	case in.PrefixCount > 0 && len(want.Prefixes) > 0:
		return want, refuse("InvalidParameterCombination", "The parameter ipv4PrefixCount cannot be used with the parameter ipv4Prefixes")
	case in.Count+len(want.Secondary) > 0 && in.PrefixCount+len(want.Prefixes) > 0:
		return want, errAddressesAndPrefixes
	}
	return want, nil
}

var (
	errCountAndNames = refuse("InvalidParameterCombination",
		"The parameter secondaryPrivateIpAddressCount cannot be used with the parameter privateIpAddresses")
	errAddressesAndPrefixes = refuse("InvalidParameterCombination",
		"Secondary private IP addresses and IPv4 prefixes cannot be assigned in the same call")
)

// createInterface makes an interface. A ClientToken that was used before gives the interface of then.
func (s *Service) createInterface(call *operation.Call, in *createInterfaceInput) (*createInterfaceOutput, error) {
	want, err := in.wanted()
	if err != nil {
		return nil, err
	}
	given, err := newTags(in.Specifications, "network-interface")
	if err != nil {
		return nil, err
	}
	asked, out := digestOf(in), &createInterfaceOutput{Token: in.Token}
	return change(s, call, out, func(tx *state.Txn) error {
		if earlier := region.InterfacesByToken.Of(in.Token).List(tx); in.Token != "" && len(earlier) > 0 {
			if earlier[0].Asked != asked {
				return refuse("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments "+
					"used in previous request(s).")
			}
			out.Interface = s.shownInterface(earlier[0], s.groupNames(tx))
			out.Interface.Tags = s.tagsOf(tx, earlier[0].ID)
			return nil
		}
		home, err := subnets.get(s, tx, in.SubnetID)
		if err != nil {
			return err
		}
		if want.Groups, err = s.launchGroups(tx, home, templateData{Groups: in.Groups}, interfaceOf{}); err != nil {
			return err
		}
		want.Requester = call.Principal.UserID
		c := s.ChangeInterfaces(tx)
		v, err := c.Make(want, s.now())
		if err != nil {
			return err
		}
		v.Token, v.Asked = in.Token, asked
		c.changed[v.ID] = v
		c.Write()
		tags.Put(tx, v.ID, given)
		out.Interface = s.shownInterface(v, s.groupNames(tx))
		out.Interface.Status, out.Interface.Tags = "pending", given
		return nil
	})
}

type interfaceIDInput struct {
	ID string `ec2:"NetworkInterfaceId,required"`
}

// deleteInterface deletes an interface that nobody has.
func (s *Service) deleteInterface(call *operation.Call, in *interfaceIDInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.interfaceRecord(tx, in.ID)
		switch {
		case err != nil:
			return err
		case cmp.Or(v.AttachedTo(), v.Trunk) != "" && v.Type != "branch":
			return refuse("InvalidParameterValue", "Network interface '%s' is currently in use.", v.ID)
		}
		c := s.ChangeInterfaces(tx)
		c.Delete(v)
		c.Write()
		return nil
	})
}

type attachInterfaceInput struct {
	ID         string `ec2:"NetworkInterfaceId,required"`
	InstanceID string `ec2:"InstanceId,required"`
	Device     *int   `ec2:"DeviceIndex,required"`
	Card       int    `ec2:"NetworkCardIndex"`
}

type attachInterfaceOutput struct {
	AttachmentID string `xml:"attachmentId"`
	Card         int    `xml:"networkCardIndex"`
}

func (s *Service) attachInterface(call *operation.Call, in *attachInterfaceInput) (*attachInterfaceOutput, error) {
	if *in.Device < 0 || in.Card < 0 {
		return nil, refuse("InvalidParameterValue", "Value (%d) for parameter deviceIndex is invalid.", *in.Device)
	}
	out := &attachInterfaceOutput{Card: in.Card}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.interfaceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		to, err := s.instanceRecord(tx, in.InstanceID)
		if err != nil {
			return err
		}
		c := s.ChangeInterfaces(tx)
		a, err := c.Attach(v, to, *in.Device, in.Card, false, s.now())
		out.AttachmentID = a.ID
		c.Write()
		return err
	})
}

type detachInterfaceInput struct {
	AttachmentID string `ec2:"AttachmentId,required"`
	Force        bool   `ec2:"Force"` // nothing here holds an interface that is to go
}

func (s *Service) detachInterface(call *operation.Call, in *detachInterfaceInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.attachedBy(tx, in.AttachmentID)
		switch {
		case err != nil:
			return err
		case v.Primary():
			return refuse("OperationNotPermitted", "The network interface at device index 0 and networkCard index 0 cannot be detached.")
		}
		c := s.ChangeInterfaces(tx)
		c.Detach(v)
		c.Write()
		return nil
	})
}

// attachedBy is the account's own interface of an attachment.
func (s *Service) attachedBy(tx *state.Txn, attachmentID string) (region.NetworkInterface, error) {
	if found := region.InterfacesByAttachment.Of(attachmentID).List(tx); attachmentID != "" && len(found) > 0 {
		return found[0], nil
	}
	for _, v := range interfaces.all(s, tx) {
		switch {
		case v.Attachment.absent() || v.Attachment.AttachmentID != attachmentID:
		case v.RequesterManaged:
			return region.NetworkInterface{}, refuse("OperationNotPermitted", "You are not allowed to manage '%s' attachments.",
				attachmentKind(attachmentID))
		default:
			return s.interfaceRecord(tx, v.InterfaceID)
		}
	}
	return region.NetworkInterface{}, refuse("InvalidAttachmentID.NotFound", "The interface attachment ID '%s' does not exist",
		clip(attachmentID))
}

// attachmentKind is what stands before an attachment's digits: ela-attach.
func attachmentKind(id string) string { return id[:max(0, len(id)-len("-0123456789abcdef0"))] }

type assignInput struct {
	ID          string   `ec2:"NetworkInterfaceId,required"`
	Addresses   []string `ec2:"PrivateIpAddress"`
	Count       int      `ec2:"SecondaryPrivateIpAddressCount"`
	Prefixes    []string `ec2:"Ipv4Prefix"`
	PrefixCount int      `ec2:"Ipv4PrefixCount"`
	Reassign    bool     `ec2:"AllowReassignment"`
}

type assignedAddress struct {
	Address string `xml:"privateIpAddress"`
}

type assignOutput struct {
	InterfaceID string                `xml:"networkInterfaceId"`
	Addresses   list[assignedAddress] `xml:"assignedPrivateIpAddressesSet"`
	Prefixes    list[ipv4Prefix]      `xml:"assignedIpv4PrefixSet"`
}

func (in *assignInput) check() error {
	addresses, prefixes := len(in.Addresses) > 0 || in.Count > 0, len(in.Prefixes) > 0 || in.PrefixCount > 0
	switch {
	case in.Count < 0 || in.PrefixCount < 0:
		return refuse("InvalidParameterValue", "The number of addresses and prefixes must not be negative.")
	case len(in.Addresses) > 0 && in.Count > 0:
		return errCountAndNames
	case addresses && prefixes:
		return errAddressesAndPrefixes
	case !addresses && !prefixes:
		return refuse("MissingParameter", "Either private IP addresses, secondary private IP address count, IPv4 prefixes or IPv4 "+
			"prefix count must be specified")
	}
	return nil
}

func (s *Service) assignAddresses(call *operation.Call, in *assignInput) (*assignOutput, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	out := &assignOutput{InterfaceID: in.ID}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.interfaceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		if in.Reassign {
			s.reassign(tx, v, in.Addresses)
		}
		c := s.ChangeInterfaces(tx)
		given, err := c.Assign(v, in.Addresses, in.Count)
		if err != nil {
			return err
		}
		prefixes, err := c.AssignPrefixes(c.latest(v), in.Prefixes, in.PrefixCount)
		if err != nil {
			return err
		}
		c.Write()
		out.Addresses, out.Prefixes = nil, nil
		for _, ip := range given {
			out.Addresses = append(out.Addresses, assignedAddress{ip})
		}
		for _, prefix := range prefixes {
			out.Prefixes = append(out.Prefixes, ipv4Prefix{prefix})
		}
		return nil
	})
}

// reassign takes addresses from the interfaces that have them as secondary ones, since the caller allows it.
func (s *Service) reassign(tx *state.Txn, to region.NetworkInterface, addresses []string) {
	for _, ip := range addresses {
		for _, v := range region.InterfacesByAddress.Of(to.SubnetID + "/" + ip).List(tx) {
			if slices.Contains(v.Secondary, ip) && v.ID != to.ID {
				v.Secondary = slices.DeleteFunc(v.Secondary, func(one string) bool { return one == ip })
				region.ChangeInterface(tx, v)
			}
		}
	}
}

// latest is an interface with the changes so far.
func (c *InterfaceChanges) latest(v region.NetworkInterface) region.NetworkInterface {
	if now, changed := c.changed[v.ID]; changed {
		return now
	}
	return v
}

type unassignInput struct {
	ID        string   `ec2:"NetworkInterfaceId,required"`
	Addresses []string `ec2:"PrivateIpAddress"`
	Prefixes  []string `ec2:"Ipv4Prefix"`
}

func (s *Service) unassignAddresses(call *operation.Call, in *unassignInput) (*done, error) {
	if len(in.Addresses)+len(in.Prefixes) == 0 {
		return nil, refuse("MissingParameter", "Either private IP addresses or IPv4 prefixes must be specified")
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.interfaceRecord(tx, in.ID)
		if err != nil {
			return err
		}
		c := s.ChangeInterfaces(tx)
		if err := c.Unassign(v, in.Addresses, in.Prefixes); err != nil {
			return err
		}
		c.Write()
		return nil
	})
}
