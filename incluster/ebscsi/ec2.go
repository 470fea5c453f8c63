package ebscsi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"google.golang.org/grpc/codes"

	"tripod/incluster/csidriver"
)

// EC2 is what the driver calls of it: *ec2.Client.
type EC2 interface {
	CreateVolume(context.Context, *ec2.CreateVolumeInput, ...func(*ec2.Options)) (*ec2.CreateVolumeOutput, error)
	DeleteVolume(context.Context, *ec2.DeleteVolumeInput, ...func(*ec2.Options)) (*ec2.DeleteVolumeOutput, error)
	AttachVolume(context.Context, *ec2.AttachVolumeInput, ...func(*ec2.Options)) (*ec2.AttachVolumeOutput, error)
	DetachVolume(context.Context, *ec2.DetachVolumeInput, ...func(*ec2.Options)) (*ec2.DetachVolumeOutput, error)
	ModifyVolume(context.Context, *ec2.ModifyVolumeInput, ...func(*ec2.Options)) (*ec2.ModifyVolumeOutput, error)
	DescribeVolumes(context.Context, *ec2.DescribeVolumesInput, ...func(*ec2.Options)) (*ec2.DescribeVolumesOutput, error)
	CreateSnapshot(context.Context, *ec2.CreateSnapshotInput, ...func(*ec2.Options)) (*ec2.CreateSnapshotOutput, error)
	DeleteSnapshot(context.Context, *ec2.DeleteSnapshotInput, ...func(*ec2.Options)) (*ec2.DeleteSnapshotOutput, error)
	DescribeSnapshots(context.Context, *ec2.DescribeSnapshotsInput, ...func(*ec2.Options)) (*ec2.DescribeSnapshotsOutput, error)
	DescribeInstances(context.Context, *ec2.DescribeInstancesInput, ...func(*ec2.Options)) (*ec2.DescribeInstancesOutput, error)
}

// How long the driver waits for EC2, and how often it asks meanwhile.
const (
	attachTimeout = 90 * time.Second
	firstLook     = 20 * time.Millisecond
	lastLook      = 2 * time.Second
)

// describe is a volume as EC2 has it.
func (d *Driver) describe(ctx context.Context, volumeID string) (types.Volume, error) {
	out, err := d.EC2.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{VolumeIds: []string{volumeID}})
	if err != nil {
		return types.Volume{}, err
	}
	if len(out.Volumes) == 0 {
		return types.Volume{}, errors.New("resource was not found")
	}
	return out.Volumes[0], nil
}

// await asks for a volume until it is as it is to be.
func (d *Driver) await(ctx context.Context, volumeID string, is func(types.Volume) bool) (types.Volume, error) {
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		v, err := d.describe(ctx, volumeID)
		if err != nil || is(v) {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// attachmentTo is a volume's attachment to an instance.
func attachmentTo(v types.Volume, instanceID string) (types.VolumeAttachment, bool) {
	for _, a := range v.Attachments {
		if aws.ToString(a.InstanceId) == instanceID {
			return a, true
		}
	}
	return types.VolumeAttachment{}, false
}

// attach attaches a volume, and gives its device.
func (d *Driver) attach(ctx context.Context, volumeID, instanceID string) (device string, err error) {
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	out, err := d.EC2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{instanceID}})
	if err != nil {
		if csidriver.HasCode(err, "InvalidInstanceID.NotFound") {
			return "", csidriver.RPC(codes.NotFound, "Instance %q not found", instanceID)
		}
		return "", csidriver.RPC(codes.Internal, "Could not attach volume %q to node %q: %v", volumeID, instanceID, err)
	}
	used := map[string]bool{}
	for _, r := range out.Reservations {
		for _, v := range r.Instances {
			for _, m := range v.BlockDeviceMappings {
				used[aws.ToString(m.DeviceName)] = true
				if m.Ebs != nil && aws.ToString(m.Ebs.VolumeId) == volumeID {
					device = aws.ToString(m.DeviceName)
				}
			}
		}
	}
	if device == "" {
		if device = freeDevice(used); device == "" {
			return "", csidriver.RPC(codes.ResourceExhausted, "Attachment limit exceeded for volume %q on node %q: no device name is left", volumeID,
				instanceID)
		}
		if _, err = d.EC2.AttachVolume(ctx, &ec2.AttachVolumeInput{VolumeId: &volumeID, InstanceId: &instanceID,
			Device: &device}); err != nil {
			return "", attachError(err, volumeID, instanceID)
		}
	}
	v, err := d.await(ctx, volumeID, func(v types.Volume) bool {
		a, _ := attachmentTo(v, instanceID)
		return a.State == types.VolumeAttachmentStateAttached
	})
	if err != nil {
		a, _ := attachmentTo(v, instanceID)
		return "", csidriver.RPC(codes.Internal, "Could not attach volume %q to node %q: attachment of disk %q failed, expected device to be "+
			"attached but was %s", volumeID, instanceID, volumeID, a.State)
	}
	return device, nil
}

// attachError is an error of AttachVolume as the driver tells it.
func attachError(err error, volumeID, instanceID string) error {
	switch {
	case csidriver.HasCode(err, "InvalidVolume.NotFound"):
		return csidriver.RPC(codes.NotFound, "Volume %q not found", volumeID)
	case csidriver.HasCode(err, "VolumeInUse"):
		return csidriver.RPC(codes.FailedPrecondition, "Volume %q is already attached to a different node, expected node: %q",
			volumeID, instanceID)
	case csidriver.HasCode(err, "AttachmentLimitExceeded"):
		return csidriver.RPC(codes.ResourceExhausted, "Attachment limit exceeded for volume %q on node %q: attachment limit exceeded: %v",
			volumeID, instanceID, err)
	}
	return csidriver.RPC(codes.Internal, "Could not attach volume %q to node %q: could not attach volume %q to node %q: %v",
		volumeID, instanceID, volumeID, instanceID, err)
}

// freeDevice is the first of the driver's device names that is not used: /dev/xvdaa, /dev/xvdab and so on.
func freeDevice(used map[string]bool) string {
	for first := 'a'; first <= 'd'; first++ {
		for second := 'a'; second <= 'z'; second++ {
			if name := fmt.Sprintf("/dev/xvd%c%c", first, second); !used[name] {
				return name
			}
		}
	}
	return ""
}

// detach detaches a volume. One that is not attached, or gone, is detached.
func (d *Driver) detach(ctx context.Context, volumeID, instanceID string) error {
	ctx, cancel := context.WithTimeout(ctx, attachTimeout)
	defer cancel()
	_, err := d.EC2.DetachVolume(ctx, &ec2.DetachVolumeInput{VolumeId: &volumeID, InstanceId: &instanceID})
	switch {
	case csidriver.HasCode(err, "IncorrectState", "InvalidAttachment.NotFound", "InvalidVolume.NotFound"):
		return nil
	case err != nil:
		return csidriver.RPC(codes.Internal, "Could not detach volume %q from node %q: could not detach volume %q from node %q: %v", volumeID,
			instanceID, volumeID, instanceID, err)
	}
	_, err = d.await(ctx, volumeID, func(v types.Volume) bool {
		_, attached := attachmentTo(v, instanceID)
		return !attached
	})
	if err != nil && !csidriver.HasCode(err, "InvalidVolume.NotFound") {
		return csidriver.RPC(codes.Internal, "Could not detach volume %q from node %q: %v", volumeID, instanceID, err)
	}
	return nil
}
