package ec2

import (
	"tripod/awsapi/operation"
	"tripod/state"
)

// volume is an EBS volume as EC2 shows it: the nodes' root volumes.
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
	IOPS        int              `xml:"iops"`
	Throughput  int              `xml:"throughput"`
	Encrypted   bool             `xml:"encrypted"`
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

// volumes are the nodes' root volumes, of the size and kind that EKS gives them.
func (s *Service) volumes(tx *state.Txn) (all []volume) {
	for _, n := range s.Nodes(tx) {
		launched := timestamp(n.Launched)
		all = append(all, volume{VolumeID: n.VolumeID, Size: 20, Zone: n.Zone, ZoneID: n.ZoneID, Status: "in-use",
			CreateTime: launched, Type: "gp3", IOPS: 3000, Throughput: 125,
			Attachments: list[attachment]{{n.VolumeID, n.ID, rootDevice, "attached", launched, true}}})
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
