package az

import (
	"time"

	"tripod/api"
	"tripod/internal/loss"
	"tripod/region"
)

// Report is what an agent tells the region, one JSON line a time: something that happened, how things stand, or what was lost.
type Report struct {
	Event *api.Event `json:"event,omitempty"`
	State *State     `json:"state,omitempty"`
	// Loss is of one of the zone's processes: the region tells all zones.
	Loss *loss.Loss `json:"loss,omitempty"`
}

// State of a zone as its agent knows it.
type State struct {
	// Seq rises with every state of an agent's life: they come by two ways, and a newer one counts.
	Seq        uint64         `json:"seq"`
	Serving    bool           `json:"serving"` // the AWS front and the control socket answer
	RaftLeader string         `json:"raftLeader,omitempty"`
	Instances  []api.Instance `json:"instances"`
	// Parts are the clusters, by id, whose part in this zone has its network interface and its IAM authenticator.
	Parts []string `json:"parts,omitempty"`
	// Clusters are those of the zone's copy of the regional state, and Index says how new that is: a higher one is of a newer copy.
	Clusters []ClusterState `json:"clusters"`
	Index    uint64         `json:"index"`
}

// ClusterState is a cluster's record without its secrets.
type ClusterState struct {
	Name         string               `json:"name"`
	ID           string               `json:"id"`
	Version      string               `json:"version"`
	Status       region.ClusterStatus `json:"status"`
	EndpointPort int                  `json:"endpointPort"`
	CACert       string               `json:"caCert"` // of all authorities that are trusted
	// FaultedAt is when somebody asked for the next update to fail.
	FaultedAt *time.Time `json:"faultedAt,omitempty"`
	// Access says who may reach the endpoint, and Trouble is what the record says of it.
	Access  region.EndpointAccess `json:"access"`
	Trouble string                `json:"trouble,omitempty"`
	// NotBefore is when the status may end at the earliest.
	NotBefore *time.Time `json:"notBefore,omitempty"`
}
