package efs

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	"github.com/aws/aws-sdk-go-v2/service/efs/types"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// emptySize is what EFS meters of a file system without files.
const emptySize = 6144

func (s *Service) createFileSystem(call *operation.Call, in *efs.CreateFileSystemInput) (*types.FileSystemDescription, error) {
	tags, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	f := region.FileSystem{ID: newID("fs"), Token: *in.CreationToken, Created: s.now().Truncate(time.Second),
		Performance: string(in.PerformanceMode), Throughput: string(in.ThroughputMode), MiBps: aws.ToFloat64(in.ProvisionedThroughputInMibps),
		Zone: aws.ToString(in.AvailabilityZoneName), Encrypted: aws.ToBool(in.Encrypted), Tags: tags}
	if err := call.Authorize(wire.RestJSON, Name+":CreateFileSystem", s.arn("file-system/*"),
		iam.Keys{"elasticfilesystem:encrypted": {strconv.FormatBool(f.Encrypted)}}); err != nil {
		return nil, err
	}
	if err := s.permitTags(call, "file-system/"+f.ID, tags); err != nil {
		return nil, err
	}
	if err := s.checkNew(&f, aws.ToString(in.KmsKeyId)); err != nil {
		return nil, err
	}
	if in.Backup != nil && *in.Backup || in.Backup == nil && f.Zone != "" {
		f.Backup = string(types.StatusEnabled)
	}
	var shown types.FileSystemDescription
	err = s.update(call, func(tx *state.Txn) error {
		if same := region.FileSystemsByToken.Of(f.Token).List(tx); len(same) > 0 {
			return with(fail(http.StatusConflict, "FileSystemAlreadyExists", "File system '%s' already exists with creation token '%s'",
				same[0].ID, f.Token), "FileSystemId", same[0].ID)
		}
		if region.FileSystems.Part("").Count(tx) >= maxFileSystems {
			return fail(http.StatusForbidden, "FileSystemLimitExceeded", "You have reached the maximum number of file systems (%d) for your "+
				"account.", maxFileSystems)
		}
		if f.Encrypted {
			key := aws.ToString(in.KmsKeyId)
			if key == "" {
				key = "alias/aws/" + Name
			}
			arn, err := s.Keys.KeyARN(tx, key)
			if err != nil {
				return badRequest("The KMS key %s cannot be used: %s", wire.Clip(key), err)
			}
			f.Key = arn
		}
		shown = s.describe(tx, region.CreateFileSystem(tx, f))
		return nil
	})
	return &shown, err
}

// checkNew refuses what a file system cannot be together, and says what it is where the call does not.
func (s *Service) checkNew(f *region.FileSystem, key string) error {
	if f.Performance == "" {
		f.Performance = string(types.PerformanceModeGeneralPurpose)
	}
	if f.Throughput == "" {
		f.Throughput = string(types.ThroughputModeBursting)
	}
	most := f.Performance == string(types.PerformanceModeMaxIo)
	switch {
	case key != "" && !f.Encrypted:
		return badRequest("KmsKeyId cannot be specified for a file system that is not encrypted.")
	case f.Zone != "" && !slices.Contains(s.Network.VPC.Zones, f.Zone):
		return fail(http.StatusBadRequest, "UnsupportedAvailabilityZone", "The Availability Zone %s is not one of this region: it has %v.",
			wire.Clip(f.Zone), s.Network.VPC.Zones)
	case f.Zone != "" && most:
		return badRequest("One Zone file systems do not support the Max I/O performance mode.")
	case most && f.Throughput == string(types.ThroughputModeElastic):
		return badRequest("The Max I/O performance mode does not support the elastic throughput mode.")
	}
	return checkThroughput(f.Throughput, f.MiBps)
}

func checkThroughput(mode string, mibps float64) error {
	provisioned := mode == string(types.ThroughputModeProvisioned)
	switch {
	case provisioned && mibps == 0:
		return badRequest("ProvisionedThroughputInMibps is required when ThroughputMode is provisioned.")
	case !provisioned && mibps != 0:
		return badRequest("ProvisionedThroughputInMibps is only allowed when ThroughputMode is provisioned.")
	case mibps > 3414:
		return fail(http.StatusBadRequest, "ThroughputLimitExceeded", "The provisioned throughput of a file system is at most 3414 MiB/s.")
	}
	return nil
}

// describe is a file system as EFS shows it.
func (s *Service) describe(tx *state.Txn, f region.FileSystem) types.FileSystemDescription {
	d := types.FileSystemDescription{
		OwnerId: &s.AccountID, CreationToken: &f.Token, FileSystemId: &f.ID, FileSystemArn: aws.String(s.arn("file-system/" + f.ID)),
		CreationTime: &f.Created, LifeCycleState: types.LifeCycleState(f.State), Name: nameIn(f.Tags), Tags: shownTags(f.Tags),
		NumberOfMountTargets: int32(region.MountTargetsByFileSystem.Of(f.ID).Count(tx)),
		SizeInBytes: &types.FileSystemSize{Value: emptySize, ValueInStandard: aws.Int64(emptySize), ValueInIA: aws.Int64(0),
			ValueInArchive: aws.Int64(0)},
		PerformanceMode: types.PerformanceMode(f.Performance), ThroughputMode: types.ThroughputMode(f.Throughput), Encrypted: &f.Encrypted,
		FileSystemProtection: &types.FileSystemProtectionDescription{ReplicationOverwriteProtection: protectionOf(f)},
	}
	if f.Zone != "" {
		d.AvailabilityZoneName, d.AvailabilityZoneId = &f.Zone, aws.String(s.zoneID(f.Zone))
	}
	if f.Key != "" {
		d.KmsKeyId = &f.Key
	}
	if f.MiBps != 0 {
		d.ProvisionedThroughputInMibps = &f.MiBps
	}
	return d
}

func protectionOf(f region.FileSystem) types.ReplicationOverwriteProtection {
	if f.Overwrites != "" {
		return types.ReplicationOverwriteProtection(f.Overwrites)
	}
	return types.ReplicationOverwriteProtectionEnabled
}

// zoneID is a zone's id by its name.
func (s *Service) zoneID(zone string) string {
	if i := slices.Index(s.Network.VPC.Zones, zone); i >= 0 {
		return s.Network.VPC.ZoneIDs()[i]
	}
	return ""
}

func (s *Service) describeFileSystems(call *operation.Call, in *efs.DescribeFileSystemsInput) (*efs.DescribeFileSystemsOutput, error) {
	out := &efs.DescribeFileSystemsOutput{Marker: in.Marker}
	err := s.view(call, func(tx *state.Txn) (err error) {
		var found []region.FileSystem
		switch {
		case in.FileSystemId != nil && in.CreationToken != nil:
			return badRequest("Request cannot contain both a file system ID and a creation token.")
		case in.FileSystemId != nil:
			f, err := s.fileSystem(tx, call, in.FileSystemId)
			if err != nil {
				return err
			}
			found = []region.FileSystem{f}
		default:
			if err := s.permit(call, "file-system/*", nil); err != nil {
				return err
			}
			if found = region.FileSystems.List(tx); in.CreationToken != nil {
				found = region.FileSystemsByToken.Of(*in.CreationToken).List(tx)
			}
		}
		part, next, err := page(call, aws.ToString(in.CreationToken), in.MaxItems, in.Marker, found,
			func(f region.FileSystem) string { return f.ID })
		out.NextMarker, out.FileSystems = next, []types.FileSystemDescription{}
		for _, f := range part {
			out.FileSystems = append(out.FileSystems, s.describe(tx, f))
		}
		return err
	})
	return out, err
}

func (s *Service) updateFileSystem(call *operation.Call, in *efs.UpdateFileSystemInput) (*types.FileSystemDescription, error) {
	var shown types.FileSystemDescription
	err := s.update(call, func(tx *state.Txn) error {
		f, err := s.available(tx, call, in.FileSystemId)
		if err != nil {
			return err
		}
		mode, mibps := f.Throughput, aws.ToFloat64(in.ProvisionedThroughputInMibps)
		if in.ThroughputMode != "" {
			mode = string(in.ThroughputMode)
		}
		switch {
		case in.ThroughputMode == "" && in.ProvisionedThroughputInMibps == nil:
			return badRequest("Give a ThroughputMode, a ProvisionedThroughputInMibps or both.")
		case mibps == 0 && mode == string(types.ThroughputModeProvisioned):
			mibps = f.MiBps
		case mode == string(types.ThroughputModeElastic) && f.Performance == string(types.PerformanceModeMaxIo):
			return badRequest("The Max I/O performance mode does not support the elastic throughput mode.")
		}
		if err := checkThroughput(mode, mibps); err != nil {
			return err
		}
		f.Throughput, f.MiBps = mode, mibps
		region.ChangeFileSystem(tx, f.ID, func(kept *region.FileSystem) { *kept = f })
		shown = s.describe(tx, f)
		return nil
	})
	return &shown, err
}

func (s *Service) updateProtection(call *operation.Call,
	in *efs.UpdateFileSystemProtectionInput) (*types.FileSystemProtectionDescription, error) {
	var shown types.FileSystemProtectionDescription
	err := s.update(call, func(tx *state.Txn) error {
		f, err := s.available(tx, call, in.FileSystemId)
		if err != nil {
			return err
		}
		switch in.ReplicationOverwriteProtection {
		case types.ReplicationOverwriteProtectionReplicating:
			return badRequest("ReplicationOverwriteProtection must be ENABLED or DISABLED.")
		case types.ReplicationOverwriteProtectionEnabled:
			f.Overwrites = ""
		case types.ReplicationOverwriteProtectionDisabled:
			f.Overwrites = string(types.ReplicationOverwriteProtectionDisabled)
		}
		region.ChangeFileSystem(tx, f.ID, func(kept *region.FileSystem) { kept.Overwrites = f.Overwrites })
		shown.ReplicationOverwriteProtection = protectionOf(f)
		return nil
	})
	return &shown, err
}

func (s *Service) deleteFileSystem(call *operation.Call, in *efs.DeleteFileSystemInput) (*efs.DeleteFileSystemOutput, error) {
	return &efs.DeleteFileSystemOutput{}, s.update(call, func(tx *state.Txn) error {
		f, err := s.fileSystem(tx, call, in.FileSystemId)
		switch {
		case err != nil:
			return err
		case f.State == region.FileSystemDeleting: // so a call whose answer was lost is answered again
			return nil
		case !region.MountTargetsByFileSystem.Of(f.ID).Empty(tx):
			return fail(http.StatusConflict, "FileSystemInUse", "The file system '%s' cannot be deleted because it has mount targets. You must "+
				"delete the mount targets, and then try again.", f.ID)
		}
		_, err = region.DeleteFileSystem(tx, f.ID)
		return err
	})
}
