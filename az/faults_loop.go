package az

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"tripod/api"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// lookEvery is how often it is looked whether objects that are at fault are still there and still so: nothing tells.
const lookEvery = 5 * time.Second

// faultTimeout bounds how long a cluster's API server is waited for.
const faultTimeout = 10 * time.Second

// keepFaults ends the faults whose time is over, and forgets those of which nothing is left.
func (z *Zone) keepFaults() reconcile.Loop {
	return z.leading(reconcile.Loop{Key: "end faults whose time is over",
		Do: func(ctx context.Context) (time.Duration, error) {
			return z.recordFaults().keep(ctx, func(fault region.Fault) bool { return !inZone(fault) })
		},
		Pauses: reconcile.Pauses{First: time.Second, Most: lookEvery}})
}

// keepOwnFaults does the same for those of the zone's own processes, to which no other zone can do anything.
func (z *Zone) keepOwnFaults() reconcile.Loop {
	return reconcile.Loop{Key: "end faults of the zone's processes whose time is over", Watch: z.voter.Watch, Logger: z.logger,
		Do: func(ctx context.Context) (time.Duration, error) {
			f := z.recordFaults()
			return f.keep(ctx, f.isOwn)
		},
		Pauses: reconcile.Pauses{First: time.Second, Most: lookEvery}}
}

// inZone says whether a fault is of a process in a zone.
func inZone(fault region.Fault) bool {
	kind, _, _ := strings.Cut(fault.Target, "/")
	found, _ := api.FindRecordFault(kind)
	return found.InZone()
}

// isOwn says whether a fault is of a process of this zone.
func (f *recordFaults) isOwn(fault region.Fault) bool {
	_, letter, _ := strings.Cut(fault.Target, "/")
	return inZone(fault) && letter == f.letter
}

// keep looks after the faults in force that are its matter, and says when it is to be called again.
func (f *recordFaults) keep(ctx context.Context, matters func(region.Fault) bool) (again time.Duration, err error) {
	var faults []region.Fault
	f.state.View(func(tx *state.Txn) error { faults = region.Faults.List(tx); return nil })
	var errs []error
	for _, fault := range faults {
		if !matters(fault) {
			continue
		}
		next, err := f.look(ctx, fault)
		errs = append(errs, err)
		if next != 0 && (again == 0 || next < again) {
			again = next
		}
	}
	return again, errors.Join(errs...)
}

// look ends a fault if that is due, and says when it may be due next; 0: only a change matters.
func (f *recordFaults) look(ctx context.Context, fault region.Fault) (next time.Duration, err error) {
	timeout := faultTimeout
	if inZone(fault) {
		timeout = repairTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	name, _, _ := strings.Cut(fault.Target, "/")
	kind := recordFaultKinds[name]
	if kind.over != nil {
		over, err := kind.over(f, ctx, fault)
		if err != nil {
			return 0, err
		}
		if over {
			return 0, f.tell(fault, "is over: nothing is left of it", f.forget(ctx, fault))
		}
	}
	if fault.UID != "" || kind.over != nil && inZone(fault) {
		next = lookEvery
	}
	if fault.Until.IsZero() || fault.Final {
		return next, nil
	}
	left := fault.Until.Sub(f.now())
	if left <= 0 {
		return 0, f.tell(fault, "is over: its time has come", kind.undo(f, ctx, fault))
	}
	if next == 0 || left < next {
		next = left
	}
	return max(next, reconcile.Now), nil
}

// tell tells that a fault has ended, unless it has not.
func (f *recordFaults) tell(fault region.Fault, what string, err error) error {
	if err == nil {
		f.event(api.Event{Cluster: f.clusterName(fault.ClusterID), Target: fault.Target, Type: api.FaultCleared,
			Message: fmt.Sprintf("the fault of %s, %s, %s", fault.Target, fault.Fault, what)})
	}
	return err
}
