// Package machines is a zone's host of EC2 instances. It brings each from one state to the next when the time for that
// has come, and has it make of its user data what its image would: a node of a cluster, or of none.
package machines

import (
	"context"
	"log/slog"
	"time"

	"tripod/awsapi/ec2"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// Host is a zone's.
type Host struct {
	Zone string // us-east-1a
	// Zones are all of the region's.
	Zones []string
	State State
	// Network is EC2, as the account sees it.
	Network *ec2.Service
	Pace    Pace
	// Ended is told of an instance of a zone of which nothing is left; nil: nobody is.
	Ended  func(zone, instanceID string)
	Now    func() time.Time
	Logger *slog.Logger
}

// State is the regional state.
type State interface {
	state.Updater
	Watch() (<-chan struct{}, func())
}

// Pace says how long the states last through which an instance passes.
type Pace struct {
	Pending, Boot, Stopping, ShuttingDown time.Duration
}

// The paces: one for those who wait for their nodes, and EC2's.
var (
	FastPace = Pace{Pending: 400 * time.Millisecond, Boot: 400 * time.Millisecond, Stopping: 400 * time.Millisecond,
		ShuttingDown: 400 * time.Millisecond}
	RealPace = Pace{Pending: 8 * time.Second, Boot: 35 * time.Second, Stopping: 25 * time.Second,
		ShuttingDown: 35 * time.Second}
)

// remembered is how long EC2 shows a terminated instance.
const remembered = time.Hour

// mostSteps bounds what one transaction changes: the next one follows at once.
const mostSteps = 50

// Loop brings the zone's instances on. It rests while nothing of them is to change.
func (h *Host) Loop() reconcile.Loop {
	return reconcile.Loop{Key: "bring the zone's instances on", Watch: h.State.Watch, Do: h.Bring, Logger: h.Logger,
		Pauses: reconcile.Pauses{First: time.Second, Most: 5 * time.Second}}
}

// Bring does what is due, and says when something is due next.
func (h *Host) Bring(ctx context.Context) (again time.Duration, err error) {
	now := h.Now().UTC()
	var next time.Time
	idle := false
	if err := h.State.View(func(tx *state.Txn) error {
		due, found := h.survey(tx, now)
		next, idle = due, !found
		return nil
	}); err != nil || idle {
		return until(next, now), err
	}
	var ended []region.Instance
	err = h.State.Update(ctx, func(tx *state.Txn) error {
		ended = nil
		next, err = h.step(tx, now, &ended)
		return err
	})
	for _, v := range ended {
		if err == nil && h.Ended != nil {
			h.Ended(v.Zone, v.ID)
		}
	}
	return until(next, h.Now().UTC()), err
}

// until is the time from now to next, as a loop's Do returns it.
func until(next, now time.Time) time.Duration {
	if next.IsZero() {
		return 0
	}
	return max(reconcile.Now, next.Sub(now))
}

// survey says whether something is due, and else when something will be (zero: only a change matters).
func (h *Host) survey(tx *state.Txn, now time.Time) (next time.Time, due bool) {
	if _, out := region.ZoneOutages.Get(tx, h.Zone); out {
		return now, true
	}
	for _, zone := range h.charge(tx) {
		for _, v := range h.unsettled(tx, zone) {
			at, is := h.due(v, zone != h.Zone)
			if is && !at.After(now) {
				return now, true
			}
			if is {
				next = earlier(next, at)
			}
		}
	}
	return next, false
}

// charge are the zones whose instances this one looks after: its own, and those that are out.
func (h *Host) charge(tx *state.Txn) []string {
	zones := []string{h.Zone}
	for _, zone := range h.Zones {
		if _, out := region.ZoneOutages.Get(tx, zone); out && zone != h.Zone {
			zones = append(zones, zone)
		}
	}
	return zones
}

// unsettled are the zone's instances of which something may be due. In a zone that is out every running instance is to be
// marked.
func (h *Host) unsettled(tx *state.Txn, zone string) []region.Instance {
	if zone != h.Zone {
		return region.InstancesByZone.Of(zone).List(tx)
	}
	all := append(region.InstancesUnsettled.Of(zone).List(tx), region.InstancesUnsettled.Of(zone+"/terminated").List(tx)...)
	for i, v := range all {
		if !v.Impaired.IsZero() && region.KeepsImpaired(tx, v.ID) {
			all[i].Impaired = time.Time{} // nothing to mend: somebody wants it so
		}
	}
	return all
}

// due is when something is to be done about an instance: is says whether there will be.
func (h *Host) due(v region.Instance, out bool) (at time.Time, is bool) {
	switch v.State {
	case region.InstancePending:
		return v.Since.Add(h.Pace.Pending), !out
	case region.InstanceStopping:
		return v.Since.Add(h.Pace.Stopping), true
	case region.InstanceShuttingDown:
		return v.Since.Add(h.Pace.ShuttingDown), true
	case region.InstanceTerminated:
		return v.Since.Add(remembered), true
	case region.InstanceRunning:
		switch {
		case out:
			return time.Time{}, v.Impaired.IsZero()
		case !v.Impaired.IsZero():
			return time.Time{}, true
		case v.Boot.At.IsZero():
			return v.Since.Add(h.Pace.Boot), true
		case v.Spot != nil:
			return v.Spot.At, true
		}
	}
	return time.Time{}, false
}

// step does what is due in one transaction, and says when something is due next, and which instances have ended.
func (h *Host) step(tx *state.Txn, now time.Time, ended *[]region.Instance) (next time.Time, err error) {
	if _, out := region.ZoneOutages.Get(tx, h.Zone); out {
		region.ZoneOutages.Delete(tx, h.Zone) // here we are
	}
	steps := 0
	for _, zone := range h.charge(tx) {
		for _, v := range h.unsettled(tx, zone) {
			at, is := h.due(v, zone != h.Zone)
			switch {
			case !is:
				continue
			case at.After(now):
				next = earlier(next, at)
				continue
			case steps == mostSteps:
				return now, nil
			}
			steps++
			if err := h.advance(tx, v, zone != h.Zone, now); err != nil {
				return next, err
			}
			moved, found := region.Instances.Get(tx, v.ID)
			if !found || moved.State == region.InstanceTerminated {
				*ended = append(*ended, v)
			}
			if found {
				if at, is := h.due(moved, zone != h.Zone); is {
					next = earlier(next, at)
				}
			}
		}
	}
	return next, nil
}

func (h *Host) advance(tx *state.Txn, v region.Instance, out bool, now time.Time) (err error) {
	switch {
	case v.State == region.InstanceTerminated:
		return h.Network.Forget(tx, v.ID)
	case v.State != region.InstanceRunning:
		_, err = h.Network.Advance(tx, v.ID, now)
	case out:
		region.ImpairInstance(tx, v.ID, now)
	case !v.Impaired.IsZero():
		region.ImpairInstance(tx, v.ID, time.Time{})
	case v.Boot.At.IsZero():
		region.NoteBoot(tx, v.ID, h.boot(tx, v, now))
	case v.Spot != nil:
		err = h.Network.Reclaim(tx, v.ID, now)
	}
	return err
}

// earlier is the earlier one of two times of which zero ones do not count.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
