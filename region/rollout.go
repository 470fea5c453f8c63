package region

import "slices"

// ControlPlane is what the processes of a cluster's control plane are started with. A change of it goes zone by zone: see Rollout.
type ControlPlane struct {
	// Version is the Kubernetes minor version, such as "1.36".
	Version string
}

// Rollout is a change of a cluster's control plane that is under way: zone by zone, and back where one of them fails.
type Rollout struct {
	UpdateID string `json:"updateId"`
	// To is the version that the control plane gets.
	To string `json:"to"`
	// Begun names the zones whose processes may be of the new kind, Done those of them that were ready with it.
	Begun []string `json:"begun,omitempty"`
	Done  []string `json:"done,omitempty"`
	// Failure is why all go back; Cancelled says that somebody asked for it.
	Failure   string `json:"failure,omitempty"`
	Cancelled bool   `json:"cancelled,omitempty"`
}

// ControlPlane is what the cluster has, or had before the change that is under way.
func (c Cluster) ControlPlane() ControlPlane { return ControlPlane{Version: c.Version} }

// NextControlPlane is what the cluster has once the change that is under way has ended well.
func (c Cluster) NextControlPlane() ControlPlane {
	next := c.ControlPlane()
	if c.Rollout != nil {
		next.Version = c.Rollout.To
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

// Takes says whether the zone's processes may be of the new kind. Records of older Tripods name only those that are done.
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
