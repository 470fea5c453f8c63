package az

import (
	"context"
	"time"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// failUpdate makes the next change of a cluster's control plane fail in its last zone.
func (f *recordFaults) failUpdate(ctx context.Context, o api.FaultOrder) (api.FaultDone, error) {
	now := f.now().UTC()
	return api.FaultDone{Target: o.Target.String(), Said: "will fail"}, f.setUpdate(ctx, o.Target.Name, &now)
}

func (f *recordFaults) letUpdateGoWell(ctx context.Context, o api.FaultOrder) error {
	return f.setUpdate(ctx, o.Target.Name, nil)
}

func (f *recordFaults) updateNamed(o api.FaultOrder) (string, error) { return o.Target.String(), nil }

func (f *recordFaults) setUpdate(ctx context.Context, cluster string, at *time.Time) error {
	return f.state.Update(ctx, func(tx *state.Txn) error {
		if region.FaultNextRollout(tx, cluster, at) {
			return nil
		}
		var names []string
		for _, record := range region.Clusters.List(tx) {
			names = append(names, record.Name)
		}
		if len(names) == 0 {
			return refuse("there is no cluster %q in %s: it has none", cluster, f.region)
		}
		return refuse("there is no cluster %q in %s: its clusters are %s", cluster, f.region, enumerate(names, 0))
	})
}
