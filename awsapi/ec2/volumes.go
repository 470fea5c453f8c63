package ec2

import (
	"cmp"
	"slices"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// volume is an EBS volume as EC2 shows it.
type volume struct {
	VolumeID    string           `xml:"volumeId"`
	Size        int              `xml:"size"` // GiB
	SnapshotID  string           `xml:"snapshotId"`
	SourceID    string           `xml:"sourceVolumeId,omitempty"`
	Zone        string           `xml:"availabilityZone"`
	ZoneID      string           `xml:"availabilityZoneId"`
	Status      string           `xml:"status"`
	CreateTime  string           `xml:"createTime"`
	Attachments list[attachment] `xml:"attachmentSet"`
	Tags        list[tag]        `xml:"tagSet"`
	Type        string           `xml:"volumeType"`
	IOPS        int              `xml:"iops,omitempty"`
	Throughput  int              `xml:"throughput,omitempty"`
	Encrypted   bool             `xml:"encrypted"`
	KeyID       string           `xml:"kmsKeyId,omitempty"`
	MultiAttach bool             `xml:"multiAttachEnabled"`
	Rate        int              `xml:"volumeInitializationRate,omitempty"`
	Operator    operator         `xml:"operator"`
}

type attachment struct {
	VolumeID            string `xml:"volumeId"`
	InstanceID          string `xml:"instanceId"`
	Device              string `xml:"device"`
	Status              string `xml:"status"`
	AttachTime          string `xml:"attachTime"`
	DeleteOnTermination bool   `xml:"deleteOnTermination"`
}

var volumes = &kind[volume]{
	prefix: "vol", noun: "volume", code: "InvalidVolume",
	misnamed: "InvalidVolumeID.Malformed", absent: "The volume '%s' does not exist.",
	id: func(v volume) string { return v.VolumeID },
	computed: func(s *Service, tx *state.Txn) (all []volume) {
		for _, v := range s.volumeRecords(tx) {
			all = append(all, s.shownVolume(v))
		}
		return all
	},
	find: func(s *Service, tx *state.Txn, ids []string) (all []volume) {
		for _, v := range s.volumesNamed(tx, ids) {
			all = append(all, s.shownVolume(v))
		}
		return all
	},
}

// volumeRecords are all volumes there are: those with a record, and those that instances were launched with.
func (s *Service) volumeRecords(tx *state.Txn) []region.Volume {
	all := region.Volumes.List(tx)
	for _, v := range region.Instances.List(tx) {
		all = append(all, s.launchVolumes(tx, v)...)
	}
	return all
}

// volumesNamed are those of the ids that there are, in the order of the ids. The instances are gone through only for those
// that have no record.
func (s *Service) volumesNamed(tx *state.Txn, ids []string) (all []region.Volume) {
	var launched map[string]region.Volume
	for _, id := range ids {
		v, found := region.Volumes.Get(tx, id)
		if !found && launched == nil {
			launched = map[string]region.Volume{}
			for _, one := range region.Instances.List(tx) {
				for _, v := range s.launchVolumes(tx, one) {
					launched[v.ID] = v
				}
			}
		}
		if !found {
			v, found = launched[id]
		}
		if found {
			all = append(all, v)
		}
	}
	return all
}

// volumeRecord is the volume with that id, or EC2's error.
func (s *Service) volumeRecord(tx *state.Txn, id string) (region.Volume, error) {
	if err := volumes.check(id); err != nil {
		return region.Volume{}, err
	}
	all := s.volumesNamed(tx, []string{id})
	if len(all) == 0 {
		return region.Volume{}, volumes.notFound(id)
	}
	return all[0], nil
}

// launchVolumes are the volumes that an instance was launched with and has yet, its root volume first.
func (s *Service) launchVolumes(tx *state.Txn, v region.Instance) (all []region.Volume) {
	if v.State == region.InstanceTerminated {
		return nil
	}
	d := s.detailsOf(tx, v.ID)
	for _, disk := range append([]instanceDisk{d.rootOf(v)}, d.Disks...) {
		all = append(all, disk.record(v))
	}
	return all
}

// record is the volume as it would be stored if it left its instance.
func (disk instanceDisk) record(v region.Instance) region.Volume {
	return region.Volume{
		ID: disk.VolumeID, Zone: v.Zone, State: region.VolumeInUse, Created: v.Launched,
		VolumeShape: region.VolumeShape{GiB: disk.GiB, Type: disk.Type, IOPS: disk.IOPS, Throughput: disk.Throughput},
		Snapshot:    disk.Snapshot, Encrypted: disk.Encrypted, Key: disk.Key,
		Attachments: []region.VolumeAttachment{{InstanceID: v.ID, Device: disk.Device, State: region.VolumeAttached,
			At: v.Launched, Deletes: !disk.Keeps}},
	}
}

// shownVolume is a volume as EC2 shows it, without its tags.
func (s *Service) shownVolume(v region.Volume) volume {
	shown := volume{VolumeID: v.ID, Size: v.GiB, SnapshotID: v.Snapshot, SourceID: v.Source, Zone: v.Zone, ZoneID: s.zoneID(v.Zone),
		Status: string(v.State), CreateTime: timestamp(v.Created), Type: v.Type, IOPS: v.IOPS, Throughput: v.Throughput,
		Encrypted: v.Encrypted, KeyID: v.Key, MultiAttach: v.MultiAttach, Rate: v.InitializationRate}
	for _, a := range v.Attachments {
		shown.Attachments = append(shown.Attachments, shownAttachment(v.ID, a))
	}
	return shown
}

func shownAttachment(volumeID string, a region.VolumeAttachment) attachment {
	return attachment{volumeID, a.InstanceID, a.Device, string(a.State), timestamp(a.At), a.Deletes}
}

// attachedTo are all volumes of an instance, its root volume first, and those that calls attached in the order of their
// devices.
func (s *Service) attachedTo(tx *state.Txn, v region.Instance) []region.Volume {
	added := region.VolumesByInstance.Of(v.ID).List(tx)
	slices.SortFunc(added, func(a, b region.Volume) int {
		one, _ := a.AttachedTo(v.ID)
		other, _ := b.AttachedTo(v.ID)
		return cmp.Compare(one.Device, other.Device)
	})
	return append(s.launchVolumes(tx, v), added...)
}

type describeVolumesInput struct {
	IDs        []string `ec2:"VolumeId"`
	Managed    bool     `ec2:"IncludeManagedResources"` // there are none
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeVolumesOutput struct {
	Volumes   list[volume] `xml:"volumeSet"`
	NextToken string       `xml:"nextToken,omitempty"`
}

func (s *Service) describeVolumes(call *operation.Call, in *describeVolumesInput) (*describeVolumesOutput, error) {
	found, next, err := describe(s, call, volumes, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *volume) { v.Tags = s.tagsOf(tx, v.VolumeID) })
	return &describeVolumesOutput{found, next}, err
}
