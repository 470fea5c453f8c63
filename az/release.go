package az

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tripod/api"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

const (
	// farewell is how long the API server and the controllers of a deleted cluster may take to end in order. Nothing of
	// it is kept.
	farewell = 2 * time.Second
	// absence is how long the deletion of a cluster waits for a zone that is down. It finds out when it returns.
	absence = 10 * time.Second
)

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

// signOff notes that this zone's part is gone. The last zone to do so deletes the record; the leading one does when a
// zone that is down lets the others wait, and leaves a note for that one. It is ErrDone when the record is gone.
func (z *Zone) signOff(ctx context.Context, id string) error {
	gone, finished := false, region.Cluster{}
	err := z.voter.Update(ctx, func(tx *state.Txn) error {
		record, found := region.Clusters.Get(tx, id)
		gone, finished = !found, region.Cluster{}
		if !found {
			z.signOffLate(tx, id)
			return nil
		}
		if !slices.Contains(record.Released, z.config.Zone) {
			record.Released = append(record.Released, z.config.Zone)
			region.Clusters.Put(tx, id, record)
		}
		if z.mayFinish(record) {
			finished = record
			finish(tx, record, len(z.config.Peers))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if finished.ID != "" {
		z.event(api.Event{Cluster: finished.Name, Type: api.ClusterDeleted, Message: fmt.Sprintf("cluster %s is deleted", finished.Name)})
	}
	if gone || finished.ID != "" {
		return reconcile.ErrDone
	}
	return nil
}

// signOffLate does so when the others have not waited for this zone.
func (z *Zone) signOffLate(tx *state.Txn, id string) {
	deleted, found := region.Deleted.Get(tx, id)
	if !found {
		return
	}
	if !slices.Contains(deleted.Released, z.config.Zone) {
		deleted.Released = append(deleted.Released, z.config.Zone)
	}
	keepNote(tx, deleted, len(z.config.Peers))
}

// keepNote writes down that a cluster is deleted for as long as there are zones that have to know it.
func keepNote(tx *state.Txn, deleted region.DeletedCluster, zones int) {
	if len(deleted.Released) == zones {
		region.Deleted.Delete(tx, deleted.ID)
		return
	}
	region.Deleted.Put(tx, deleted.ID, deleted)
}

func (z *Zone) mayFinish(record region.Cluster) bool {
	if record.Lasts(z.now()) {
		return false
	}
	zones := len(z.config.Peers)
	if len(record.Released) == zones {
		return true
	}
	waited := record.DeletedAt != nil && z.now().Sub(*record.DeletedAt) > absence
	return waited && len(record.Released) > zones/2 && z.voter.Leader() == z.config.Zone
}

// finish deletes the cluster's record and its updates. What else belonged to it, the EKS API has deleted when the
// deletion began.
func finish(tx *state.Txn, record region.Cluster, zones int) {
	region.Clusters.Delete(tx, record.ID)
	region.ClusterIDs.Delete(tx, record.Name)
	for _, update := range region.Updates.List(tx) {
		if update.ClusterID == record.ID {
			region.Updates.Delete(tx, update.ID)
		}
	}
	keepNote(tx, region.DeletedCluster{ID: record.ID, Name: record.Name, DeletedAt: *record.DeletedAt, Released: record.Released}, zones)
}
