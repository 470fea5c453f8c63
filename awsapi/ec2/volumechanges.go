package ec2

import (
	"cmp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/internal/instancetypes"
	"tripod/region"
	"tripod/state"
)

type createVolumeInput struct {
	Zone           string             `ec2:"AvailabilityZone"`
	ZoneID         string             `ec2:"AvailabilityZoneId"`
	Encrypted      *bool              `ec2:"Encrypted"`
	IOPS           *int               `ec2:"Iops"`
	Key            string             `ec2:"KmsKeyId"`
	Outpost        string             `ec2:"OutpostArn"`
	GiB            *int               `ec2:"Size"`
	Snapshot       string             `ec2:"SnapshotId"`
	Type           string             `ec2:"VolumeType"`
	MultiAttach    *bool              `ec2:"MultiAttachEnabled"`
	Throughput     *int               `ec2:"Throughput"`
	Token          string             `ec2:"ClientToken"`
	Rate           *int               `ec2:"VolumeInitializationRate"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// place is the zone that a call names, by its name or its id.
func (in *createVolumeInput) place(s *Service) (string, error) {
	switch {
	case in.Zone != "" && in.ZoneID != "":
		return "", refuse("InvalidParameterCombination",
			"The parameter availabilityZone cannot be used with the parameter availabilityZoneId.")
	case in.Zone == "" && in.ZoneID == "":
		return "", refuse("MissingParameter", "The request must contain the parameter zone")
	case in.ZoneID != "":
		if at := slices.Index(s.VPC.ZoneIDs(), in.ZoneID); at >= 0 {
			return s.VPC.Zones[at], nil
		}
	case slices.Contains(s.VPC.Zones, in.Zone):
		return in.Zone, nil
	}
	return "", refuse("InvalidZone.NotFound", "The zone '%s' does not exist.", clip(cmp.Or(in.Zone, in.ZoneID)))
}

// plan is the volume that a call asks for.
func (in *createVolumeInput) plan(s *Service, tx *state.Txn) (v region.Volume, err error) {
	if in.Outpost != "" {
		return v, refuse("UnsupportedOperation", "Tripod has no Outposts.")
	}
	if v.Zone, err = in.place(s); err != nil {
		return v, err
	}
	v.Type, v.Encrypted, v.Key, v.Snapshot = cmp.Or(in.Type, "gp2"), in.Encrypted != nil && *in.Encrypted, in.Key, in.Snapshot
	if in.Key != "" && !v.Encrypted {
		return v, refuse("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	if in.Rate != nil {
		v.InitializationRate = *in.Rate
	}
	switch {
	case in.Snapshot != "":
		of, err := snapshotRecord(tx, in.Snapshot)
		switch {
		case err != nil:
			return v, err
		case of.State != region.SnapshotCompleted:
			return v, refuse("IncorrectState", "Snapshot is in invalid state - %s", of.State)
		case in.GiB != nil && *in.GiB < of.GiB:
			return v, refuse("InvalidParameterValue", "Volume of size %dGB is smaller than snapshot '%s', expect size >= %dGB",
				*in.GiB, of.ID, of.GiB)
		case in.Encrypted != nil && !*in.Encrypted && of.Encrypted:
			return v, refuse("InvalidParameterCombination", "A volume of the encrypted snapshot '%s' is encrypted too.", of.ID)
		}
		v.GiB, v.Encrypted, v.Key = of.GiB, v.Encrypted || of.Encrypted, cmp.Or(v.Key, of.Key)
	case in.GiB == nil:
		return v, refuse("MissingParameter", "The request must contain the parameter size/snapshot")
	}
	v.VolumeShape, err = askedShape{in.GiB, in.IOPS, in.Throughput, in.Type, in.MultiAttach}.lay(v.VolumeShape)
	return v, err
}

// createVolume makes a volume, whose zone makes it available. A ClientToken that was used before gives the volume of then.
func (s *Service) createVolume(call *operation.Call, in *createVolumeInput) (*volume, error) {
	given, err := newTags(in.Specifications, "volume")
	if err != nil {
		return nil, err
	}
	asked, out := digestOf(in), &volume{}
	return change(s, call, out, func(tx *state.Txn) error {
		if earlier := region.VolumesByToken.Of(in.Token).List(tx); in.Token != "" && len(earlier) > 0 {
			if earlier[0].Asked != asked {
				return refuse("IdempotentParameterMismatch", "Arguments on this idempotent request are inconsistent with arguments "+
					"used in previous request(s).")
			}
			*out = s.shownVolume(earlier[0])
			out.Tags = s.tagsOf(tx, earlier[0].ID)
			return nil
		}
		v, err := in.plan(s, tx)
		if err != nil {
			return err
		}
		v.ID, v.Created, v.Token, v.Asked = newID("vol"), s.now(), in.Token, asked
		v = region.CreateVolume(tx, v)
		tags.Put(tx, v.ID, given)
		*out = s.shownVolume(v)
		out.Tags = given
		return nil
	})
}

type volumeIDInput struct {
	VolumeID string `ec2:"VolumeId,required"`
}

// deleteVolume deletes a volume that nobody uses: its zone deletes what it holds.
func (s *Service) deleteVolume(call *operation.Call, in *volumeIDInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		switch {
		case err != nil:
			return err
		case len(v.Attachments) > 0:
			return refuse("VolumeInUse", "Volume %s is currently attached to %s", v.ID, v.Attachments[0].InstanceID)
		case v.State == region.VolumeDeleting:
			return volumes.notFound(v.ID)
		case v.State != region.VolumeAvailable:
			return refuse("IncorrectState", "Volume '%s' is in the '%s' state.", v.ID, v.State)
		}
		_, err = region.DeleteVolume(tx, v.ID)
		return err
	})
}

type attachVolumeInput struct {
	Device     string `ec2:"Device,required"`
	InstanceID string `ec2:"InstanceId,required"`
	VolumeID   string `ec2:"VolumeId,required"`
	Card       *int   `ec2:"EbsCardIndex"`
}

func (s *Service) attachVolume(call *operation.Call, in *attachVolumeInput) (*attachment, error) {
	out := &attachment{}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		if err != nil {
			return err
		}
		to, err := s.instanceRecord(tx, in.InstanceID)
		if err != nil {
			return err
		}
		if err := s.attachable(tx, v, to, in.Device); err != nil {
			return err
		}
		a := region.VolumeAttachment{InstanceID: to.ID, Device: in.Device, At: s.now()}
		if _, err := region.AttachVolume(tx, v.ID, a); err != nil {
			return err
		}
		a.State = region.VolumeAttaching
		*out = shownAttachment(v.ID, a)
		return nil
	})
}

// mostSharers is how many instances a volume may be attached to that several may have.
const mostSharers = 16

// attachable refuses what EC2 does not attach.
func (s *Service) attachable(tx *state.Txn, v region.Volume, to region.Instance, device string) error {
	_, already := v.AttachedTo(to.ID)
	switch {
	case to.State != region.InstanceRunning && to.State != region.InstanceStopped:
		return refuse("IncorrectState", "Instance '%s' is not 'running'.", to.ID)
	case v.Zone != to.Zone:
		return refuse("InvalidVolume.ZoneMismatch", "The volume '%s' is not in the same availability zone as instance '%s'", v.ID, to.ID)
	case v.State == region.VolumeInUse && (!v.MultiAttach || already || len(v.Attachments) >= mostSharers):
		return refuse("VolumeInUse", "%s is already attached to an instance", v.ID)
	case v.State != region.VolumeAvailable && v.State != region.VolumeInUse:
		return refuse("IncorrectState", "%s is not 'available'.", v.ID)
	case v.MultiAttach && !onNitro(to.Launch.Type):
		return refuse("UnsupportedOperation", "Volumes that are enabled for Multi-Attach can be attached to instances built on "+
			"the Nitro System only: %s is not.", to.Launch.Type)
	}
	attached := s.attachedTo(tx, to)
	if most := mostAttachments(to.Launch.Type); len(attached) >= most {
		return refuse("AttachmentLimitExceeded", "You may attach up to %d devices for this instance type. Please use a larger "+
			"instance size to attach more volumes. For a detailed list of limits please see "+
			"https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/volume_limits.html", most)
	}
	return freeDevice(device, attached, to.ID)
}

func onNitro(instanceType string) bool {
	t, known := instancetypes.Find(instanceType)
	return known && t.Hypervisor != "xen"
}

type detachVolumeInput struct {
	VolumeID   string `ec2:"VolumeId,required"`
	InstanceID string `ec2:"InstanceId"`
	Device     string `ec2:"Device"`
	Force      bool   `ec2:"Force"` // nothing here holds a volume that is to go
}

// detachVolume begins to detach a volume. One that the instance was launched with gets a record of its own by that.
func (s *Service) detachVolume(call *operation.Call, in *detachVolumeInput) (*attachment, error) {
	out := &attachment{}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		if err != nil {
			return err
		}
		a, err := in.attachment(s, v)
		if err != nil {
			return err
		}
		if _, stored := region.Volumes.Get(tx, v.ID); !stored {
			if err := s.release(tx, v, a); err != nil {
				return err
			}
		}
		if _, err := region.DetachVolume(tx, v.ID, a.InstanceID); err != nil {
			return err
		}
		a.State = region.VolumeDetaching
		*out = shownAttachment(v.ID, a)
		return nil
	})
}

// attachment is the one that a call names: the only one, unless it says to which instance.
func (in *detachVolumeInput) attachment(s *Service, v region.Volume) (region.VolumeAttachment, error) {
	if len(v.Attachments) == 0 {
		return region.VolumeAttachment{}, refuse("IncorrectState", "Volume '%s' is in the '%s' state.", v.ID, v.State)
	}
	if in.InstanceID == "" && len(v.Attachments) > 1 {
		return region.VolumeAttachment{}, refuse("InvalidParameterCombination",
			"The volume '%s' is attached to several instances: name one by the parameter instanceId.", v.ID)
	}
	a := v.Attachments[0]
	if in.InstanceID != "" {
		if err := instances.check(in.InstanceID); err != nil {
			return a, err
		}
		found := false
		if a, found = v.AttachedTo(in.InstanceID); !found {
			return a, refuse("InvalidAttachment.NotFound", "The volume '%s' is not attached to instance '%s'.", v.ID, in.InstanceID)
		}
	}
	if in.Device != "" && in.Device != a.Device {
		return a, refuse("InvalidAttachment.NotFound", "The volume '%s' is not attached to instance '%s' as device '%s'.", v.ID,
			a.InstanceID, clip(in.Device))
	}
	return a, nil
}

// release gives a volume that an instance was launched with a record of its own.
func (s *Service) release(tx *state.Txn, v region.Volume, a region.VolumeAttachment) error {
	d := s.detailsOf(tx, a.InstanceID)
	if a.Device == d.Root.Device {
		return refuse("OperationNotPermitted", "Unable to detach root volume '%s' from instance '%s'", v.ID, a.InstanceID)
	}
	d.Disks = slices.DeleteFunc(slices.Clone(d.Disks), func(one instanceDisk) bool { return one.VolumeID == v.ID })
	s.keepDetails(tx, a.InstanceID, d)
	region.LeaveVolume(tx, v)
	return nil
}

// endVolumes ends what an instance that is terminated had of volumes: those that go with it are gone, the others are
// nobody's from now on.
func (s *Service) endVolumes(tx *state.Txn, v region.Instance) {
	d := s.detailsOf(tx, v.ID)
	for _, disk := range append([]instanceDisk{d.rootOf(v)}, d.Disks...) {
		if !disk.Keeps {
			tags.Delete(tx, disk.VolumeID)
			region.VolumeModifications.Delete(tx, disk.VolumeID)
			continue
		}
		kept := disk.record(v)
		kept.Attachments = nil
		region.LeaveVolume(tx, kept)
	}
	d.Disks = nil
	s.keepDetails(tx, v.ID, d)
	region.FreeVolumes(tx, v.ID)
}

// SettleVolume says that a volume's zone has made of it what it was about to become.
func (s *Service) SettleVolume(tx *state.Txn, id string) {
	if gone := region.SettleVolume(tx, id); gone {
		tags.Delete(tx, id)
	}
}
