package controlplane

import (
	"context"
	"fmt"
	"time"

	"tripod/api"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// settling is what comes after the API server's first readiness: the cluster becomes ACTIVE and gets what a fresh
// cluster shows. Any zone may do it; the leading one goes first with what a cluster shows, as three at once would only
// be in each other's way.
func (c *Part) settling() reconcile.Loop {
	pauses := reconcile.Pauses{First: 100 * time.Millisecond, Most: 5 * time.Second}
	installs, pause := leaderInstalls, pauses.First
	return reconcile.Loop{Key: "settle the cluster", Pauses: pauses, Do: func(ctx context.Context) (time.Duration, error) {
		select {
		case <-c.apiserver.Readiness():
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if pause > 3*time.Second { // after some 3 s the leading zone's API server is not going to
			installs = anyoneInstalls
		}
		done, err := c.settle(ctx, installs)
		if done {
			return 0, reconcile.ErrDone
		}
		again := pause
		pause = min(2*pause, pauses.Most)
		return again, err
	}}
}

// installer says which zone installs what a fresh cluster shows.
type installer int

const (
	leaderInstalls installer = iota // the zone that leads the regional state
	anyoneInstalls
)

// settle makes the cluster ACTIVE and installs its add-ons; done when nothing is left for any zone to do.
func (c *Part) settle(ctx context.Context, installs installer) (done bool, err error) {
	record, err := c.newest()
	if err != nil {
		return false, err
	}
	creating := record.Status == region.ClusterCreating && record.Lasts(c.host.Now())
	if record.Status == region.ClusterCreating && !creating {
		if err := c.activate(ctx); err != nil {
			return false, err
		}
	}
	strange := record.Nodes > 0 && record.NodeRole == ""
	launched := record.Nodes == 0 || record.NodesLaunched
	if !strange && launched && (record.AddonsInstalled || c.host.Addons == nil) {
		return !creating, nil
	}
	if installs == leaderInstalls && c.host.State.Leader() != c.host.Plan.Zone {
		return false, nil
	}
	if strange {
		return false, c.admitNodes(ctx)
	}
	if !launched {
		if err := c.launchNodes(ctx); err != nil {
			return false, fmt.Errorf("launch the nodes: %w", err)
		}
	}
	if record.AddonsInstalled || c.host.Addons == nil {
		return !creating, nil
	}
	config, err := c.workersConfig()
	if err != nil {
		return false, err
	}
	if err := c.host.Addons(ctx, config, record); err != nil {
		return false, fmt.Errorf("install add-ons: %w", err)
	}
	has := "coredns, kube-proxy, aws-node and the eks: roles"
	if record.Bare {
		has = "the eks: roles, and no add-ons"
	}
	c.host.Event(api.Event{Cluster: record.Name, Type: api.AddonsInstalled,
		Message: "cluster " + record.Name + " has " + has})
	return !creating, c.change(ctx, func(r *region.Cluster) { r.AddonsInstalled = true })
}

// activate makes the cluster ACTIVE; the zone whose change it is tells.
func (c *Part) activate(ctx context.Context) error {
	mine := false
	err := c.host.State.Update(ctx, func(tx *state.Txn) (err error) {
		mine, err = region.ActivateCluster(tx, c.cluster.ID, c.host.Now())
		return err
	})
	if err == nil && mine {
		c.host.Event(api.Event{Cluster: c.cluster.Name, Type: api.ClusterActive,
			Message: "cluster " + c.cluster.Name + " is ACTIVE"})
	}
	return err
}
