package controlplane

import (
	"context"
	"strings"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/region"
	"tripod/state"
)

// serverFaults are what is wrong with the zone's API server on purpose, as the records of faults say.
type serverFaults struct {
	process launch.Faults // of the process itself
	skew    time.Duration // of the clock by which tokens are verified
	expired bool          // its serving certificate
}

// serverFaults reads them.
func (c *Part) serverFaults() (now serverFaults) {
	c.host.State.View(func(tx *state.Txn) error {
		for _, fault := range region.FaultsOf(tx, api.KindAPIServer+"/"+plan.Letter(c.host.Plan.Zone)) {
			if fault.ClusterID != c.cluster.ID {
				continue
			}
			word, value, _ := strings.Cut(fault.Fault, "=")
			duration, _ := time.ParseDuration(value) // it was checked when it was asked for
			switch word {
			case api.FaultOverloaded:
				now.process.Overloaded = true
			case api.FaultLatency:
				now.process.Latency = duration
			case api.FaultClock:
				now.skew = duration
			case api.FaultCertificateExpired:
				now.expired = true
			}
		}
		return nil
	})
	return now
}

// takeFaults is FollowFaults before anything runs: what is started from now on has them.
func (c *Part) takeFaults() {
	now := c.serverFaults()
	c.skew.Store(int64(now.skew))
	c.expired.Store(now.expired)
	c.faulted = &now
}

// FollowFaults makes the zone's API server have the faults that the records say, and no others. It returns when it has.
func (c *Part) FollowFaults(ctx context.Context) error {
	c.faulting.Lock()
	defer c.faulting.Unlock()
	now := c.serverFaults()
	if c.faulted != nil && *c.faulted == now {
		return nil
	}
	c.skew.Store(int64(now.skew))
	c.expired.Store(now.expired)
	before := c.faulted
	c.faulted = nil // until all is so
	if before == nil || before.expired != now.expired {
		if err := c.writePKI(); err != nil { // the API server reads its certificate anew when it changes
			return err
		}
	}
	if before == nil || before.process != now.process {
		if err := c.apiserver.Tell(ctx, launch.FaultsPath, now.process); err != nil {
			return err
		}
	}
	c.faulted = &now
	return nil
}
