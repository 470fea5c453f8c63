package ec2

import (
	"slices"
	"time"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// How often a volume may be changed: so many times within so long.
const (
	mostModifications   = 4
	modificationsWithin = 24 * time.Hour
)

// volumeModification is a change of a volume as EC2 shows it.
type volumeModification struct {
	VolumeID            string   `xml:"volumeId"`
	State               string   `xml:"modificationState"`
	Progress            int      `xml:"progress"`
	StartTime           string   `xml:"startTime"`
	EndTime             string   `xml:"endTime,omitempty"`
	TargetSize          int      `xml:"targetSize"`
	TargetIOPS          int      `xml:"targetIops,omitempty"`
	TargetType          string   `xml:"targetVolumeType"`
	TargetThroughput    int      `xml:"targetThroughput,omitempty"`
	TargetMultiAttach   bool     `xml:"targetMultiAttachEnabled"`
	OriginalSize        int      `xml:"originalSize"`
	OriginalIOPS        int      `xml:"originalIops,omitempty"`
	OriginalType        string   `xml:"originalVolumeType"`
	OriginalThroughput  int      `xml:"originalThroughput,omitempty"`
	OriginalMultiAttach bool     `xml:"originalMultiAttachEnabled"`
	Operator            operator `xml:"operator"`
}

// shownModification is a change that is done, as all are as soon as they have begun.
func shownModification(m region.VolumeModification) volumeModification {
	return volumeModification{
		VolumeID: m.VolumeID, State: "completed", Progress: 100, StartTime: timestamp(m.At), EndTime: timestamp(m.At),
		TargetSize: m.To.GiB, TargetIOPS: m.To.IOPS, TargetType: m.To.Type, TargetThroughput: m.To.Throughput,
		TargetMultiAttach: m.To.MultiAttach, OriginalSize: m.From.GiB, OriginalIOPS: m.From.IOPS, OriginalType: m.From.Type,
		OriginalThroughput: m.From.Throughput, OriginalMultiAttach: m.From.MultiAttach,
	}
}

var volumeModifications = &kind[volumeModification]{
	prefix: volumes.prefix, noun: volumes.noun, code: volumes.code, misnamed: volumes.misnamed,
	missing: "InvalidVolumeModification.NotFound", absent: "Modification for volume '%s' does not exist.",
	id: func(v volumeModification) string { return v.VolumeID },
	computed: func(_ *Service, tx *state.Txn) (all []volumeModification) {
		for _, m := range region.VolumeModifications.List(tx) {
			all = append(all, shownModification(m))
		}
		return all
	},
	find: eachFound(func(_ *Service, tx *state.Txn, id string) (volumeModification, bool) {
		m, found := region.VolumeModifications.Get(tx, id)
		return shownModification(m), found
	}),
}

type modifyVolumeInput struct {
	VolumeID    string `ec2:"VolumeId,required"`
	GiB         *int   `ec2:"Size"`
	Type        string `ec2:"VolumeType"`
	IOPS        *int   `ec2:"Iops"`
	Throughput  *int   `ec2:"Throughput"`
	MultiAttach *bool  `ec2:"MultiAttachEnabled"`
}

type modifyVolumeOutput struct {
	Modification volumeModification `xml:"volumeModification"`
}

func (s *Service) modifyVolume(call *operation.Call, in *modifyVolumeInput) (*modifyVolumeOutput, error) {
	if in.GiB == nil && in.Type == "" && in.IOPS == nil && in.Throughput == nil && in.MultiAttach == nil {
		return nil, refuse("InvalidParameterCombination",
			"The request must contain one of the parameters size, volumeType, iops, throughput and multiAttachEnabled.")
	}
	out := &modifyVolumeOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		switch {
		case err != nil:
			return err
		case v.State != region.VolumeAvailable && v.State != region.VolumeInUse:
			return refuse("IncorrectModificationState", "Volume '%s' is in the '%s' state.", v.ID, v.State)
		case in.GiB != nil && *in.GiB < v.GiB:
			return refuse("InvalidParameterValue", "New size cannot be smaller than existing size")
		case in.MultiAttach != nil && *in.MultiAttach != v.MultiAttach && v.State == region.VolumeInUse:
			return refuse("IncorrectModificationState",
				"Multi-Attach of volume '%s' can be changed only while it is attached to no instance.", v.ID)
		}
		to, err := askedShape{in.GiB, in.IOPS, in.Throughput, in.Type, in.MultiAttach}.lay(v.VolumeShape)
		if err != nil {
			return err
		}
		m, err := s.nextModification(tx, v, to)
		if err != nil {
			return err
		}
		s.reshape(tx, v, to)
		region.VolumeModifications.Put(tx, v.ID, m)
		out.Modification = shownModification(m)
		out.Modification.State, out.Modification.Progress, out.Modification.EndTime = "modifying", 0, ""
		return nil
	})
}

// nextModification is the record of a change, where EC2 takes another one so soon.
func (s *Service) nextModification(tx *state.Txn, v region.Volume, to region.VolumeShape) (region.VolumeModification, error) {
	now := s.now()
	last, before := region.VolumeModifications.Get(tx, v.ID)
	m := region.VolumeModification{VolumeID: v.ID, From: v.VolumeShape, To: to, At: now}
	if before {
		m.Earlier = append(slices.Clone(last.Earlier), last.At)
	}
	m.Earlier = slices.DeleteFunc(m.Earlier, func(at time.Time) bool { return now.Sub(at) >= modificationsWithin })
	if len(m.Earlier) >= mostModifications {
		return m, refuse("VolumeModificationRateExceeded", "You've reached the maximum modification rate per volume limit. Wait until "+
			"fewer than %d modifications of volume '%s' were made in the last 24 hours.", mostModifications, v.ID)
	}
	return m, nil
}

// reshape gives a volume its new shape: one that an instance was launched with has it among the instance's details.
func (s *Service) reshape(tx *state.Txn, v region.Volume, to region.VolumeShape) {
	if _, stored := region.Volumes.Get(tx, v.ID); stored {
		region.ChangeVolume(tx, v.ID, func(v *region.Volume) { v.VolumeShape = to })
		return
	}
	holder := v.Attachments[0]
	d := s.detailsOf(tx, holder.InstanceID)
	d.Disks = slices.Clone(d.Disks)
	disk := &d.Root
	for i := range d.Disks {
		if d.Disks[i].VolumeID == v.ID {
			disk = &d.Disks[i]
		}
	}
	disk.GiB, disk.Type, disk.IOPS, disk.Throughput = to.GiB, to.Type, to.IOPS, to.Throughput
	s.keepDetails(tx, holder.InstanceID, d)
}

type describeVolumesModificationsInput struct {
	IDs        []string `ec2:"VolumeId"`
	Filters    []filter `ec2:"Filter"`
	MaxResults *int     `ec2:"MaxResults"`
	NextToken  string   `ec2:"NextToken"`
}

type describeVolumesModificationsOutput struct {
	Modifications list[volumeModification] `xml:"volumeModificationSet"`
	NextToken     string                   `xml:"nextToken,omitempty"`
}

func (s *Service) describeVolumesModifications(call *operation.Call,
	in *describeVolumesModificationsInput) (*describeVolumesModificationsOutput, error) {
	found, next, err := describe(s, call, volumeModifications, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *volumeModification) {})
	return &describeVolumesModificationsOutput{found, next}, err
}
