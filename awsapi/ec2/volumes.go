package ec2

import (
	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// volume is an EBS volume as EC2 shows it: those of instances.
type volume struct {
	VolumeID    string           `xml:"volumeId"`
	Size        int              `xml:"size"` // GiB
	SnapshotID  string           `xml:"snapshotId"`
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
	misnamed: "InvalidVolumeID.Malformed",
	id:       func(v volume) string { return v.VolumeID },
	computed: func(s *Service, tx *state.Txn) []volume { return s.volumes(tx) },
}

// volumes are those that instances were launched with.
func (s *Service) volumes(tx *state.Txn) (all []volume) {
	for _, v := range region.Instances.List(tx) {
		if v.State == region.InstanceTerminated {
			continue
		}
		d, launched := s.detailsOf(tx, v.ID), timestamp(v.Launched)
		for _, disk := range append([]instanceDisk{d.rootOf(v)}, d.Disks...) {
			all = append(all, volume{VolumeID: disk.VolumeID, Size: disk.GiB, SnapshotID: disk.Snapshot, Zone: v.Zone,
				ZoneID: s.zoneID(v.Zone), Status: "in-use", CreateTime: launched, Type: disk.Type, IOPS: disk.IOPS,
				Throughput: disk.Throughput, Encrypted: disk.Encrypted, KeyID: disk.Key,
				Attachments: list[attachment]{{disk.VolumeID, v.ID, disk.Device, "attached", launched, !disk.Keeps}}})
		}
	}
	return all
}

type describeVolumesInput struct {
	IDs        []string `ec2:"VolumeId"`
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
