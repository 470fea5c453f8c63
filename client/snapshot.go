package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"time"
)

// SnapshotFormat is the newest layout of a snapshot's file that this Tripod knows.
const SnapshotFormat = 1

// SnapshotExtension is how the names of snapshots' files end.
const SnapshotExtension = ".tripod"

// Snapshot describes a region that was saved as one file: what `tripod snapshot list -o json` prints. The file begins with all of it but File, Bytes
// and Damage.
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
	// Entries are the files and directories in it, and DataBytes is what is in the files, but for what is only reserved at their ends.
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

// DefaultSnapshotDir is where a user's snapshots are when nothing else was said: beside the default data directory, so that `down --purge` leaves them.
func DefaultSnapshotDir() string { return DefaultDataDir() + "-snapshots" }

// SaveSnapshot has the region that runs saved as one file, as it is at one moment between the call and its return, and calls each for the progress.
// When ctx ends before, nothing is left of it.
func (c *Client) SaveSnapshot(ctx context.Context, request SnapshotRequest, each func(SnapshotProgress)) (*Snapshot, error) {
	file, err := filepath.Abs(request.File)
	if err != nil {
		return nil, err
	}
	request.File = file
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	response, err := c.send(ctx, http.MethodPost, "/v1/snapshots", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	for lines := json.NewDecoder(response.Body); ; {
		var answer SnapshotAnswer
		err := lines.Decode(&answer)
		switch {
		case errors.Is(err, io.EOF):
			return nil, c.brokenOff(ctx, io.ErrUnexpectedEOF)
		case err != nil:
			return nil, c.brokenOff(ctx, err)
		case answer.Error != "":
			return nil, &APIError{Code: http.StatusConflict, Message: answer.Error}
		case answer.Saved != nil:
			return answer.Saved, nil
		case answer.Progress != nil:
			each(*answer.Progress)
		}
	}
}
