package emulator

import (
	"net/http"

	"tripod/api"
	"tripod/internal/loglevel"
)

// handleLogLevel says how much a process logs from now on.
func (c *control) handleLogLevel(w http.ResponseWriter, r *http.Request) {
	var order api.LogLevelOrder
	if readBody(w, r, &order, "the order is no JSON of a target and a level") {
		answer(w, c.setLogLevel(r, order))
	}
}

func (c *control) setLogLevel(r *http.Request, order api.LogLevelOrder) error {
	level := loglevel.Level(order.Level)
	if err := level.Check(); err != nil {
		return refuse("%v", err)
	}
	if order.Target == api.TargetUp {
		if c.region.options.LogLevel == nil {
			return refuse("the region's own process has a log of somebody else's: its level cannot be changed here")
		}
		c.region.options.LogLevel.Set(level.Slog())
		return nil
	}
	target, err := api.ParseTarget(order.Target)
	if err != nil {
		return refuse("%v", err)
	}
	z := c.region.zones.named(target.Name)
	if z == nil {
		return c.region.faults.noZone(target.Name)
	}
	if err := z.reachable(); err != nil {
		return err
	}
	return z.agent().SetLogLevel(r.Context(), target.Kind, c.clusterOr(order.Cluster), level)
}

// clusterOr is the cluster's name or, where none is given and there is one cluster, that one's.
func (c *control) clusterOr(name string) string {
	if all := c.region.endpoints.sorted(); name == "" && len(all) == 1 {
		return all[0].state.Name
	}
	return name
}
