package az

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"tripod/api"
	"tripod/az/controlplane"
	"tripod/az/gateway"
	"tripod/az/instance"
	"tripod/region"
	"tripod/state"
)

// routed are the clusters that have a part here, as the gateway knows them.
func (z *Zone) routed() (clusters []gateway.Cluster) {
	for _, c := range z.parts() {
		clusters = append(clusters, c.Route())
	}
	return clusters
}

// parts are the zone's of all clusters, in the order of their ids.
func (z *Zone) parts() (parts []*controlplane.Part) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(z.clusters)) {
		parts = append(parts, z.clusters[id])
	}
	return parts
}

// host is the zone as its parts of clusters know it.
func (z *Zone) host() controlplane.Host {
	return controlplane.Host{
		Plan: z.config, State: z.voter, LogEvents: z.logEvents, Metrics: z.metrics,
		Dial: z.gateway.Dial, DialWithin: z.dialWithin, Admit: z.vpc.admit,
		ServeGateway: z.gateway.ServeCluster, Parts: z.Parts, Machines: z.machines, Pools: z.pools, Clusters: z.acting.Clusters,
		Event: z.event, Mount: z.newVolumes().Mount, OnLoss: z.tellLoss, OnChange: z.changed, Logger: z.logger, Timing: z.timing, Now: z.now,
		Disk: z.disk.of,
	}
}

// instances of all clusters, or of the one with that name, in the order of cluster and start.
func (z *Zone) instances(cluster string) (found []*instance.Instance) {
	for _, c := range z.parts() {
		if cluster == "" || c.Name() == cluster {
			found = append(found, c.Instances()...)
		}
	}
	return found
}

// reconcileClusters makes the zone's part of every cluster true.
func (z *Zone) reconcileClusters(ctx context.Context) (time.Duration, error) {
	var records []region.Cluster
	var deleted []region.DeletedCluster
	z.voter.View(func(tx *state.Txn) error {
		records, deleted = region.Clusters.List(tx), region.Deleted.List(tx)
		return nil
	})
	var errs []error
	for _, record := range records {
		switch {
		case record.Status == region.ClusterDeleting:
			z.release(ctx, record.ID, record.Name)
		case record.Runs():
			errs = append(errs, z.ensure(ctx, record))
		}
	}
	for _, cluster := range deleted {
		z.release(ctx, cluster.ID, cluster.Name)
	}
	for id, name := range z.orphans(records) {
		z.release(ctx, id, name)
	}
	z.changed()
	return 0, errors.Join(errs...)
}

// orphans are the names, by id, of clusters that run here and have no record. A copy of the regional state only moves
// on: what was in it, and is not any more, is deleted, while this zone was being caught up.
func (z *Zone) orphans(records []region.Cluster) map[string]string {
	z.mu.Lock()
	defer z.mu.Unlock()
	names := map[string]string{}
	for id, part := range z.clusters {
		names[id] = part.Name()
	}
	for _, record := range records {
		delete(names, record.ID)
	}
	return names
}

// ensure starts the zone's part of a cluster, unless it runs: what changes of a record then is its own loops' matter.
// The zone's lock is not held while a part starts, as everybody who asks for the zone's instances takes it.
func (z *Zone) ensure(ctx context.Context, record region.Cluster) error {
	z.mu.Lock()
	if z.ending || z.clusters[record.ID] != nil {
		z.mu.Unlock()
		return nil
	}
	z.starts.Add(1)
	z.mu.Unlock()
	defer z.starts.Done()
	cluster := controlplane.New(z.host(), record)
	if err := cluster.Start(ctx); err != nil {
		z.event(api.Event{Cluster: record.Name, Type: api.ClusterFailed, Message: fmt.Sprintf(
			"zone %s cannot run its part of cluster %s: %v; it is tried again every 5 s", z.config.Zone, record.Name, err)})
		return fmt.Errorf("start cluster %s: %w", record.Name, err)
	}
	z.mu.Lock()
	z.clusters[record.ID] = cluster // before its processes run: the gateway has to know them
	z.mu.Unlock()
	cluster.Run(ctx)
	return nil
}

// release ends and deletes the zone's part of a cluster that is being deleted, or was while the zone was down: by a
// loop of its own, once.
func (z *Zone) release(ctx context.Context, id, name string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.ending || z.released[id] {
		return
	}
	z.released[id] = true
	loop := controlplane.Releasing(z.host(), id, name, z.clusters[id], func() {
		z.mu.Lock()
		delete(z.clusters, id)
		z.mu.Unlock()
	})
	z.wait.Go(func() { loop.Run(ctx) })
}
