package region

import "tripod/state"

// UpdateStatus is what became of an update, in EKS's words.
type UpdateStatus string

// The statuses of an update: it is under way, until it ends in one of the others for good.
const (
	UpdateInProgress UpdateStatus = "InProgress"
	UpdateSuccessful UpdateStatus = "Successful"
	UpdateFailed     UpdateStatus = "Failed"
	UpdateCancelled  UpdateStatus = "Cancelled"
)

// RecordUpdate writes an update that was done with the transaction itself, as all are of what is only recorded. It
// returns the update as the answer shows it: just begun.
func RecordUpdate(tx *state.Txn, update Update) Update {
	done := update
	done.Status = UpdateSuccessful
	Updates.Put(tx, done.ID, done)
	update.Status = UpdateInProgress
	return update
}

// beginUpdate writes an update that others carry out.
func beginUpdate(tx *state.Txn, update Update) Update {
	update.Status = UpdateInProgress
	Updates.Put(tx, update.ID, update)
	return update
}

// endUpdate gives an update that is under way its last status, and returns it. It is a zero one where there is none
// that is under way: one that has ended stays as it is, and one that was deleted with its cluster does not return.
func endUpdate(tx *state.Txn, id string, status UpdateStatus, errors ...UpdateError) Update {
	update, found := Updates.Get(tx, id)
	if !found || update.Status != UpdateInProgress {
		return Update{}
	}
	update.Status, update.Errors = status, append(update.Errors, errors...)
	Updates.Put(tx, id, update)
	return update
}

// forgetUpdates deletes all updates of a cluster and of what belongs to it.
func forgetUpdates(tx *state.Txn, clusterID string) {
	for _, update := range Updates.List(tx) {
		if update.ClusterID == clusterID {
			Updates.Delete(tx, update.ID)
		}
	}
}
