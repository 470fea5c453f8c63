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
