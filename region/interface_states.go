package region

import (
	"cmp"
	"slices"
	"time"

	"tripod/state"
)

// An interface is in use while it has an attachment, and else available. Attaching and detaching take no time here.
//
//	MakeInterface     none -> available, or in use at once: of a branch, whose trunk has it
//	AttachInterface   available -> in use
//	DetachInterface   in use -> available
//	FreeInterfaces    in use -> none or available: its instance is terminated
//	DeleteInterface   available -> none

// MakeInterface writes a new interface.
func MakeInterface(tx *state.Txn, v NetworkInterface) { NetworkInterfaces.Put(tx, v.ID, v) }

// ChangeInterface changes what of an interface is no attachment: its addresses and attributes. A primary one gets a record
// by that, whose groups stay with the instance.
func ChangeInterface(tx *state.Txn, v NetworkInterface) {
	if v.Primary() {
		v.Groups = nil
	}
	NetworkInterfaces.Put(tx, v.ID, v)
}

// AttachInterface gives an interface to an instance. One that somebody has is refused.
func AttachInterface(tx *state.Txn, id string, a InterfaceAttachment) error {
	v, found := NetworkInterfaces.Get(tx, id)
	if !found || v.Attachment != nil {
		return &RefusedError{"network interface " + id, "in-use", "in-use"}
	}
	v.Attachment = &a
	NetworkInterfaces.Put(tx, id, v)
	return nil
}

// DetachInterface takes an interface from its instance.
func DetachInterface(tx *state.Txn, id string) {
	if v, found := NetworkInterfaces.Get(tx, id); found {
		v.Attachment = nil
		NetworkInterfaces.Put(tx, id, v)
	}
}

// DeleteInterface deletes an interface that nobody has.
func DeleteInterface(tx *state.Txn, id string) { NetworkInterfaces.Delete(tx, id) }

// FreeInterfaces ends the attachments of an instance that is terminated, and answers the ids of the interfaces that went
// with it; with a trunk interface go its branches. primary says that the primary one stays, with what it is then.
func FreeInterfaces(tx *state.Txn, instanceID string, primary *NetworkInterface) (gone []string) {
	for _, v := range InterfacesByInstance.Of(instanceID).List(tx) {
		if v.Primary() && primary != nil || !v.Primary() && !v.Attachment.Deletes {
			continue
		}
		for _, branch := range BranchesByTrunk.Of(v.ID).List(tx) {
			NetworkInterfaces.Delete(tx, branch.ID)
			gone = append(gone, branch.ID)
		}
		NetworkInterfaces.Delete(tx, v.ID)
		gone = append(gone, v.ID)
	}
	for _, v := range InterfacesByInstance.Of(instanceID).List(tx) {
		DetachInterface(tx, v.ID)
	}
	if primary != nil {
		primary.Attachment = nil
		NetworkInterfaces.Put(tx, primary.ID, *primary)
	}
	return gone
}

// InterfacesOf are an instance's interfaces, by card and device: the primary one first, whether it has a record or not.
func InterfacesOf(tx *state.Txn, v Instance) []NetworkInterface {
	all := []NetworkInterface{PrimaryInterface(tx, v)}
	for _, one := range InterfacesByInstance.Of(v.ID).List(tx) {
		if !one.Primary() {
			all = append(all, one)
		}
	}
	slices.SortStableFunc(all[1:], func(a, b NetworkInterface) int {
		return cmp.Or(cmp.Compare(a.Attachment.Card, b.Attachment.Card), cmp.Compare(a.Attachment.Device, b.Attachment.Device))
	})
	return all
}

// Age is how long an interface has been there.
func (v NetworkInterface) Age(now time.Time) time.Duration { return now.Sub(v.Created) }
