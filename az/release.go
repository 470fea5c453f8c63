package az

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

// release ends and deletes the zone's part of a cluster that is being deleted, or was while the zone was down: by a
// loop of its own, once.
func (z *Zone) release(ctx context.Context, id, name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.ending || z.released[id] {
		return
	}
	z.released[id] = true
	loop := z.releasing(id, name, z.clusters[id])
	z.wait.Go(func() { loop.Run(ctx) })
}

func (z *Zone) releasing(id, name string, part *clusterZone) reconcile.Loop {
	discarded := false
	return reconcile.Loop{
		Key: "delete cluster " + name, Pauses: reconcile.Pauses{First: 100 * time.Millisecond, Most: 5 * time.Second}, Logger: z.logger,
		Do: func(ctx context.Context) (time.Duration, error) {
			if !discarded {
				if err := z.discard(ctx, id, part); err != nil {
					return 0, err
				}
				discarded = true
			}
			return time.Second, z.signOff(ctx, id) // again, as others may be down
		},
	}
}

// discard ends what runs and deletes the cluster's files in this zone. Doing it again is no error.
func (z *Zone) discard(ctx context.Context, id string, part *clusterZone) error {
	if part != nil {
		ending, cancel := context.WithTimeout(ctx, farewell)
		defer cancel()
		if err := part.stop(ending); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			z.logger.Info("end a deleted cluster's instances", "cluster", part.record.Name, "error", err)
		}
	}
	z.mu.Lock()
	delete(z.clusters, id)
	z.mu.Unlock()
	logs, _ := filepath.Glob(filepath.Join(z.config.Dir, "logs", "*-"+id+"*.log")) // the pattern is good
	for _, path := range append(logs, filepath.Join(z.config.Dir, "clusters", id)) {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	z.changed()
	return nil
}

// signOff notes that this zone's part is gone. It is ErrDone when nothing waits for this zone any more.
func (z *Zone) signOff(ctx context.Context, id string) error {
	var deleted region.Cluster
	var over bool
	err := z.voter.Update(ctx, func(tx *state.Txn) (err error) {
		by := region.Release{Zone: z.config.Zone, Zones: len(z.config.Peers), Leads: z.voter.Leader() == z.config.Zone, Now: z.now()}
		deleted, over, err = region.ReleaseCluster(tx, id, by)
		return err
	})
	if err != nil {
		return err
	}
	if deleted.ID != "" {
		z.event(api.Event{Cluster: deleted.Name, Type: api.ClusterDeleted, Message: fmt.Sprintf("cluster %s is deleted", deleted.Name)})
	}
	if over {
		return reconcile.ErrDone
	}
	return nil
}
