package emulator

import (
	"context"
	"time"

	"tripod/internal/loss"
)

// lossTimeout bounds the telling of a loss to one zone. Who has not heard by then finds out by a time-out of its own.
const lossTimeout = 10 * time.Second

// tellLoss tells all zones that can hear what is known of a process that is gone, and returns at once. The one behind
// the lost zone in their order goes first: its etcd member and its voter stand for the lead that may be free now, and
// the other ones wait a moment.
func (v *supervisor) tellLoss(l loss.Loss) {
	lost := v.zones.named(l.Zone)
	if lost == nil || v.life.isStopping() {
		return
	}
	rank := 0
	for i := range v.zones {
		// the zone itself comes last: of an instance's loss its other instances hear too
		z := v.zones[(lost.index+1+i)%len(v.zones)]
		if z.reachable() != nil || z == lost && l.Component == "" {
			continue
		}
		told := l
		told.Rank = rank
		rank++
		v.life.wait.Go(func() {
			ctx, cancel := context.WithTimeout(context.Background(), lossTimeout)
			defer cancel()
			if err := z.agent().TellLoss(ctx, told); err != nil {
				v.logger.Warn("tell of a loss", "az", z.name, "lost", told.Zone, "component", told.Component, "error", err)
			}
		})
	}
}
