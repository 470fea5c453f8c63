package az

import (
	"context"
	"time"

	"tripod/internal/process"
	"tripod/internal/reconcile"
)

// loops are the zone's own; those of its part of a cluster are controlplane.Part.loops.
func (z *Zone) loops() []reconcile.Loop {
	return append([]reconcile.Loop{
		{Key: "run the zone's part of all clusters", Watch: z.voter.Watch, Do: z.reconcileClusters,
			Pauses: reconcile.Pauses{First: 5 * time.Second, Most: 5 * time.Second}, Logger: z.logger},
		z.machines.Loop(),
		z.newVolumes().Loop(),
		z.newVolumes().FileSystemsLoop(),
		z.newAddressing().Loop(),
		z.leading(reconcile.Loop{Key: "keep the Auto Scaling groups", Do: z.acting.Groups.Keep,
			Pauses: reconcile.Pauses{First: time.Second, Most: 10 * time.Second}}),
		z.keepFaults(),
		z.keepOwnFaults(),
		z.leading(reconcile.Loop{Key: "carry out experiments", Do: z.experiments().Keep,
			Pauses: reconcile.Pauses{First: time.Second, Most: 10 * time.Second}}),
		z.evaluateAlarms(),
		{Key: "report the zone's state", Watch: func() (<-chan struct{}, func()) { return z.changes, func() {} },
			Do:     z.reportState,
			Logger: z.logger},
		{Key: "notice paused instances", Watch: process.ChildChanges, Do: z.observePauses, Logger: z.logger},
	}, z.balances.Loops()...)
}

// leading is a loop of which the work is the region's, not the zone's: it is done where the regional state is led, and by
// nobody for as long as nobody leads it. Two at once, while the lead changes, do no harm: what they do is decided in
// transactions.
func (z *Zone) leading(l reconcile.Loop) reconcile.Loop {
	do := l.Do
	l.Watch, l.Logger = z.voter.Watch, z.logger
	l.Do = func(ctx context.Context) (time.Duration, error) {
		if z.voter.Leader() != z.config.Zone {
			return 0, nil // a change of the lead wakes it
		}
		return do(ctx)
	}
	return l
}

// observePauses looks which instances somebody has stopped by a signal, or let go on.
func (z *Zone) observePauses(context.Context) (time.Duration, error) {
	for _, i := range z.instances("") {
		i.ObservePause()
	}
	return 0, nil
}
