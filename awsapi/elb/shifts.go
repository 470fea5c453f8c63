package elb

import (
	"slices"
	"time"

	"tripod/region"
	"tripod/state"
)

// Shiftable are the load balancers whose traffic can be moved away from a zone. Their shifts have their ARNs where they
// have a cluster's id.
func Shiftable(tx *state.Txn) (all []region.LoadBalancer) {
	return slices.DeleteFunc(region.LoadBalancers.List(tx), func(b region.LoadBalancer) bool { return !b.FollowsShifts() })
}

// overrideOf is what a zonal shift of one of the load balancers that send to a group makes of a target's zone.
// https://docs.aws.amazon.com/elasticloadbalancing/latest/application/zonal-shift.html#admin-override
func overrideOf(tx *state.Txn, g region.TargetGroup, zone string, now time.Time) *targetHealth {
	for _, arn := range region.BalancersUsing(tx, g.ARN) {
		if b, found := region.FindBalancer(tx, arn); found && slices.Contains(b.ShiftedFrom(tx, now), zone) {
			return &targetHealth{"zonal_shift_active", "AdministrativeOverride.ZonalShiftActive",
				"A zonal shift is currently active for the Availability Zone of the target"}
		}
	}
	return &targetHealth{"no_override", "AdministrativeOverride.NoOverride", "No override is currently active on target"}
}
