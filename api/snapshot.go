package api

import "time"

// Snapshot describes a region that was saved as one file: what `tripod snapshot list -o json` prints. The file begins
// with all of it but File, Bytes and Damage.
type Snapshot struct {
	Name   string `json:"name"`
	File   string `json:"file,omitempty"`   // absolute
	Bytes  int64  `json:"bytes,omitempty"`  // of the file
	Damage string `json:"damage,omitempty"` // why it cannot be restored, in one sentence; then what follows may be missing

	Format    int       `json:"format"` // of the file
	Schema    int       `json:"schema"` // of the data directory that it holds
	Tripod    string    `json:"tripod"` // the version that made it
	CreatedAt time.Time `json:"createdAt"`
	Region    string    `json:"region"`
	AccountID string    `json:"accountId"`
	Port      int       `json:"port"`     // of the AWS endpoint
	PortBase  int       `json:"portBase"` // of the range that everything else has
	// Clusters are those of the region, in the order of their names.
	Clusters []SnapshotCluster `json:"clusters"`
	// Entries are the files and directories in it, and DataBytes is what is in the files, but for what is only reserved at
	// their ends.
	Entries   int   `json:"entries"`
	DataBytes int64 `json:"dataBytes"`
	// PauseMillis is how long the region stood still for it; 0 when it was down.
	PauseMillis float64 `json:"pauseMillis,omitempty"`
}

// SnapshotCluster is a cluster of a snapshot.
type SnapshotCluster struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Status  string `json:"status"`
}

// SnapshotRequest says how a snapshot is to be saved.
type SnapshotRequest struct {
	Name string `json:"name"`
	File string `json:"file"`           // absolute
	Over bool   `json:"over,omitempty"` // in the place of one that is there
}

// SnapshotProgress tells how far a snapshot is saved or restored, in bytes of what is in it.
type SnapshotProgress struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// SnapshotAnswer is a line of the region's answer to a SnapshotRequest: one of these.
type SnapshotAnswer struct {
	Progress *SnapshotProgress `json:"progress,omitempty"`
	Saved    *Snapshot         `json:"saved,omitempty"`
	Error    string            `json:"error,omitempty"` // one sentence
}
