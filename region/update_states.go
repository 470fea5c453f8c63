package region

// UpdateStatus is what became of an update, in EKS's words.
type UpdateStatus string

// The statuses of an update.
const (
	UpdateInProgress UpdateStatus = "InProgress"
	UpdateSuccessful UpdateStatus = "Successful"
	UpdateFailed     UpdateStatus = "Failed"
	UpdateCancelled  UpdateStatus = "Cancelled"
)
