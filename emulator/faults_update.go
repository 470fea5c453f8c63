package emulator

import (
	"context"

	"tripod/api"
)

// faultUpdate makes the next update of a cluster's control plane fail, or takes that back. Any zone can write it down.
func (f *faults) faultUpdate(ctx context.Context, cluster, verb string) error {
	target := api.Target{Kind: api.KindUpdate, Name: cluster}.String()
	event := api.Event{Cluster: cluster, Target: target, Type: api.FaultInjected,
		Message: "the next update of cluster " + cluster + " will fail in its last zone and go back"}
	switch verb {
	case api.FaultUpdate:
	case api.Reset:
		event.Type, event.Message = api.FaultCleared, "the next update of cluster "+cluster+" will not be made to fail"
	default:
		return refuse("an update takes no %s: 'tripod fault %s' makes the next one fail, 'tripod reset %s' takes that back",
			verb, target, target)
	}
	if _, found := f.endpoints.named(cluster); !found {
		return refuse("there is no cluster %q: 'tripod status' lists them", cluster)
	}
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	err := f.zones.first(refuse("no zone runs that could write it down: start one"), func(z *zone) error {
		state, err := z.agent().Update(ctx, cluster, verb)
		if err == nil {
			z.take(state)
		}
		return err
	})
	if err == nil {
		f.emit(event)
	}
	return err
}
