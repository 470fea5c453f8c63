package az

import (
	"encoding/json"
	"fmt"
	"net/http"

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

// handleEndpoint writes the report into the cluster's record.
func (z *Zone) handleEndpoint(w http.ResponseWriter, r *http.Request) {
	var report EndpointReport
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	var cluster region.Cluster
	var ended region.Update
	err := z.voter.Update(r.Context(), func(tx *state.Txn) error {
		cluster, ended = region.ReportEndpoint(tx, r.PathValue("id"), report.Trouble, report.UpdateID)
		return nil
	})
	if err == nil && ended.ID != "" {
		z.event(api.Event{Cluster: cluster.Name, Type: api.EventType(ended.Type + string(ended.Status)),
			Message: fmt.Sprintf("the access to the endpoint of cluster %s is as it was asked for", cluster.Name)})
	}
	answer(w, http.StatusServiceUnavailable, err)
}
