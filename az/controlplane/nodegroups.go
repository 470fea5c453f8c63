package controlplane

import (
	"context"
	"time"

	"tripod/awsapi/eks"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// NodeManager is what EKS does in a cluster for its managed node groups: nodegroups.Cluster.
type NodeManager interface {
	eks.ClusterNodes
	attendant
}

// managing keeps the cluster's node groups in the zone that leads the regional state: a watch of the cluster's nodes is
// open there, while there are groups.
func (c *Part) managing() reconcile.Loop {
	return reconcile.Loop{Key: "keep the node groups", Watch: c.watchNodegroups, Do: c.keepNodegroups,
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 10 * time.Second}}
}

func (c *Part) watchNodegroups() (<-chan struct{}, func()) { return c.watchBeside(c.nodeNews) }

// watchBeside is signalled by changes of the regional state and by news.
func (c *Part) watchBeside(news <-chan struct{}) (<-chan struct{}, func()) {
	return reconcile.Beside(c.host.State.Watch, news)
}

func signal(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

func (c *Part) keepNodegroups(ctx context.Context) (again time.Duration, err error) {
	if c.host.NodeManager == nil {
		return 0, reconcile.ErrDone
	}
	groups := false
	if err := c.host.State.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		groups = cluster.Runs() && cluster.Status != region.ClusterCreating &&
			!region.Nodegroups.Part(c.cluster.ID+"/").Empty(tx)
		return nil
	}); err != nil {
		return 0, err
	}
	return c.keepLeading(ctx, &c.keeper, groups, c.nodeNews, func(config WorkersConfig) (keeper, attendant, error) {
		manager, err := c.host.NodeManager(config)
		return &eks.NodegroupKeeper{Service: c.host.Clusters, ClusterID: c.cluster.ID, Nodes: manager}, manager, err
	})
}
