package az

import (
	"context"
	"time"

	"tripod/region"
)

// keepPace waits out this zone's share of the time that a change of the control plane has to last: what is left of it, in equal parts for the zones whose
// turn is still to come. It gives up when the record does not stand for the change any more.
func (c *clusterZone) keepPace(ctx context.Context, record region.Cluster, begun time.Time, stands func(region.Cluster) bool) error {
	if record.NotBefore == nil {
		return nil
	}
	share := record.NotBefore.Sub(begun) / time.Duration(len(c.zone.config.Peers)-c.index)
	changes, cancel := c.zone.voter.Watch()
	defer cancel()
	over := time.NewTimer(share - c.zone.now().Sub(begun))
	defer over.Stop()
	for {
		select {
		case <-over.C:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-changes:
		}
		if now, err := c.newest(); err == nil && !stands(now) {
			return errCalledOff
		}
	}
}
