package emulator

import (
	"context"
	"fmt"

	"tripod/api"
	"tripod/az"
)

// faultUpdate makes the next update of a cluster's control plane fail, or takes that back. Any zone can write it down.
func (e *Emulator) faultUpdate(ctx context.Context, cluster, verb string) error {
	event := api.Event{Cluster: cluster, Target: api.KindUpdate + "/" + cluster, Type: api.FaultInjected,
		Message: "the next update of cluster " + cluster + " will fail in its last zone and go back"}
	switch verb {
	case "fault":
	case "reset":
		event.Type, event.Message = api.FaultCleared, "the next update of cluster "+cluster+" will not be made to fail"
	default:
		return refuse("an update takes no %s: 'tripod fault %s' makes the next one fail, 'tripod reset %s' takes that back", verb, event.Target, event.Target)
	}
	if _, found := e.clusterNamed(cluster); !found {
		return refuse("there is no cluster %q: 'tripod status' lists them", cluster)
	}
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	err := refuse("no zone runs that could write it down: start one")
	for _, z := range e.zones {
		if z.reachable() != nil {
			continue
		}
		var state az.State
		if err = az.Call(ctx, z.runDir, "POST", fmt.Sprintf("/v1/clusters/%s/update/%s", cluster, verb), nil, &state); err == nil {
			z.take(state)
			e.emit(event)
			return nil
		}
	}
	return err
}
