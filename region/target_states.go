package region

import (
	"slices"
	"strconv"
	"time"

	"tripod/state"
)

// TargetHealth is a target's state: TargetHealth.State of the API.
type TargetHealth string

// The states of a target. Those of a report are the first four and TargetUnavailable.
const (
	TargetInitial           TargetHealth = "initial"
	TargetHealthy           TargetHealth = "healthy"
	TargetUnhealthy         TargetHealth = "unhealthy"
	TargetUnhealthyDraining TargetHealth = "unhealthy.draining"
	TargetUnused            TargetHealth = "unused"
	TargetDraining          TargetHealth = "draining"
	TargetUnavailable       TargetHealth = "unavailable"
)

// The reasons for a target's state: TargetHealth.Reason of the API.
const (
	ReasonRegistering   = "Elb.RegistrationInProgress"
	ReasonFirstChecks   = "Elb.InitialHealthChecking"
	ReasonInternal      = "Elb.InternalError"
	ReasonFailedChecks  = "Target.FailedHealthChecks"
	ReasonTimeout       = "Target.Timeout"
	ReasonWrongCode     = "Target.ResponseCodeMismatch"
	ReasonNotRegistered = "Target.NotRegistered"
	ReasonNotInUse      = "Target.NotInUse"
	ReasonInvalidState  = "Target.InvalidState"
	ReasonDraining      = "Target.DeregistrationInProgress"
	ReasonChecksAreOff  = "Target.HealthCheckDisabled"
)

// reasonTexts are the descriptions of those reasons that have one alone.
var reasonTexts = map[string]string{
	ReasonRegistering:   "Target registration is in progress",
	ReasonFirstChecks:   "Initial health checks in progress",
	ReasonInternal:      "Internal error",
	ReasonFailedChecks:  "Health checks failed",
	ReasonTimeout:       "Request timed out",
	ReasonNotRegistered: "Target is not registered to the target group",
	ReasonNotInUse:      "Target group is not configured to receive traffic from the load balancer",
	ReasonDraining:      "Target deregistration is in progress",
	ReasonChecksAreOff:  "Health checks are disabled for this target group",
}

// reported are the states that a report may have, and what of a report may follow each. A target that was deregistered
// and registered again begins anew: see RegisterTarget.
var reported = map[TargetHealth][]TargetHealth{
	"":                      {TargetInitial, TargetHealthy, TargetUnhealthy, TargetUnavailable},
	TargetInitial:           {TargetInitial, TargetHealthy, TargetUnhealthy, TargetUnavailable},
	TargetHealthy:           {TargetHealthy, TargetUnhealthy, TargetUnhealthyDraining, TargetUnavailable},
	TargetUnhealthy:         {TargetUnhealthy, TargetHealthy, TargetUnavailable},
	TargetUnhealthyDraining: {TargetUnhealthy, TargetUnhealthyDraining, TargetHealthy, TargetUnavailable},
	TargetUnavailable:       {TargetInitial, TargetHealthy, TargetUnhealthy, TargetUnavailable},
}

// MayBecome says whether a report of this state ("": none yet) may be followed by one of the other.
func (s TargetHealth) MayBecome(next TargetHealth) bool { return slices.Contains(reported[s], next) }

// IsDraining says whether the target was deregistered.
func (t Target) IsDraining() bool { return !t.DrainingSince.IsZero() }

// IsGone says whether the target has drained: nobody sees it any more, whether its record is there or not.
func (t Target) IsGone(now time.Time) bool { return t.IsDraining() && !now.Before(t.DrainsUntil) }

// TargetsOf are a group's, those that have drained too, in the order of their keys.
func TargetsOf(tx *state.Txn, group string) []Target { return Targets.Under(tx, group+"/") }

// LiveTargets are a group's that have not drained yet.
func LiveTargets(tx *state.Txn, group string, now time.Time) []Target {
	return slices.DeleteFunc(TargetsOf(tx, group), func(t Target) bool { return t.IsGone(now) })
}

// RegisterTarget registers a target. One that is registered stays as it is; one that drains begins anew, and nothing that
// was found of it counts.
func RegisterTarget(tx *state.Txn, t Target, now time.Time) {
	there, found := Targets.Get(tx, t.Key())
	switch {
	case found && !there.IsDraining():
		return
	case found:
		ForgetTarget(tx, there)
	}
	t.RegisteredAt, t.DrainingSince, t.DrainsUntil = now, time.Time{}, time.Time{}
	Targets.Put(tx, t.Key(), t)
}

// DeregisterTarget has the target with that key drain, for a while that may be none. One that drains goes on doing so. It
// says whether it was there.
func DeregisterTarget(tx *state.Txn, key string, delay time.Duration, now time.Time) bool {
	t, found := Targets.Get(tx, key)
	switch {
	case !found || t.IsGone(now):
		return false
	case t.IsDraining():
		return true
	case delay <= 0:
		ForgetTarget(tx, t)
		return true
	}
	t.DrainingSince, t.DrainsUntil = now, now.Add(delay)
	Targets.Put(tx, key, t)
	return true
}

// DrainDelay is for how long the group's targets drain: of a group that no load balancer sends to no connection does.
func (g TargetGroup) DrainDelay(tx *state.Txn) time.Duration {
	if len(BalancersUsing(tx, g.ARN)) == 0 {
		return 0
	}
	return inSeconds(g.Attribute(DrainAttribute))
}

// DrainDelay is for how long a classic load balancer's instances drain.
func (b LoadBalancer) DrainDelay() time.Duration {
	if b.Attribute("connection_draining.enabled") != "true" {
		return 0
	}
	return inSeconds(b.Attribute(ClassicDrainAttribute))
}

// The attributes that say how long targets drain: of a target group, and of a classic load balancer.
const (
	DrainAttribute        = "deregistration_delay.timeout_seconds"
	ClassicDrainAttribute = "connection_draining.timeout"
)

func inSeconds(value string) time.Duration {
	seconds, _ := strconv.Atoi(value)
	return time.Duration(seconds) * time.Second
}

// ForgetTarget deletes a target, with what was found of it.
func ForgetTarget(tx *state.Txn, t Target) {
	for _, r := range ReportsOf(tx, t) {
		TargetReports.Delete(tx, r.Key())
	}
	Targets.Delete(tx, t.Key())
}

// ForgetDrained deletes those of a group's targets that have drained.
func ForgetDrained(tx *state.Txn, group string, now time.Time) {
	for _, t := range TargetsOf(tx, group) {
		if t.IsGone(now) {
			ForgetTarget(tx, t)
		}
	}
}

// ReportsOf are what the zones' nodes found of a target.
func ReportsOf(tx *state.Txn, t Target) []TargetReport { return TargetReports.Under(tx, t.Key()+"/") }

// ReportTarget writes what a zone's nodes find a target to be. Since is when it became so: where the state stays, that
// stays too. A target that is not there, and what is no transition, are refused.
func ReportTarget(tx *state.Txn, r TargetReport) error {
	if _, found := Targets.Get(tx, TargetKey(r.Group, r.ID, r.Port)); !found {
		return &RefusedError{"target " + TargetKey(r.Group, r.ID, r.Port), "", string(r.State)}
	}
	there, _ := TargetReports.Get(tx, r.Key())
	if !there.State.MayBecome(r.State) {
		return &RefusedError{"target " + r.Key(), string(there.State), string(r.State)}
	}
	if r.Description == "" {
		r.Description = reasonTexts[r.Reason]
	}
	if there.State == r.State {
		r.Since = there.Since
	}
	if there != r {
		TargetReports.Put(tx, r.Key(), r)
	}
	return nil
}

// TargetUse is what decides about a target beside what is found of it.
type TargetUse struct {
	// InUse says that a load balancer sends to the group, and Zones are those in which such ones have nodes.
	InUse bool
	Zones []string
	// Stopped is the state of an instance that does not run, such as stopped or terminated; empty: it runs.
	Stopped string
	// Unchecked says that the group's health checks are off.
	Unchecked bool
}

// Use is who uses the target group.
func (g TargetGroup) Use(tx *state.Txn) TargetUse {
	use := TargetUse{Unchecked: !g.Check.Enabled}
	for _, arn := range BalancersUsing(tx, g.ARN) {
		if b, found := FindBalancer(tx, arn); found {
			use.InUse = true
			use.Zones = append(use.Zones, b.ZoneNames()...)
		}
	}
	return use
}

// ZoneNames are the zones that the load balancer has a node in.
func (b LoadBalancer) ZoneNames() (names []string) {
	for _, z := range b.Zones {
		names = append(names, z.Zone)
	}
	return names
}

// TargetVerdict is a target's health as DescribeTargetHealth shows it.
type TargetVerdict struct {
	State               TargetHealth
	Reason, Description string
}

// verdict has the reason's own description.
func verdict(s TargetHealth, reason string) TargetVerdict {
	return TargetVerdict{s, reason, reasonTexts[reason]}
}

// NotRegistered is the verdict about what is no target.
func NotRegistered() TargetVerdict { return verdict(TargetUnused, ReasonNotRegistered) }

// Verdict is the target's health. Of what the zones find the worst counts: nodes of every zone send to it.
func (t Target) Verdict(use TargetUse, found []TargetReport) TargetVerdict {
	switch {
	case t.IsDraining():
		return verdict(TargetDraining, ReasonDraining)
	case use.Stopped != "":
		return TargetVerdict{TargetUnused, ReasonInvalidState, "Target is in the " + use.Stopped + " state"}
	case !use.InUse:
		return verdict(TargetUnused, ReasonNotInUse)
	case t.Zone != "" && t.Zone != "all" && !slices.Contains(use.Zones, t.Zone):
		return TargetVerdict{TargetUnused, ReasonNotInUse,
			"Target is in an Availability Zone that is not enabled for the load balancer"}
	case use.Unchecked:
		return verdict(TargetUnavailable, ReasonChecksAreOff)
	}
	for _, state := range []TargetHealth{TargetUnhealthy, TargetUnhealthyDraining, TargetUnavailable, TargetInitial,
		TargetHealthy} {
		for _, r := range found {
			if r.State == state && slices.Contains(use.Zones, r.Zone) {
				return TargetVerdict{r.State, r.Reason, r.Description}
			}
		}
	}
	return verdict(TargetInitial, ReasonRegistering)
}
