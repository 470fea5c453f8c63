package ec2

import (
	"slices"

	"tripod/state"
)

// launchImage is what a launch needs of an image.
type launchImage struct {
	root  instanceDisk
	disks []instanceDisk
	// tokens says that instances of it want session tokens from the metadata service.
	tokens bool
}

// imageToLaunch is the image with that id, which must suit the instance type.
func (s *Service) imageToLaunch(tx *state.Txn, imageID, instanceType string) (launchImage, error) {
	image, err := images.get(s, tx, imageID)
	if err != nil {
		return launchImage{}, err
	}
	if image.State != "available" {
		return launchImage{}, refuse("InvalidAMIID.Unavailable", "The image ID '%s' is not available", imageID)
	}
	if own := architecturesOf(instanceType); !slices.Contains(own, image.Architecture) {
		return launchImage{}, refuse("InvalidParameterValue", "The architecture '%s' of the specified instance type does not "+
			"match the architecture '%s' of the specified AMI. Specify an instance type and an AMI that have matching "+
			"architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to discover the "+
			"architecture of the instance type or AMI.", own[len(own)-1], image.Architecture)
	}
	launch := launchImage{root: defaultRoot, tokens: image.IMDS == "v2.0"}
	for _, d := range image.Devices {
		if d.EBS == nil {
			continue
		}
		disk := instanceDisk{Device: d.Device, GiB: d.EBS.GiB, Type: d.EBS.Type, IOPS: d.EBS.IOPS,
			Throughput: d.EBS.Throughput, Snapshot: d.EBS.SnapshotID, Encrypted: d.EBS.Encrypted,
			Keeps: !d.EBS.DeleteOnTermination}
		if d.Device == image.RootDevice {
			launch.root = disk
		} else {
			launch.disks = append(launch.disks, disk)
		}
	}
	return launch, nil
}
