package efs

import (
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"

	"tripod/awsapi/ec2"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/region"
	"tripod/state"
)

func (s *Service) createMountTarget(call *operation.Call, in *efs.CreateMountTargetInput) (*types.MountTargetDescription, error) {
	if in.Ipv6Address != nil || in.IpAddressType != "" && in.IpAddressType != types.IpAddressTypeIpv4Only {
		return nil, badRequest("Mount targets have IPv4 addresses here: leave Ipv6Address out, and IpAddressType or give IPV4_ONLY.")
	}
	m := region.MountTarget{ID: newID("fsmt"), FileSystemID: short(in.FileSystemId), SubnetID: *in.SubnetId,
		Created: s.now().Truncate(time.Second), SecurityGroups: in.SecurityGroups}
	var shown types.MountTargetDescription
	err := s.update(call, func(tx *state.Txn) error {
		f, err := s.available(tx, call, in.FileSystemId)
		if err != nil {
			return err
		}
		place, found := s.Network.PlaceIn(tx, m.SubnetID)
		if !found {
			return fail(http.StatusBadRequest, "SubnetNotFound", "The subnet ID '%s' does not exist", wire.Clip(m.SubnetID))
		}
		m.Zone, m.VPCID = place.Zone, place.VPCID
		if err := fits(tx, f, m); err != nil {
			return err
		}
		if len(m.SecurityGroups) == 0 {
			m.SecurityGroups = []string{s.Network.DefaultGroup(m.VPCID)}
		}
		if err := s.checkGroups(tx, m.VPCID, m.SecurityGroups); err != nil {
			return err
		}
		address, refusal := s.Network.MountTargetAddress(tx, place, m.ID, aws.ToString(in.IpAddress))
		switch {
		case place.Free < 1 || refusal != "" && in.IpAddress == nil:
			return fail(http.StatusConflict, "NoFreeAddressesInSubnet", "The specified subnet does not have enough free addresses to satisfy "+
				"the request.")
		case refusal == ec2.AddressOutside:
			return badRequest("Address does not fall within the subnet's address range")
		case refusal == ec2.AddressTaken:
			return fail(http.StatusConflict, "IpAddressInUse", "Address %s is in use.", wire.Clip(*in.IpAddress))
		}
		m.Address = address
		shown = s.describeTarget(region.CreateMountTarget(tx, m))
		return nil
	})
	return &shown, err
}

// fits refuses a mount target where its file system cannot have one.
func fits(tx *state.Txn, f region.FileSystem, m region.MountTarget) error {
	if f.Zone != "" && f.Zone != m.Zone {
		return fail(http.StatusBadRequest, "AvailabilityZonesMismatch", "The file system '%s' is in the Availability Zone %s, and the subnet "+
			"'%s' in %s.", f.ID, f.Zone, m.SubnetID, m.Zone)
	}
	for _, other := range region.MountTargetsByFileSystem.Of(f.ID).List(tx) {
		switch {
		case other.VPCID != m.VPCID:
			return fail(http.StatusConflict, "MountTargetConflict", "requested subnet for new mount target is not in the same VPC as existing "+
				"mount targets")
		case other.Zone == m.Zone:
			return fail(http.StatusConflict, "MountTargetConflict", "mount target already exists in this AZ")
		}
	}
	return nil
}

func (s *Service) checkGroups(tx *state.Txn, vpcID string, ids []string) error {
	if len(ids) > maxGroups {
		return fail(http.StatusBadRequest, "SecurityGroupLimitExceeded",
			"The maximum number of security groups per interface has been reached.")
	}
	for _, id := range ids {
		if in, _, found := s.Network.GroupIn(tx, id); !found || in != vpcID {
			return fail(http.StatusBadRequest, "SecurityGroupNotFound", "The SecurityGroup ID '%s' does not exist", wire.Clip(id))
		}
	}
	return nil
}

// describeTarget is a mount target as EFS shows it.
func (s *Service) describeTarget(m region.MountTarget) types.MountTargetDescription {
	return types.MountTargetDescription{OwnerId: &s.AccountID, MountTargetId: &m.ID, FileSystemId: &m.FileSystemID, SubnetId: &m.SubnetID,
		VpcId: &m.VPCID, LifeCycleState: types.LifeCycleState(m.State), IpAddress: &m.Address, AvailabilityZoneName: &m.Zone,
		AvailabilityZoneId: aws.String(s.zoneID(m.Zone)), NetworkInterfaceId: aws.String(ec2.MountTargetInterface(m.ID))}
}

func (s *Service) describeMountTargets(call *operation.Call, in *efs.DescribeMountTargetsInput) (*efs.DescribeMountTargetsOutput, error) {
	given := 0
	for _, id := range []*string{in.FileSystemId, in.MountTargetId, in.AccessPointId} {
		if id != nil {
			given++
		}
	}
	if given != 1 {
		return nil, badRequest("Must specify exactly one mutually exclusive parameter.")
	}
	out := &efs.DescribeMountTargetsOutput{Marker: in.Marker, MountTargets: []types.MountTargetDescription{}}
	err := s.view(call, func(tx *state.Txn) error {
		var found []region.MountTarget
		var of *string
		switch {
		case in.MountTargetId != nil:
			m, err := s.mountTarget(tx, call, in.MountTargetId)
			if err != nil {
				return err
			}
			found = []region.MountTarget{m}
		case in.AccessPointId != nil:
			p, known := region.AccessPoints.Get(tx, short(in.AccessPointId))
			if err := s.permit(call, "access-point/"+short(in.AccessPointId), p.Tags); err != nil {
				return err
			}
			if !known {
				return noAccessPoint(short(in.AccessPointId))
			}
			found = region.MountTargetsByFileSystem.Of(p.FileSystemID).List(tx)
		default:
			f, err := s.fileSystem(tx, call, in.FileSystemId)
			if err != nil {
				return err
			}
			of, found = &f.ID, region.MountTargetsByFileSystem.Of(f.ID).List(tx)
		}
		part, next, err := page(call, aws.ToString(of), in.MaxItems, in.Marker, found, func(m region.MountTarget) string { return m.ID })
		out.NextMarker = next
		for _, m := range part {
			out.MountTargets = append(out.MountTargets, s.describeTarget(m))
		}
		return err
	})
	return out, err
}

// mountTarget is the mount target with that id. Policies speak of its file system.
func (s *Service) mountTarget(tx *state.Txn, call *operation.Call, id *string) (region.MountTarget, error) {
	m, found := region.MountTargets.Get(tx, aws.ToString(id))
	resource := "file-system/*"
	var f region.FileSystem
	if found {
		f, _ = region.FileSystems.Get(tx, m.FileSystemID)
		resource = "file-system/" + m.FileSystemID
	}
	if err := s.permit(call, resource, f.Tags); err != nil {
		return m, err
	}
	if !found {
		return m, noMountTarget(aws.ToString(id))
	}
	return m, nil
}

func (s *Service) deleteMountTarget(call *operation.Call, in *efs.DeleteMountTargetInput) (*efs.DeleteMountTargetOutput, error) {
	return &efs.DeleteMountTargetOutput{}, s.update(call, func(tx *state.Txn) error {
		m, err := s.mountTarget(tx, call, in.MountTargetId)
		if err == nil {
			region.DeleteMountTarget(tx, m.ID)
		}
		return err
	})
}

func (s *Service) describeGroups(call *operation.Call,
	in *efs.DescribeMountTargetSecurityGroupsInput) (*efs.DescribeMountTargetSecurityGroupsOutput, error) {
	out := &efs.DescribeMountTargetSecurityGroupsOutput{}
	err := s.view(call, func(tx *state.Txn) error {
		m, err := s.mountTarget(tx, call, in.MountTargetId)
		if err == nil {
			err = living(m)
		}
		out.SecurityGroups = slices.Clone(m.SecurityGroups)
		return err
	})
	return out, err
}

// living refuses a mount target that is being deleted.
func living(m region.MountTarget) error {
	if m.State == region.FileSystemDeleting {
		return fail(http.StatusConflict, "IncorrectMountTargetState", "Mount target '%s' is in the lifecycle state 'deleting'.", m.ID)
	}
	return nil
}

func (s *Service) modifyGroups(call *operation.Call,
	in *efs.ModifyMountTargetSecurityGroupsInput) (*efs.ModifyMountTargetSecurityGroupsOutput, error) {
	return &efs.ModifyMountTargetSecurityGroupsOutput{}, s.update(call, func(tx *state.Txn) error {
		m, err := s.mountTarget(tx, call, in.MountTargetId)
		if err != nil {
			return err
		}
		if err := living(m); err != nil {
			return err
		}
		ids := in.SecurityGroups
		if len(ids) == 0 {
			ids = []string{s.Network.DefaultGroup(m.VPCID)}
		}
		if err := s.checkGroups(tx, m.VPCID, ids); err != nil {
			return err
		}
		region.ChangeMountTarget(tx, m.ID, func(m *region.MountTarget) { m.SecurityGroups = ids })
		return nil
	})
}
