package region

import (
	"encoding/json"
	"slices"
)

// ControlPlane is what the processes of a cluster's control plane are started with. A change of it goes zone by zone:
// see Rollout.
type ControlPlane struct {
	// Version is the Kubernetes minor version, such as "1.36".
	Version string
	Components
}

// Components are a control plane's settings beside its version. What is zero is as Kubernetes and etcd have it, or as
// Tripod sets it for everybody.
type Components struct {
	RequestSeats   int    `json:"requestSeats,omitempty"`   // how many requests an API server works on at once
	PodsPerSecond  int    `json:"podsPerSecond,omitempty"`  // that the scheduler may bind
	DatabaseGB     int    `json:"databaseGb,omitempty"`     // etcd's quota
	EventTTL       string `json:"eventTtl,omitempty"`       // "30m"
	NodePorts      string `json:"nodePorts,omitempty"`      // "30000-32767"
	HPASyncPeriod  string `json:"hpaSyncPeriod,omitempty"`  // "15s"
	TerminatedPods int    `json:"terminatedPods,omitempty"` // that are kept until the oldest are deleted
	// Signer is the id of the certificate authority that signs, and Trusted are those whose certificates are accepted;
	// empty: the first one.
	Signer  string   `json:"signer,omitempty"`
	Trusted []string `json:"trusted,omitempty"`
	// Scoring is how the scheduler ranks nodes, LeastAllocated or MostAllocated, by the resources of ScoringWeights.
	Scoring        string         `json:"scoring,omitempty"`
	ScoringWeights map[string]int `json:"scoringWeights,omitempty"`
}

// Rollout is a change of a cluster's control plane that is under way: zone by zone, and back where one of them fails.
type Rollout struct {
	UpdateID string `json:"updateId"`
	// To is the version that the control plane gets, and Components are its other settings; nil: they stay.
	To         string      `json:"to"`
	Components *Components `json:"components,omitempty"`
	// Settings become the cluster's when the change has ended well; empty: they stay.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Begun names the zones whose processes may be of the new kind, Done those of them that were ready with it.
	Begun []string `json:"begun,omitempty"`
	Done  []string `json:"done,omitempty"`
	// Failure is why all go back; Cancelled says that somebody asked for it.
	Failure   string `json:"failure,omitempty"`
	Cancelled bool   `json:"cancelled,omitempty"`
}

// ControlPlane is what the cluster has, or had before the change that is under way.
func (c Cluster) ControlPlane() ControlPlane {
	return ControlPlane{Version: c.Version, Components: c.Components}
}

// NextControlPlane is what the cluster has once the change that is under way has ended well.
func (c Cluster) NextControlPlane() ControlPlane {
	next := c.ControlPlane()
	if c.Rollout == nil {
		return next
	}
	next.Version = c.Rollout.To
	if c.Rollout.Components != nil {
		next.Components = *c.Rollout.Components
	}
	return next
}

// ControlPlaneIn is what the cluster's part in a zone has to have while nothing more happens.
func (c Cluster) ControlPlaneIn(zone string) ControlPlane {
	if c.Rollout != nil && c.Rollout.Failure == "" && slices.Contains(c.Rollout.Done, zone) {
		return c.NextControlPlane()
	}
	return c.ControlPlane()
}

// Takes says whether the zone's processes may be of the new kind. Records of older Tripods name only those that are
// done.
func (r Rollout) Takes(zone string) bool {
	return slices.Contains(r.Begun, zone) || slices.Contains(r.Done, zone)
}

// Nowhere says that no zone's processes are of the new kind.
func (r Rollout) Nowhere() bool { return len(r.Begun) == 0 && len(r.Done) == 0 }

// Leave strikes out a zone that has gone back.
func (r *Rollout) Leave(zone string) {
	is := func(other string) bool { return other == zone }
	r.Begun, r.Done = slices.DeleteFunc(r.Begun, is), slices.DeleteFunc(r.Done, is)
}
