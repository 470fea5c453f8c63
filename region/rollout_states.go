package region

import (
	"errors"
	"slices"
	"time"

	"tripod/state"
)

// BeginRollout begins a change of a cluster's control plane, which the zones then carry out one after the other, and
// its update. It lasts until notBefore at least (nil: as long as it takes).
func BeginRollout(
	tx *state.Txn, cluster Cluster, update Update, rollout Rollout, notBefore *time.Time,
) (Update, error) {
	if err := cluster.become(ClusterUpdating); err != nil {
		return Update{}, err
	}
	rollout.UpdateID = update.ID
	cluster.Rollout, cluster.NotBefore = &rollout, notBefore
	Clusters.Put(tx, cluster.ID, cluster)
	return beginUpdate(tx, update), nil
}

// Reasons why a rollout cannot be cancelled.
var (
	ErrNotRollingOut = errors.New("no such change is under way")
	ErrGoingBack     = errors.New("the change is going back already")
)

// CancelRollout calls a change back: the zones that have begun go back, and then its update is Cancelled.
func CancelRollout(tx *state.Txn, cluster Cluster, updateID string) error {
	switch rollout := cluster.Rollout; {
	case rollout == nil || rollout.UpdateID != updateID:
		return ErrNotRollingOut
	case rollout.Failure != "":
		return ErrGoingBack
	default:
		rollout.Cancelled, rollout.Failure = true, "it was cancelled"
	}
	Clusters.Put(tx, cluster.ID, cluster)
	return nil
}

// RolloutStep is what a zone has done in a rollout.
type RolloutStep func(*Cluster, *Rollout)

// ZoneBegins says that the zone's processes are replaced from now on, unless the rollout goes back.
func ZoneBegins(zone string) RolloutStep {
	return func(_ *Cluster, r *Rollout) {
		if r.Failure == "" && !slices.Contains(r.Begun, zone) {
			r.Begun = append(r.Begun, zone)
		}
	}
}

// ZoneIsDone says that the zone's new processes are ready, unless the rollout goes back.
func ZoneIsDone(zone string) RolloutStep {
	return func(_ *Cluster, r *Rollout) {
		if r.Failure == "" && !slices.Contains(r.Done, zone) {
			r.Done = append(r.Done, zone)
		}
	}
}

// LastZoneIsDone is ZoneIsDone for the last zone. Where somebody asked for a fault, that is when it comes: the reason
// is why all go back.
func LastZoneIsDone(zone, reason string) RolloutStep {
	return func(c *Cluster, r *Rollout) {
		if r.Failure == "" && c.FaultedAt != nil {
			r.Failure, c.FaultedAt = reason, nil
			return
		}
		ZoneIsDone(zone)(c, r)
	}
}

// RolloutFails says that a zone's new processes do not come up: all go back. The first reason counts.
func RolloutFails(reason string) RolloutStep {
	return func(_ *Cluster, r *Rollout) {
		if r.Failure == "" {
			r.Failure = reason
		}
	}
}

// ZoneWentBack says that the zone's processes are of the old kind again.
func ZoneWentBack(zone string) RolloutStep {
	return func(_ *Cluster, r *Rollout) { r.Leave(zone) }
}

// AdvanceRollout notes a zone's step in the rollout of that update, and ends the rollout with the last step of so many
// zones: with the new control plane, or with the old one where it failed or was cancelled. It returns the cluster, a
// zero one where that rollout is not under way any more, and the update, if it has ended.
func AdvanceRollout(
	tx *state.Txn, clusterID, updateID string, zones int, now time.Time, step RolloutStep,
) (Cluster, Update) {
	cluster, found := Clusters.Get(tx, clusterID)
	if !found || cluster.Rollout == nil || cluster.Rollout.UpdateID != updateID {
		return Cluster{}, Update{}
	}
	step(&cluster, cluster.Rollout)
	ended := endRollout(tx, &cluster, zones, now)
	Clusters.Put(tx, clusterID, cluster)
	return cluster, ended
}

// endRollout takes a rollout that is over out of the record, and ends its update.
func endRollout(tx *state.Txn, cluster *Cluster, zones int, now time.Time) Update {
	rollout := *cluster.Rollout
	status, reasons := UpdateSuccessful, []UpdateError(nil)
	switch {
	case rollout.Failure == "" && len(rollout.Done) == zones:
		cluster.arrive(now)
	case rollout.Failure != "" && rollout.Nowhere() && rollout.Cancelled:
		status = UpdateCancelled
	case rollout.Failure != "" && rollout.Nowhere():
		status, reasons = UpdateFailed, []UpdateError{{Code: "Unknown", Message: rollout.Failure}}
	default: // zones have still to do something
		return Update{}
	}
	cluster.Rollout = nil
	cluster.endUpdating()
	return endUpdate(tx, rollout.UpdateID, status, reasons...)
}

// arrive makes the cluster's new control plane the one that it has.
func (c *Cluster) arrive(now time.Time) {
	next := c.NextControlPlane()
	if next.Version != c.Version {
		c.UpgradedFrom, c.UpgradedAt, c.Version = c.Version, &now, next.Version
	}
	before := c.Components
	c.Components = next.Components
	c.Forget(before, now)
	if len(c.Rollout.Settings) > 0 {
		c.Settings = c.Rollout.Settings
	}
}

// FaultNextRollout makes the cluster's next rollout fail in the last zone, or with nil lets it go well again. It says
// whether there is such a cluster.
func FaultNextRollout(tx *state.Txn, name string, at *time.Time) bool {
	cluster, found := ClusterNamed(tx, name)
	if found {
		cluster.FaultedAt = at
		Clusters.Put(tx, cluster.ID, cluster)
	}
	return found
}
