package ec2

import (
	"net/netip"
	"strings"

	"tripod/region"
	"tripod/state"
)

// The refusals of MountTargetAddress.
const (
	AddressOutside = "outside"
	AddressTaken   = "taken"
)

// MountTargetAddress is the address that a new mount target of EFS has in a subnet: the one that is asked for, or one of the
// upper half, as long as nobody has that. refusal says why it has none.
func (s *Service) MountTargetAddress(tx *state.Txn, place Place, targetID, asked string) (address, refusal string) {
	if asked != "" {
		a, err := netip.ParseAddr(asked)
		switch {
		case err != nil || !place.Block.Contains(a) || reserved(place.Block, a):
			return "", AddressOutside
		case !s.IsFree(tx, place.SubnetID, a):
			return "", AddressTaken
		}
		return asked, ""
	}
	a, err := s.ServiceAddress(tx, place.SubnetID, func(block netip.Prefix) netip.Addr { return endpointHost(targetID, block) })
	if err != nil {
		return "", AddressTaken
	}
	return a.String(), ""
}

// MountTargetInterface is the id of the network interface by which a mount target is in its subnet.
func MountTargetInterface(targetID string) string { return id("eni", targetID) }

// mountTargetInterfaces are those by which EFS's mount targets are in their subnets.
func (s *Service) mountTargetInterfaces(tx *state.Txn) (all []networkInterface) {
	targets := region.MountTargets.List(tx)
	if len(targets) == 0 {
		return nil
	}
	names := s.groupNames(tx)
	for _, m := range targets {
		name := s.VPC.dnsName(m.Address)
		eni := networkInterface{
			InterfaceID: MountTargetInterface(m.ID), SubnetID: m.SubnetID, VPCID: m.VPCID, Zone: m.Zone, ZoneID: s.zoneID(m.Zone),
			Description: "EFS mount target for " + m.FileSystemID + " (" + m.ID + ")", OwnerID: s.VPC.AccountID,
			RequesterID: "amazon-efs", RequesterManaged: true, Status: "in-use", MAC: macAddress(m.ID, m.Zone), Address: m.Address,
			DNSName: name, SourceDestCheck: true, Type: "efs", Addresses: list[address]{{Address: m.Address, DNSName: name, Primary: true}},
			Attachment: interfaceAttachment{AttachmentID: id("ela-attach", m.ID), InstanceOwnerID: "amazon-efs", DeviceIndex: 1,
				Status: "attached", AttachTime: timestamp(m.Created)},
		}
		for _, groupID := range m.SecurityGroups {
			eni.Groups = append(eni.Groups, groupName{groupID, names(groupID)})
		}
		all = append(all, eni)
	}
	return all
}

// mountTargetUsers name the mount targets that use a security group or a subnet.
func mountTargetUsers(tx *state.Txn, resourceID string) (all []string) {
	users := region.MountTargetsBySubnet.Of(resourceID)
	if strings.HasPrefix(resourceID, "sg-") {
		users = region.MountTargetsBySecurityGroup.Of(resourceID)
	}
	for _, m := range users.List(tx) {
		all = append(all, "the EFS mount target "+m.ID)
	}
	return all
}
