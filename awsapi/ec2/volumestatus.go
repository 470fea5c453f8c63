package ec2

import (
	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// volumeStatus is how a volume does, as EC2 shows it.
type volumeStatus struct {
	VolumeID string             `xml:"volumeId"`
	Zone     string             `xml:"availabilityZone"`
	ZoneID   string             `xml:"availabilityZoneId"`
	Status   volumeStatusInfo   `xml:"volumeStatus"`
	Actions  list[volumeAction] `xml:"actionsSet"`
	Events   list[volumeEvent]  `xml:"eventsSet"`
	Operator operator           `xml:"operator"`
}

type volumeStatusInfo struct {
	Status  string                   `xml:"status"`
	Details list[volumeStatusDetail] `xml:"details"`
}

type volumeStatusDetail struct {
	Name   string `xml:"name"`
	Status string `xml:"status"`
}

// volumeAction and volumeEvent are what there never is: nothing here damages a volume.
type volumeAction struct {
	Code        string `xml:"code"`
	Description string `xml:"description"`
	EventID     string `xml:"eventId"`
	EventType   string `xml:"eventType"`
}

type volumeEvent struct {
	Description string `xml:"description"`
	EventID     string `xml:"eventId"`
	EventType   string `xml:"eventType"`
	NotAfter    string `xml:"notAfter"`
	NotBefore   string `xml:"notBefore"`
}

var volumeStatuses = &kind[volumeStatus]{
	prefix: volumes.prefix, noun: volumes.noun, code: volumes.code, misnamed: volumes.misnamed, absent: volumes.absent,
	id: func(v volumeStatus) string { return v.VolumeID },
	computed: func(s *Service, tx *state.Txn) (all []volumeStatus) {
		for _, v := range s.volumeRecords(tx) {
			all = append(all, s.volumeStatusOf(tx, v))
		}
		return all
	},
	find: func(s *Service, tx *state.Txn, ids []string) (all []volumeStatus) {
		for _, v := range s.volumesNamed(tx, ids) {
			all = append(all, s.volumeStatusOf(tx, v))
		}
		return all
	},
}

// volumeStatusOf is ok, and of a volume whose zone answers nobody it is not known.
func (s *Service) volumeStatusOf(tx *state.Txn, v region.Volume) volumeStatus {
	status, enabled := "ok", "passed"
	if _, out := region.ZoneOutages.Get(tx, v.Zone); out {
		status, enabled = "insufficient-data", "insufficient-data"
	}
	return volumeStatus{VolumeID: v.ID, Zone: v.Zone, ZoneID: s.zoneID(v.Zone),
		Status: volumeStatusInfo{status, list[volumeStatusDetail]{{"io-enabled", enabled}, {"io-performance", "not-applicable"}}}}
}

type describeVolumeStatusOutput struct {
	Statuses  list[volumeStatus] `xml:"volumeStatusSet"`
	NextToken string             `xml:"nextToken,omitempty"`
}

func (s *Service) describeVolumeStatus(call *operation.Call, in *describeVolumesInput) (*describeVolumeStatusOutput, error) {
	found, next, err := describe(s, call, volumeStatuses, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(*state.Txn, *volumeStatus) {})
	return &describeVolumeStatusOutput{found, next}, err
}

type describeVolumeAttributeInput struct {
	Attribute string `ec2:"Attribute,required"`
	VolumeID  string `ec2:"VolumeId,required"`
}

type describeVolumeAttributeOutput struct {
	VolumeID     string          `xml:"volumeId"`
	AutoIO       *valueOf[bool]  `xml:"autoEnableIO"`
	ProductCodes *list[struct{}] `xml:"productCodes"`
}

func (s *Service) describeVolumeAttribute(call *operation.Call,
	in *describeVolumeAttributeInput) (*describeVolumeAttributeOutput, error) {
	out := &describeVolumeAttributeOutput{VolumeID: in.VolumeID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "autoEnableIO":
			out.AutoIO = shownValue(v.AutoIO)
		case "productCodes":
			out.ProductCodes = &list[struct{}]{}
		default:
			return unknownAttribute(in.Attribute)
		}
		return nil
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return out, nil
}

func unknownAttribute(name string) error {
	return refuse("InvalidParameterValue", "Value (%s) for parameter attribute is invalid. Unknown attribute.", clip(name))
}

type modifyVolumeAttributeInput struct {
	VolumeID string            `ec2:"VolumeId,required"`
	AutoIO   *givenValue[bool] `ec2:"AutoEnableIO"`
}

// modifyVolumeAttribute keeps what it is told of a volume with a record: what it would do, nothing here asks for.
func (s *Service) modifyVolumeAttribute(call *operation.Call, in *modifyVolumeAttributeInput) (*done, error) {
	if in.AutoIO == nil {
		return nil, refuse("MissingParameter", "The request must contain the parameter autoEnableIO")
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		if err != nil {
			return err
		}
		region.ChangeVolume(tx, v.ID, func(v *region.Volume) { v.AutoIO = in.AutoIO.Value })
		return nil
	})
}

// enableVolumeIO is for volumes whose I/O EC2 has switched off, which it does to none here.
func (s *Service) enableVolumeIO(call *operation.Call, in *volumeIDInput) (*done, error) {
	err := s.State.View(func(tx *state.Txn) error {
		_, err := s.volumeRecord(tx, in.VolumeID)
		return err
	})
	if err != nil {
		return nil, wrap(call, err)
	}
	return &done{true}, nil
}
