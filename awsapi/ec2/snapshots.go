package ec2

import (
	"slices"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// snapshot is a snapshot of a volume as EC2 shows it.
type snapshot struct {
	SnapshotID   string    `xml:"snapshotId"`
	VolumeID     string    `xml:"volumeId"`
	Status       string    `xml:"status"`
	StartTime    string    `xml:"startTime"`
	Completed    string    `xml:"completionTime,omitempty"`
	Progress     string    `xml:"progress"`
	OwnerID      string    `xml:"ownerId"`
	Size         int       `xml:"volumeSize"`
	FullSize     int       `xml:"fullSnapshotSizeInBytes,omitempty"`
	Description  string    `xml:"description"`
	Encrypted    bool      `xml:"encrypted"`
	KeyID        string    `xml:"kmsKeyId,omitempty"`
	StorageTier  string    `xml:"storageTier"`
	TransferType string    `xml:"transferType,omitempty"`
	Tags         list[tag] `xml:"tagSet"`

	restorable []string // the accounts that may make volumes of it; all: everybody
}

var snapshots = &kind[snapshot]{
	prefix: "snap", noun: "snapshot", code: "InvalidSnapshot", misnamed: "InvalidSnapshotID.Malformed",
	absent: "The snapshot '%s' does not exist.",
	id:     func(v snapshot) string { return v.SnapshotID },
	computed: func(s *Service, tx *state.Txn) (all []snapshot) {
		for _, v := range region.Snapshots.List(tx) {
			if v.State != region.SnapshotDeleted {
				all = append(all, s.shownSnapshot(v))
			}
		}
		return all
	},
	find: eachFound(func(s *Service, tx *state.Txn, id string) (snapshot, bool) {
		v, found := region.Snapshots.Get(tx, id)
		return s.shownSnapshot(v), found && v.State != region.SnapshotDeleted
	}),
}

// snapshotRecord is the snapshot with that id, or EC2's error.
func snapshotRecord(tx *state.Txn, id string) (region.Snapshot, error) {
	if err := snapshots.check(id); err != nil {
		return region.Snapshot{}, err
	}
	v, found := region.Snapshots.Get(tx, id)
	if !found || v.State == region.SnapshotDeleted {
		return v, snapshots.notFound(id)
	}
	return v, nil
}

func (s *Service) shownSnapshot(v region.Snapshot) snapshot {
	shown := snapshot{SnapshotID: v.ID, VolumeID: v.VolumeID, Status: string(v.State), StartTime: timestamp(v.Started),
		Progress: "0%", OwnerID: s.VPC.AccountID, Size: v.GiB, Description: v.Description, Encrypted: v.Encrypted, KeyID: v.Key,
		StorageTier: "standard", restorable: v.Accounts}
	if v.State == region.SnapshotCompleted {
		shown.Progress, shown.Completed = "100%", timestamp(v.Completed)
	}
	if v.Public {
		shown.restorable = append(slices.Clone(v.Accounts), "all")
	}
	return shown
}

type describeSnapshotsInput struct {
	IDs          []string `ec2:"SnapshotId"`
	Owners       []string `ec2:"Owner"`
	RestorableBy []string `ec2:"RestorableBy"`
	Filters      []filter `ec2:"Filter"`
	MaxResults   *int     `ec2:"MaxResults"`
	NextToken    string   `ec2:"NextToken"`
}

type describeSnapshotsOutput struct {
	Snapshots list[snapshot] `xml:"snapshotSet"`
	NextToken string         `xml:"nextToken,omitempty"`
}

// describeSnapshots shows the account's own: nobody else has any here.
func (s *Service) describeSnapshots(call *operation.Call, in *describeSnapshotsInput) (*describeSnapshotsOutput, error) {
	found, next, err := describe(s, call, snapshots, in.IDs, page{in.Filters, in.MaxResults, in.NextToken},
		func(tx *state.Txn, v *snapshot) { v.Tags = s.tagsOf(tx, v.SnapshotID) })
	found = slices.DeleteFunc(found, func(v snapshot) bool {
		owned := len(in.Owners) == 0 || slices.ContainsFunc(in.Owners, s.isSelf)
		restorable := len(in.RestorableBy) == 0 || slices.ContainsFunc(in.RestorableBy, func(by string) bool {
			return s.isSelf(by) || slices.Contains(v.restorable, by)
		})
		return !owned || !restorable
	})
	return &describeSnapshotsOutput{found, next}, err
}

// isSelf says whether an owner that a call names is the account itself.
func (s *Service) isSelf(owner string) bool { return owner == "self" || owner == s.VPC.AccountID }

type createSnapshotInput struct {
	VolumeID       string             `ec2:"VolumeId,required"`
	Description    string             `ec2:"Description"`
	Outpost        string             `ec2:"OutpostArn"`
	Location       string             `ec2:"Location"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// createSnapshot begins a snapshot: the volume's zone copies what the volume holds, and completes it.
func (s *Service) createSnapshot(call *operation.Call, in *createSnapshotInput) (*snapshot, error) {
	if in.Outpost != "" || in.Location == "local" {
		return nil, refuse("UnsupportedOperation", "Tripod has neither Outposts nor Local Zones: snapshots are regional.")
	}
	given, err := newTags(in.Specifications, "snapshot")
	if err != nil {
		return nil, err
	}
	out := &snapshot{}
	return change(s, call, out, func(tx *state.Txn) error {
		v, err := s.volumeRecord(tx, in.VolumeID)
		if err != nil {
			return err
		}
		if *out, err = s.startSnapshot(tx, v, in.Description, given); err != nil {
			return err
		}
		return nil
	})
}

func (s *Service) startSnapshot(tx *state.Txn, v region.Volume, description string, given []tag) (snapshot, error) {
	if v.State != region.VolumeAvailable && v.State != region.VolumeInUse {
		return snapshot{}, refuse("IncorrectState", "Volume '%s' is in the '%s' state.", v.ID, v.State)
	}
	made := region.StartSnapshot(tx, region.Snapshot{ID: newID("snap"), Description: description, VolumeID: v.ID, Zone: v.Zone,
		GiB: v.GiB, Encrypted: v.Encrypted, Key: v.Key, Started: s.now()})
	tags.Put(tx, made.ID, given)
	shown := s.shownSnapshot(made)
	shown.Progress, shown.Tags = "", given
	return shown, nil
}

type createSnapshotsInput struct {
	Of struct {
		InstanceID string   `ec2:"InstanceId,required"`
		NoRoot     bool     `ec2:"ExcludeBootVolume"`
		Without    []string `ec2:"ExcludeDataVolumeId"`
	} `ec2:"InstanceSpecification,required"`
	Description    string             `ec2:"Description"`
	Outpost        string             `ec2:"OutpostArn"`
	Location       string             `ec2:"Location"`
	CopyTags       string             `ec2:"CopyTagsFromSource"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// snapshotInfo is a snapshot as CreateSnapshots shows it.
type snapshotInfo struct {
	SnapshotID  string    `xml:"snapshotId"`
	VolumeID    string    `xml:"volumeId"`
	State       string    `xml:"state"`
	StartTime   string    `xml:"startTime"`
	Progress    string    `xml:"progress"`
	OwnerID     string    `xml:"ownerId"`
	Size        int       `xml:"volumeSize"`
	Description string    `xml:"description"`
	Encrypted   bool      `xml:"encrypted"`
	Tags        list[tag] `xml:"tagSet"`
}

type createSnapshotsOutput struct {
	Snapshots list[snapshotInfo] `xml:"snapshotSet"`
}

// createSnapshots begins one of each volume of an instance.
func (s *Service) createSnapshots(call *operation.Call, in *createSnapshotsInput) (*createSnapshotsOutput, error) {
	if in.Outpost != "" || in.Location == "local" {
		return nil, refuse("UnsupportedOperation", "Tripod has neither Outposts nor Local Zones: snapshots are regional.")
	}
	given, err := newTags(in.Specifications, "snapshot")
	if err != nil {
		return nil, err
	}
	out := &createSnapshotsOutput{}
	return change(s, call, out, func(tx *state.Txn) error {
		out.Snapshots = nil
		of, err := s.instanceRecord(tx, in.Of.InstanceID)
		if err != nil {
			return err
		}
		for _, v := range s.attachedTo(tx, of) {
			if v.ID == of.VolumeID && in.Of.NoRoot || slices.Contains(in.Of.Without, v.ID) {
				continue
			}
			own := given
			if in.CopyTags == "volume" {
				if own, err = mergeTags(s.tagsOf(tx, v.ID), given, true); err != nil {
					return err
				}
			}
			made, err := s.startSnapshot(tx, v, in.Description, own)
			if err != nil {
				return err
			}
			out.Snapshots = append(out.Snapshots, snapshotInfo{made.SnapshotID, made.VolumeID, made.Status, made.StartTime, made.Progress,
				made.OwnerID, made.Size, made.Description, made.Encrypted, made.Tags})
		}
		return nil
	})
}

type copySnapshotInput struct {
	Source         string             `ec2:"SourceSnapshotId,required"`
	SourceRegion   string             `ec2:"SourceRegion,required"`
	Destination    string             `ec2:"DestinationRegion"`
	Outpost        string             `ec2:"DestinationOutpostArn"`
	Zone           string             `ec2:"DestinationAvailabilityZone"`
	Description    string             `ec2:"Description"`
	Encrypted      *bool              `ec2:"Encrypted"`
	Key            string             `ec2:"KmsKeyId"`
	URL            string             `ec2:"PresignedUrl"`
	Minutes        *int               `ec2:"CompletionDurationMinutes"`
	Specifications []tagSpecification `ec2:"TagSpecification"`
}

// copiedVolume is the volume that EC2 shows of a snapshot which is a copy of another one.
const copiedVolume = "vol-ffffffff"

type copySnapshotOutput struct {
	SnapshotID string    `xml:"snapshotId"`
	Tags       list[tag] `xml:"tagSet"`
}

func (s *Service) copySnapshot(call *operation.Call, in *copySnapshotInput) (*copySnapshotOutput, error) {
	switch {
	case in.Outpost != "" || in.Zone != "":
		return nil, refuse("UnsupportedOperation", "Tripod has neither Outposts nor Local Zones: snapshots are regional.")
	case in.SourceRegion != s.VPC.Region:
		return nil, refuse("InvalidRequest", "The region %s is not here: Tripod has one, %s.", clip(in.SourceRegion), s.VPC.Region)
	case in.Key != "" && (in.Encrypted == nil || !*in.Encrypted):
		return nil, refuse("InvalidParameterDependency", "The parameter KmsKeyId requires the parameter Encrypted to be set.")
	}
	given, err := newTags(in.Specifications, "snapshot")
	if err != nil {
		return nil, err
	}
	out := &copySnapshotOutput{Tags: given}
	return change(s, call, out, func(tx *state.Txn) error {
		of, err := snapshotRecord(tx, in.Source)
		switch {
		case err != nil:
			return err
		case of.State != region.SnapshotCompleted:
			return refuse("IncorrectState", "Snapshot is in invalid state - %s", of.State)
		}
		made := of
		made.ID, made.Source, made.Description, made.Started = newID("snap"), of.ID, in.Description, s.now()
		made.VolumeID, made.Public, made.Accounts = copiedVolume, false, nil
		if in.Encrypted != nil && *in.Encrypted {
			made.Encrypted, made.Key = true, in.Key
		}
		made = region.StartSnapshot(tx, made)
		tags.Put(tx, made.ID, given)
		out.SnapshotID = made.ID
		return nil
	})
}

type snapshotIDInput struct {
	SnapshotID string `ec2:"SnapshotId,required"`
}

func (s *Service) deleteSnapshot(call *operation.Call, in *snapshotIDInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		v, err := snapshotRecord(tx, in.SnapshotID)
		if err != nil {
			return err
		}
		for _, e := range userImages.List(tx) {
			for _, d := range e.Value.Devices {
				if d.EBS != nil && d.EBS.SnapshotID == v.ID {
					return refuse("InvalidSnapshot.InUse", "The snapshot %s is currently in use by %s", v.ID, e.Value.ImageID)
				}
			}
		}
		tags.Delete(tx, v.ID)
		region.DeleteSnapshot(tx, v.ID)
		return nil
	})
}

type describeSnapshotAttributeInput struct {
	Attribute  string `ec2:"Attribute,required"`
	SnapshotID string `ec2:"SnapshotId,required"`
}

type volumePermission struct {
	Group   string `ec2:"Group" xml:"group,omitempty"`
	Account string `ec2:"UserId" xml:"userId,omitempty"`
}

type describeSnapshotAttributeOutput struct {
	SnapshotID   string                  `xml:"snapshotId"`
	Permissions  *list[volumePermission] `xml:"createVolumePermission"`
	ProductCodes *list[struct{}]         `xml:"productCodes"`
}

func (s *Service) describeSnapshotAttribute(call *operation.Call,
	in *describeSnapshotAttributeInput) (*describeSnapshotAttributeOutput, error) {
	out := &describeSnapshotAttributeOutput{SnapshotID: in.SnapshotID}
	err := s.State.View(func(tx *state.Txn) error {
		v, err := snapshotRecord(tx, in.SnapshotID)
		if err != nil {
			return err
		}
		switch in.Attribute {
		case "createVolumePermission":
			out.Permissions = &list[volumePermission]{}
			if v.Public {
				*out.Permissions = append(*out.Permissions, volumePermission{Group: "all"})
			}
			for _, account := range v.Accounts {
				*out.Permissions = append(*out.Permissions, volumePermission{Account: account})
			}
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

type modifySnapshotAttributeInput struct {
	SnapshotID string   `ec2:"SnapshotId,required"`
	Attribute  string   `ec2:"Attribute"`
	Operation  string   `ec2:"OperationType"`
	Groups     []string `ec2:"UserGroup"`
	Accounts   []string `ec2:"UserId"`
	Permission struct {
		Add    []volumePermission `ec2:"Add"`
		Remove []volumePermission `ec2:"Remove"`
	} `ec2:"CreateVolumePermission"`
}

// changes are who may make volumes of a snapshot from now on, and who may not any more, in either form of the call.
func (in *modifySnapshotAttributeInput) changes() (add, remove []volumePermission, err error) {
	add, remove = in.Permission.Add, in.Permission.Remove
	var named []volumePermission
	for _, group := range in.Groups {
		named = append(named, volumePermission{Group: group})
	}
	for _, account := range in.Accounts {
		named = append(named, volumePermission{Account: account})
	}
	switch {
	case in.Attribute != "" && in.Attribute != "createVolumePermission":
		return nil, nil, unknownAttribute(in.Attribute)
	case in.Operation == "remove":
		remove = append(remove, named...)
	case in.Operation == "add" || len(named) == 0:
		add = append(add, named...)
	default:
		return nil, nil, refuse("MissingParameter", "The request must contain the parameter operationType")
	}
	for _, one := range slices.Concat(add, remove) {
		if one.Group != "" && one.Group != "all" {
			return nil, nil, refuse("InvalidParameterValue", "Invalid attribute item value \"%s\" for userGroup item type.",
				clip(one.Group))
		}
	}
	return add, remove, nil
}

func (s *Service) modifySnapshotAttribute(call *operation.Call, in *modifySnapshotAttributeInput) (*done, error) {
	add, remove, err := in.changes()
	if err != nil {
		return nil, err
	}
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		if _, err := snapshotRecord(tx, in.SnapshotID); err != nil {
			return err
		}
		region.ChangeSnapshot(tx, in.SnapshotID, func(v *region.Snapshot) {
			v.Accounts = slices.Clone(v.Accounts)
			for _, one := range add {
				if one.Group == "all" {
					v.Public = true
				} else if !slices.Contains(v.Accounts, one.Account) {
					v.Accounts = append(v.Accounts, one.Account)
				}
			}
			for _, one := range remove {
				if one.Group == "all" {
					v.Public = false
				}
				v.Accounts = slices.DeleteFunc(v.Accounts, func(account string) bool { return account == one.Account })
			}
		})
		return nil
	})
}

func (s *Service) resetSnapshotAttribute(call *operation.Call, in *describeSnapshotAttributeInput) (*done, error) {
	return change(s, call, &done{true}, func(tx *state.Txn) error {
		if _, err := snapshotRecord(tx, in.SnapshotID); err != nil {
			return err
		}
		if in.Attribute != "createVolumePermission" {
			return unknownAttribute(in.Attribute)
		}
		region.ChangeSnapshot(tx, in.SnapshotID, func(v *region.Snapshot) { v.Public, v.Accounts = false, nil })
		return nil
	})
}
