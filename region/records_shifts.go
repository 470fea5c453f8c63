package region

import (
	"time"

	"tripod/state"
)

// ZonalShift moves a cluster's traffic away from a zone for a while, as ARC's zonal shift does. Zones act on those that
// are active.
type ZonalShift struct {
	ID        string `json:"id"` // a UUID
	ClusterID string `json:"clusterId"`
	// Zone is the name of the zone that traffic is moved away from, such as us-east-1a.
	Zone      string    `json:"zone"`
	Comment   string    `json:"comment"`
	StartedAt time.Time `json:"startedAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	// CanceledAt is when somebody ended it before it expired.
	CanceledAt *time.Time `json:"canceledAt,omitempty"`
	// Practice says that it is a practice run.
	Practice bool `json:"practice,omitempty"`
	// Experiment is the id of the experiment of Fault Injection Service that began it.
	Experiment string `json:"experiment,omitempty"`
}

// ZonalShifts are all zonal shifts, ended ones too, by ID.
var ZonalShifts = state.NewTable[ZonalShift]("zonal-shift")

// Active says whether traffic is moved away now.
func (s ZonalShift) Active(now time.Time) bool { return s.CanceledAt == nil && now.Before(s.ExpiresAt) }

// ShiftsOf are a cluster's zonal shifts.
func ShiftsOf(tx *state.Txn, clusterID string) (own []ZonalShift) {
	for _, shift := range ZonalShifts.List(tx) {
		if shift.ClusterID == clusterID {
			own = append(own, shift)
		}
	}
	return own
}

// rank is whose shift it is: that of a practice run ends for an experiment's, and both for a person's, as "Precedence for zonal
// shifts" in ARC's developer guide has it.
func (s ZonalShift) rank() int {
	switch {
	case s.Practice:
		return 0
	case s.Experiment != "":
		return 1
	}
	return 2
}

// Supersede ends the shifts of a resource that end for a new one of it, whose beginners notice it. One that does not end for it stays,
// and the new one cannot begin.
func Supersede(tx *state.Txn, shift ZonalShift) (other ZonalShift, stays bool) {
	for _, other := range ShiftsOf(tx, shift.ClusterID) {
		if other.Active(shift.StartedAt) && other.rank() >= shift.rank() {
			return other, true
		}
		CancelShift(tx, other, shift.StartedAt)
	}
	return ZonalShift{}, false
}

// CancelShift ends a shift, if it is active.
func CancelShift(tx *state.Txn, shift ZonalShift, now time.Time) {
	if shift.Active(now) {
		shift.CanceledAt = &now
		ZonalShifts.Put(tx, shift.ID, shift)
	}
}
