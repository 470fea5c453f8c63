package region

import (
	"slices"
	"time"

	"tripod/state"
)

// VolumeState is where a volume is in its life, in EC2's words.
type VolumeState string

// The states of a volume.
//
//	CreateVolume      none -> creating
//	LeaveVolume       none -> available, or in-use: of one that was among its instance's details
//	SettleVolume      creating -> available, deleting -> none; attachments too
//	AttachVolume      available -> in-use
//	DetachVolume      in-use -> available, by SettleVolume
//	DeleteVolume      available -> deleting
const (
	VolumeCreating  VolumeState = "creating"
	VolumeAvailable VolumeState = "available"
	VolumeInUse     VolumeState = "in-use"
	VolumeDeleting  VolumeState = "deleting"
)

// AttachmentState is where an attachment is in its life, in EC2's words.
type AttachmentState string

// The states of an attachment.
const (
	VolumeAttaching AttachmentState = "attaching"
	VolumeAttached  AttachmentState = "attached"
	VolumeDetaching AttachmentState = "detaching"
)

// SnapshotState is where a snapshot is in its life, in EC2's words.
type SnapshotState string

// The states of a snapshot: the agent of the volume's zone copies what the volume holds, and completes it.
const (
	SnapshotPending   SnapshotState = "pending"
	SnapshotCompleted SnapshotState = "completed"
	// SnapshotDeleted is that of one which EC2 does not show any more, and of which the zone's agent has the files yet.
	SnapshotDeleted SnapshotState = "deleted"
)

// settled says that nothing of the volume follows by itself.
func (v Volume) settled() bool {
	return v.State != VolumeCreating && v.State != VolumeDeleting &&
		!slices.ContainsFunc(v.Attachments, func(a VolumeAttachment) bool { return a.State != VolumeAttached })
}

// AttachedTo is the volume's attachment to an instance.
func (v Volume) AttachedTo(instanceID string) (VolumeAttachment, bool) {
	at := slices.IndexFunc(v.Attachments, func(a VolumeAttachment) bool { return a.InstanceID == instanceID })
	if at < 0 {
		return VolumeAttachment{}, false
	}
	return v.Attachments[at], true
}

// CreateVolume writes a new volume, creating.
func CreateVolume(tx *state.Txn, v Volume) Volume {
	v.State = VolumeCreating
	Volumes.Put(tx, v.ID, v)
	return v
}

// LeaveVolume writes the record of a volume that its instance was launched with and leaves, or keeps when it ends.
func LeaveVolume(tx *state.Txn, v Volume) Volume {
	v.State = VolumeAvailable
	if len(v.Attachments) > 0 {
		v.State = VolumeInUse
	}
	Volumes.Put(tx, v.ID, v)
	return v
}

// ChangeVolume changes what of a volume is no state: its shape and its attributes.
func ChangeVolume(tx *state.Txn, id string, change func(*Volume)) {
	if v, found := Volumes.Get(tx, id); found {
		change(&v)
		Volumes.Put(tx, id, v)
	}
}

// AttachVolume begins to attach a volume. One that is neither available, nor made for several instances and in use, is
// refused.
func AttachVolume(tx *state.Txn, id string, a VolumeAttachment) (Volume, error) {
	v, _ := Volumes.Get(tx, id)
	if v.State != VolumeAvailable && !(v.State == VolumeInUse && v.MultiAttach) {
		return v, &RefusedError{"volume " + id, string(v.State), string(VolumeInUse)}
	}
	a.State = VolumeAttaching
	v.State, v.Attachments = VolumeInUse, append(slices.Clone(v.Attachments), a)
	Volumes.Put(tx, id, v)
	return v, nil
}

// DetachVolume begins to detach a volume from an instance.
func DetachVolume(tx *state.Txn, id, instanceID string) (Volume, error) {
	v, _ := Volumes.Get(tx, id)
	if _, attached := v.AttachedTo(instanceID); !attached {
		return v, &RefusedError{"volume " + id, string(v.State), string(VolumeDetaching)}
	}
	v.Attachments = slices.Clone(v.Attachments)
	for i := range v.Attachments {
		if v.Attachments[i].InstanceID == instanceID {
			v.Attachments[i].State = VolumeDetaching
		}
	}
	Volumes.Put(tx, id, v)
	return v, nil
}

// DeleteVolume begins to delete a volume. One in use, or deleted already, is refused.
func DeleteVolume(tx *state.Txn, id string) (Volume, error) {
	v, _ := Volumes.Get(tx, id)
	if v.State != VolumeAvailable {
		return v, &RefusedError{"volume " + id, string(v.State), string(VolumeDeleting)}
	}
	v.State = VolumeDeleting
	Volumes.Put(tx, id, v)
	return v, nil
}

// FreeVolumes ends the attachments of an instance that is terminated: volumes that go with it are to be deleted, the
// others become available.
func FreeVolumes(tx *state.Txn, instanceID string) {
	for _, v := range VolumesByInstance.Of(instanceID).List(tx) {
		a, _ := v.AttachedTo(instanceID)
		v.Attachments = slices.DeleteFunc(slices.Clone(v.Attachments),
			func(a VolumeAttachment) bool { return a.InstanceID == instanceID })
		if len(v.Attachments) == 0 && v.State == VolumeInUse {
			v.State = VolumeAvailable
			if a.Deletes {
				v.State = VolumeDeleting
			}
		}
		Volumes.Put(tx, v.ID, v)
	}
}

// SettleVolume says that what a volume was about to become, it is: its zone has done its part. One that was to be deleted
// is gone then, as gone says.
func SettleVolume(tx *state.Txn, id string) (gone bool) {
	v, found := Volumes.Get(tx, id)
	switch {
	case !found || v.settled():
		return false
	case v.State == VolumeDeleting:
		Volumes.Delete(tx, id)
		VolumeModifications.Delete(tx, id)
		return true
	case v.State == VolumeCreating:
		v.State = VolumeAvailable
	}
	v.Attachments = slices.DeleteFunc(slices.Clone(v.Attachments),
		func(a VolumeAttachment) bool { return a.State == VolumeDetaching })
	for i := range v.Attachments {
		v.Attachments[i].State = VolumeAttached
	}
	if len(v.Attachments) == 0 && v.State == VolumeInUse {
		v.State = VolumeAvailable
	}
	Volumes.Put(tx, id, v)
	return false
}

// StartSnapshot writes a new snapshot, pending.
func StartSnapshot(tx *state.Txn, v Snapshot) Snapshot {
	v.State = SnapshotPending
	Snapshots.Put(tx, v.ID, v)
	return v
}

// SettleSnapshot says that a snapshot has all that its volume held, or that nothing is left of it.
func SettleSnapshot(tx *state.Txn, id string, now time.Time) {
	v, found := Snapshots.Get(tx, id)
	switch {
	case found && v.State == SnapshotDeleted:
		Snapshots.Delete(tx, id)
	case found && v.State == SnapshotPending:
		v.State, v.Completed = SnapshotCompleted, now
		Snapshots.Put(tx, id, v)
	}
}

// ChangeSnapshot changes what of a snapshot is no state.
func ChangeSnapshot(tx *state.Txn, id string, change func(*Snapshot)) {
	if v, found := Snapshots.Get(tx, id); found {
		change(&v)
		Snapshots.Put(tx, id, v)
	}
}

// DeleteSnapshot begins to delete a snapshot: EC2 does not show it any more.
func DeleteSnapshot(tx *state.Txn, id string) {
	ChangeSnapshot(tx, id, func(v *Snapshot) { v.State = SnapshotDeleted })
}
