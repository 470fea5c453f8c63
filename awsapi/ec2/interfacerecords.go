package ec2

import (
	"cmp"

	"tripod/region"
	"tripod/state"
)

// recordedInterfaces are those with a record, but for primary ones: these are shown with their instances.
func (s *Service) recordedInterfaces(tx *state.Txn) []networkInterface {
	return s.shownInterfaces(tx, region.NetworkInterfaces.List(tx))
}

// shownInterfaces are interfaces that are not primary as EC2 shows them, without their tags.
func (s *Service) shownInterfaces(tx *state.Txn, of []region.NetworkInterface) (all []networkInterface) {
	if len(of) == 0 {
		return nil
	}
	names := s.groupNames(tx)
	for _, v := range of {
		if !v.Primary() {
			all = append(all, s.shownInterface(v, names))
		}
	}
	return s.addressesOf(tx, all)
}

func (s *Service) shownInterface(v region.NetworkInterface, names func(string) string) networkInterface {
	eni := networkInterface{
		InterfaceID: v.ID, SubnetID: v.SubnetID, VPCID: v.VPCID, Zone: v.Zone, ZoneID: s.zoneID(v.Zone), Description: v.Description,
		OwnerID: s.VPC.AccountID, RequesterID: v.Requester, Status: status(v), MAC: v.MAC, Address: v.Address,
		DNSName: s.VPC.dnsName(v.Address), SourceDestCheck: !v.NoSourceCheck, Type: cmp.Or(v.Type, "interface"),
	}
	eni.Addresses = list[address]{{Address: eni.Address, DNSName: eni.DNSName, Primary: true}}
	s.addPrivate(&eni, v)
	for _, group := range v.Groups {
		eni.Groups = append(eni.Groups, groupName{group, names(group)})
	}
	if a := v.Attachment; a != nil {
		eni.Attachment = interfaceAttachment{AttachmentID: a.ID, InstanceID: a.InstanceID, InstanceOwnerID: s.VPC.AccountID,
			DeviceIndex: a.Device, CardIndex: a.Card, Status: "attached", AttachTime: timestamp(a.At), DeleteOnTermination: a.Deletes}
	}
	return eni
}

// addPrivate shows the addresses that an interface has beside its first one.
func (s *Service) addPrivate(eni *networkInterface, v region.NetworkInterface) {
	for _, ip := range v.Secondary {
		eni.Addresses = append(eni.Addresses, address{Address: ip, DNSName: s.VPC.dnsName(ip)})
	}
	for _, p := range v.Prefixes {
		eni.Prefixes = append(eni.Prefixes, ipv4Prefix{p})
	}
}

// endInterfaces ends what an instance that is terminated had of interfaces: those that go with it are gone, the others are
// nobody's from now on.
func (s *Service) endInterfaces(tx *state.Txn, v region.Instance) {
	d := s.detailsOf(tx, v.ID)
	var kept *region.NetworkInterface
	if d.KeepsInterface && v.Address != "" {
		one := region.PrimaryInterface(tx, v)
		one.Description, one.NoSourceCheck, one.MAC = d.Interface, d.NoSourceCheck, macOf(v)
		kept = &one
	} else {
		tags.Delete(tx, v.InterfaceID)
	}
	for _, id := range region.FreeInterfaces(tx, v.ID, kept) {
		tags.Delete(tx, id)
	}
}

// interfaceRecord is the record of an account's own interface that a call names: that of an instance's primary one is made
// where there is none. Those of AWS's services are not the caller's to change.
func (s *Service) interfaceRecord(tx *state.Txn, id string) (region.NetworkInterface, error) {
	if v, found := region.NetworkInterfaces.Get(tx, id); found && !v.Primary() {
		return v, nil
	}
	shown, err := interfaces.get(s, tx, id)
	if err != nil {
		return region.NetworkInterface{}, err
	}
	of, found := region.Instances.Get(tx, shown.Attachment.InstanceID)
	if shown.RequesterManaged || !found {
		return region.NetworkInterface{}, errNotYours
	}
	v := region.PrimaryInterface(tx, of)
	v.Attachment.ID, v.Attachment.Deletes = shown.Attachment.AttachmentID, shown.Attachment.DeleteOnTermination
	return v, nil
}
