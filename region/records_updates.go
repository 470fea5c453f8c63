package region

import (
	"time"

	"tripod/state"
)

// Update is a change to a cluster or to something of it, as DescribeUpdate shows it. The cluster's own are carried out
// by the zones.
type Update struct {
	ID        string `json:"id"` // a UUID
	ClusterID string `json:"clusterId"`
	// Resource is what of the cluster changes: empty for itself, else "nodegroup/NAME", "addon/NAME" or
	// "capability/NAME".
	Resource  string        `json:"resource,omitempty"`
	Type      string        `json:"type"`   // VersionUpdate, ...: EKS's UpdateType
	Status    UpdateStatus  `json:"status"` // see update_states.go
	CreatedAt time.Time     `json:"createdAt"`
	Params    []UpdateParam `json:"params,omitempty"`
	Errors    []UpdateError `json:"errors,omitempty"`
}

// UpdateParam is one of an update's parameters, as EKS names them.
type UpdateParam struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// UpdateError says why an update failed.
type UpdateError struct {
	Code        string   `json:"code"`
	Message     string   `json:"message"`
	ResourceIDs []string `json:"resourceIds,omitempty"`
}

// Updates are all updates, by ID.
var Updates = state.NewTable[Update]("update")
