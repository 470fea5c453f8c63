package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"tripod/api"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// farewell is how long the API server and the controllers of a deleted cluster may take to end in order. Nothing of it
// is kept.
const farewell = 2 * time.Second

// release is the end of a zone's part of a cluster.
type release struct {
	Host
	id, name string
	part     *Part // nil: nothing runs
	onEnd    func()
}

// Releasing ends and deletes the zone's part of a cluster that is being deleted, or was while the zone was down. part
// is nil when nothing of it runs; onEnd is called when all that runs has ended.
func Releasing(host Host, id, name string, part *Part, onEnd func()) reconcile.Loop {
	r, discarded := release{host, id, name, part, onEnd}, false
	return reconcile.Loop{
		Key: "delete cluster " + name, Pauses: reconcile.Pauses{First: 100 * time.Millisecond, Most: 5 * time.Second},
		Logger: host.Logger,
		Do: func(ctx context.Context) (time.Duration, error) {
			if !discarded {
				if err := r.discard(ctx); err != nil {
					return 0, err
				}
				discarded = true
			}
			return time.Second, r.signOff(ctx) // again, as others may be down
		},
	}
}

// discard ends what runs and deletes the cluster's files in this zone. Doing it again is no error.
func (r release) discard(ctx context.Context) error {
	if r.part != nil {
		ending, cancel := context.WithTimeout(ctx, farewell)
		defer cancel()
		if err := r.part.Stop(ending); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			r.Logger.Info("end a deleted cluster's instances", "cluster", r.name, "error", err)
		}
	}
	r.onEnd()
	logs, _ := filepath.Glob(filepath.Join(r.Plan.Dir, "logs", "*-"+r.id+"*.log")) // the pattern is good
	for _, path := range append(logs, filepath.Join(r.Plan.Dir, "clusters", r.id)) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	r.OnChange()
	return nil
}

// signOff notes that this zone's part is gone. It is ErrDone when nothing waits for this zone any more.
func (r release) signOff(ctx context.Context) error {
	var deleted region.Cluster
	var over bool
	err := r.State.Update(ctx, func(tx *state.Txn) (err error) {
		by := region.Release{Zone: r.Plan.Zone, Zones: len(r.Plan.Peers), Leads: r.State.Leader() == r.Plan.Zone,
			Now: r.Now()}
		deleted, over, err = region.ReleaseCluster(tx, r.id, by)
		return err
	})
	if err != nil {
		return err
	}
	if deleted.ID != "" {
		r.Event(api.Event{Cluster: deleted.Name, Type: api.ClusterDeleted,
			Message: fmt.Sprintf("cluster %s is deleted", deleted.Name)})
	}
	if over {
		return reconcile.ErrDone
	}
	return nil
}
