package az

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// EndpointReport is what the region tells of a cluster's endpoint, which is its own and no zone's.
type EndpointReport struct {
	// UpdateID is the update whose access is in effect now; empty without one.
	UpdateID string `json:"updateId,omitempty"`
	// Trouble is why the endpoint, or a part of it, cannot be opened; empty when all is well.
	Trouble string `json:"trouble,omitempty"`
}

// unreachable is EKS's code for a cluster whose endpoint is not there.
const unreachable = "ClusterUnreachable"

// troubleOf is what the record says of the endpoint's trouble.
func troubleOf(record region.Cluster) string {
	for _, issue := range record.Issues {
		if issue.Code == unreachable {
			return issue.Message
		}
	}
	return ""
}

// handleEndpoint writes the report into the cluster's record.
func (z *Zone) handleEndpoint(w http.ResponseWriter, r *http.Request) {
	var report EndpointReport
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	var ended region.Update
	var name string
	err := z.voter.Update(r.Context(), func(tx *state.Txn) error {
		record, found := region.Clusters.Get(tx, r.PathValue("id"))
		if !found {
			return nil // it was deleted meanwhile
		}
		ended, name = report.note(tx, &record), record.Name
		region.Clusters.Put(tx, record.ID, record)
		return nil
	})
	if err == nil && ended.ID != "" {
		z.event(api.Event{Cluster: name, Type: api.EventType(ended.Type + string(ended.Status)), Message: fmt.Sprintf("the access to the endpoint of cluster %s is as it was asked for", name)})
	}
	answer(w, http.StatusServiceUnavailable, err)
}

// note writes the report into a record and returns the update that it ends, if it does.
func (report EndpointReport) note(tx *state.Txn, record *region.Cluster) (ended region.Update) {
	record.Issues = slices.DeleteFunc(record.Issues, func(issue region.ClusterIssue) bool { return issue.Code == unreachable })
	if report.Trouble != "" {
		record.Issues = append(record.Issues, region.ClusterIssue{Code: unreachable, Message: report.Trouble})
	}
	if report.UpdateID == "" || record.Access == nil || record.Access.UpdateID != report.UpdateID {
		return region.Update{}
	}
	record.Access.UpdateID = ""
	if record.Status == region.ClusterUpdating {
		record.Status = region.ClusterActive
	}
	ended, _ = region.Updates.Get(tx, report.UpdateID)
	ended.ID, ended.Status = report.UpdateID, region.UpdateSuccessful
	region.Updates.Put(tx, ended.ID, ended)
	return ended
}
