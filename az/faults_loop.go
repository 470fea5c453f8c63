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
		Do:     func(ctx context.Context) (time.Duration, error) { return z.recordFaults().keep(ctx) },
		Pauses: reconcile.Pauses{First: time.Second, Most: lookEvery}})
}

// keep looks after every fault in force, and says when it is to be called again.
func (f *recordFaults) keep(ctx context.Context) (again time.Duration, err error) {
	var faults []region.Fault
	f.state.View(func(tx *state.Txn) error { faults = region.Faults.List(tx); return nil })
	var errs []error
	for _, fault := range faults {
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
	ctx, cancel := context.WithTimeout(ctx, faultTimeout)
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
	if fault.UID != "" {
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
