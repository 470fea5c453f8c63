package emulator

import (
	"context"
	"time"

	"tripod/az"
	"tripod/internal/loss"
)

// lossTimeout bounds the telling of a loss to one zone. Who has not heard by then finds out by a time-out of its own.
const lossTimeout = 10 * time.Second

// tellLoss tells all zones that can hear what is known of a process that is gone, and returns at once. The one behind the lost zone in their
// order goes first: its etcd member and its voter stand for the lead that may be free now, and the other ones wait a moment.
func (e *Emulator) tellLoss(l loss.Loss) {
	e.mu.Lock()
	stopping, zones := e.stopping, e.zones
	e.mu.Unlock()
	if stopping {
		return
	}
	lost := e.zoneNamed(l.Zone)
	if lost == nil {
		return
	}
	rank := 0
	for i := range zones {
		z := zones[(lost.index+1+i)%len(zones)] // the zone itself comes last: of an instance's loss its other instances hear too
		if z.reachable() != nil || z == lost && l.Component == "" {
			continue
		}
		told := l
		told.Rank = rank
		rank++
		e.wait.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), lossTimeout)
			defer cancel()
			if err := az.Call(ctx, z.runDir, "POST", loss.Path, told, nil); err != nil {
				e.logger.Warn("tell of a loss", "az", z.name, "lost", told.Zone, "component", told.Component, "error", err)
			}
		})
	}
}
