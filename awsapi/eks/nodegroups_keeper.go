package eks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// ClusterNodes is what EKS does in a cluster for node groups, as the user eks:node-manager.
type ClusterNodes interface {
	// Nodes are all of the cluster's, as far as they are known. It costs no request.
	Nodes(ctx context.Context) ([]object.Node, error)
	// Change makes a change of a node; one that is not there any more is none.
	Change(ctx context.Context, change object.Change) error
	// Drain evicts the pods of a node once, as `kubectl drain --ignore-daemonsets --delete-emptydir-data` does; with force
	// it deletes them. It does not wait for them to go.
	Drain(ctx context.Context, node string, force bool) (object.Drained, error)
	// RoleMapped says whether aws-auth maps the role. MapRole has it map the role to nodes, if it does not, and UnmapRole
	// no longer.
	RoleMapped(ctx context.Context, roleARN string) (bool, error)
	MapRole(ctx context.Context, roleARN string, windows bool) error
	UnmapRole(ctx context.Context, roleARN string) error
}

const (
	// unreachableAfter is how long a cluster may not answer before its node groups' health says so.
	unreachableAfter = 30 * time.Second
	// unreachableRetry is how often it is asked meanwhile.
	unreachableRetry = 2 * time.Second
	// orderRetry is after how long an order is given again whose effect is not seen.
	orderRetry = 50 * time.Millisecond
	// busyPause is the time between two looks at least, and restPause that while nothing is under way: what changes in a
	// region is mostly no matter of node groups.
	busyPause = 20 * time.Millisecond
	restPause = 200 * time.Millisecond
	// drainsAtOnce bounds the nodes that are drained side by side.
	drainsAtOnce = 8
)

// NodegroupKeeper acts for the managed node groups of one cluster, as EKS does: one for each cluster, in the zone that
// leads. Keep is the work of a reconcile loop.
type NodegroupKeeper struct {
	Service   *Service
	ClusterID string
	Nodes     ClusterNodes

	stepped     time.Time     // when it looked last
	pause       time.Duration // until it looks again at the earliest
	silentSince time.Time     // since when the cluster has not answered; zero: it does
}

// keeping is what a keeper has to look at.
type keeping struct {
	cluster region.Cluster
	groups  []region.Nodegroup
}

// Keep brings all node groups of the cluster as far as they can be brought now. It is to be called when the regional
// state or the cluster's nodes have changed, and after the time again (0: it need not); with nothing to do it costs some
// reads of records.
func (k *NodegroupKeeper) Keep(ctx context.Context) (again time.Duration, err error) {
	var now keeping
	err = k.Service.State.View(func(tx *state.Txn) error {
		now.cluster, _ = region.Clusters.Get(tx, k.ClusterID)
		now.groups = slices.DeleteFunc(nodegroups.list(tx, k.ClusterID),
			func(g region.Nodegroup) bool { return g.Work == nil })
		return nil
	})
	if err != nil || len(now.groups) == 0 || !now.cluster.Runs() || now.cluster.Status == region.ClusterCreating {
		return 0, err
	}
	clock := k.Service.now()
	if wait := k.stepped.Add(k.pause).Sub(clock); wait > 0 && wait <= k.pause {
		return wait, nil
	}
	k.stepped, k.pause = clock, busyPause
	view, soon := k.look(ctx, now)
	orders, again, err := k.step(ctx, now, view)
	for _, order := range orders {
		if failed := k.Nodes.Change(ctx, order); failed != nil {
			err = errors.Join(err, fmt.Errorf("change the node %s: %w", order.Node, failed))
		}
		soon = orderRetry
	}
	if again == 0 || soon > 0 && soon < again {
		again = soon
	}
	if err != nil {
		return 0, fmt.Errorf("keep the node groups of %s: %w", now.cluster.Name, err)
	}
	if again == 0 {
		k.pause = restPause
	}
	return again, nil
}

// step steps all node groups, each in a transaction of its own.
func (k *NodegroupKeeper) step(ctx context.Context, now keeping, view GroupView) (orders []object.Change,
	again time.Duration, err error) {
	for _, g := range now.groups {
		var more []object.Change
		var after time.Duration
		failed := k.Service.State.Update(ctx, func(tx *state.Txn) (err error) {
			more, after = nil, 0
			cluster, _ := region.Clusters.Get(tx, k.ClusterID)
			group, found := nodegroups.get(tx, k.ClusterID, g.Name())
			if found && cluster.Runs() {
				more, after, err = k.Service.StepNodegroup(tx, cluster, group, view, k.Service.now())
			}
			return err
		})
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("node group %s: %w", g.Name(), failed))
			continue
		}
		orders = append(orders, more...)
		if after > 0 && (again == 0 || after < again) {
			again = after
		}
	}
	return orders, again, err
}

// look asks the cluster what the steps have to know. soon is when to ask again; 0: it need not be.
func (k *NodegroupKeeper) look(ctx context.Context, now keeping) (view GroupView, soon time.Duration) {
	nodes, err := k.Nodes.Nodes(ctx)
	if err == nil {
		view.Nodes = map[string]object.Node{}
		for _, node := range nodes {
			if node.InstanceID != "" {
				view.Nodes[node.InstanceID] = node
			}
		}
		view.Drained, err = k.drain(ctx, now, view.Nodes)
	}
	if err == nil {
		view.Mapped, err = k.mapped(ctx, now, view.Nodes)
	}
	if err == nil {
		k.silentSince = time.Time{}
		return view, 0
	}
	clock := k.Service.now()
	if k.silentSince.IsZero() {
		k.silentSince = clock
	}
	if clock.Sub(k.silentSince) >= unreachableAfter {
		view.Unreachable = err.Error()
	}
	return view, unreachableRetry
}

// drain makes a pass of each drain that is under way.
func (k *NodegroupKeeper) drain(ctx context.Context, now keeping, nodes map[string]object.Node) (
	all map[string]object.Drained, err error) {
	all = map[string]object.Drained{}
	forced := map[string]bool{} // by the nodes to drain now
	for _, g := range now.groups {
		for id, d := range g.Work.Draining {
			node, found := nodes[id]
			switch {
			case !found || !node.Unschedulable:
			case !d.Drained.IsZero(): // what tolerates everything may come back: it is no matter any more
				all[node.Name] = object.Drained{}
			default:
				forced[node.Name] = !d.Forced.IsZero()
			}
		}
	}
	var mu sync.Mutex // all and errs
	var group sync.WaitGroup
	var errs []error
	turns := make(chan struct{}, drainsAtOnce)
	for node, force := range forced {
		turns <- struct{}{}
		group.Go(func() {
			defer func() { <-turns }()
			left, err := k.Nodes.Drain(ctx, node, force)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				errs = append(errs, fmt.Errorf("drain the node %s: %w", node, err))
				return
			}
			all[node] = left
		})
	}
	group.Wait()
	return all, errors.Join(errs...)
}

// mapped says which node roles aws-auth has, where that counts and somebody has to know: while a node group is made or
// deleted, and while not all of its nodes are Ready. A role that a new node group brings is mapped, and that of the last
// one that had it is mapped no longer.
func (k *NodegroupKeeper) mapped(ctx context.Context, now keeping, nodes map[string]object.Node) (
	all map[string]bool, err error) {
	mode := types.AuthenticationMode(now.cluster.AuthenticationMode)
	if mode == types.AuthenticationModeApi {
		return nil, nil
	}
	all = map[string]bool{}
	for _, g := range now.groups {
		role := aws.ToString(g.NodeRole)
		var there bool
		switch _, asked := all[role]; {
		case mode == types.AuthenticationModeConfigMap && g.Status == types.NodegroupStatusCreating && !g.Work.Mapped:
			there, err = true, k.Nodes.MapRole(ctx, role, strings.HasPrefix(string(g.AmiType), "WINDOWS_"))
		case g.Status == types.NodegroupStatusDeleting && g.Work.Mapped && k.isLast(now.cluster, g):
			err = k.Nodes.UnmapRole(ctx, role)
		case asked || k.allReady(g, nodes):
			continue
		default:
			there, err = k.Nodes.RoleMapped(ctx, role)
		}
		if err != nil {
			return nil, fmt.Errorf("aws-auth: %w", err)
		}
		all[role] = there
	}
	return all, nil
}

// isLast says whether a node group that is deleted has no instances any more, and no other one has its role.
func (k *NodegroupKeeper) isLast(cluster region.Cluster, g region.Nodegroup) (last bool) {
	err := k.Service.State.View(func(tx *state.Txn) error {
		last = len(region.MembersOf(tx, scalingGroupOf(g))) == 0 && !k.Service.roleServes(tx, cluster, g)
		return nil
	})
	return last && err == nil
}

// allReady says whether all instances of a node group are nodes that are Ready.
func (k *NodegroupKeeper) allReady(g region.Nodegroup, nodes map[string]object.Node) (all bool) {
	err := k.Service.State.View(func(tx *state.Txn) error {
		all = true
		for _, m := range region.MembersOf(tx, scalingGroupOf(g)) {
			all = all && (nodes[m.InstanceID].Ready || m.State.Ends())
		}
		return nil
	})
	return all && err == nil
}
