package az

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"tripod/az/addressing"
	"tripod/az/machines"
	"tripod/az/volumes"
	"tripod/internal/datadir"
	"tripod/internal/sleep"
	"tripod/region"
	"tripod/state"
)

// newMachines makes the host of the zone's instances.
func (z *Zone) newMachines() *machines.Host {
	h := &machines.Host{Zone: z.config.Zone, Zones: z.acting.Network.VPC.Zones, State: z.voter, Network: z.acting.Network,
		Pace: machines.FastPace, Now: z.now, Logger: z.logger}
	h.Ended = func(zone, instanceID string) {
		dir := datadir.NodeDir(filepath.Join(filepath.Dir(z.config.Dir), zone), instanceID)
		if err := os.RemoveAll(dir); err != nil {
			z.logger.Warn("delete what an instance held", "instance", instanceID, "error", err)
		}
	}
	if z.config.RealPace {
		h.Pace = machines.RealPace
	}
	return h
}

// newVolumes makes the host of the zone's volumes.
func (z *Zone) newVolumes() *volumes.Host {
	h := &volumes.Host{Zone: z.config.Zone, Zones: map[string]string{}, State: z.voter, Network: z.acting.Network, Now: z.now,
		DataDir: filepath.Dir(filepath.Dir(z.config.Dir)), Leads: func() bool { return z.voter.Leader() == z.config.Zone }, Logger: z.logger}
	for _, peer := range z.config.Peers {
		h.Zones[peer.Zone] = filepath.Join(filepath.Dir(z.config.Dir), peer.Zone)
	}
	h.Zones[z.config.Zone] = z.config.Dir
	return h
}

// newAddressing makes the host of the addresses of the zone's nodes.
func (z *Zone) newAddressing() *addressing.Host {
	return &addressing.Host{Zone: z.config.Zone, State: z.voter, Network: z.acting.Network, Pools: z.pools, Now: z.now, Logger: z.logger}
}

// outagePatience is how long it is tried to write down that another zone is out.
const outagePatience = 30 * time.Second

// noteOutage writes down that a zone's machines answer nobody. Each living zone does, and one of them is the first. It
// takes a quorum, which may have to come together again first.
func (z *Zone) noteOutage(ctx context.Context, zone string) {
	ctx, cancel := context.WithTimeout(ctx, outagePatience)
	defer cancel()
	for {
		err := z.voter.Update(ctx, func(tx *state.Txn) error {
			if _, known := region.ZoneOutages.Get(tx, zone); !known {
				region.ZoneOutages.Put(tx, zone, region.ZoneOutage{Zone: zone, Since: z.now().UTC()})
			}
			return nil
		})
		if err == nil {
			return
		}
		if sleep.For(ctx, 200*time.Millisecond) != nil {
			z.logger.Warn("write down that a zone is out", "lost", zone, "error", err)
			return
		}
	}
}
