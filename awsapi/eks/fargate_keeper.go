package eks

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// FargateCluster is a cluster as Fargate sees it, and what Fargate does there, as the users eks:fargate-scheduler and
// eks:fargate-manager. What is done already, or not there any more, is no error.
type FargateCluster interface {
	// Pods are those of Fargate's scheduler, and Nodes Fargate's, as far as they are known. Neither costs a request, but for
	// claims of pods that wait.
	Pods(ctx context.Context) ([]object.FargatePod, error)
	Nodes(ctx context.Context) ([]object.Node, error)
	// Admit has API servers ask about new pods.
	Admit(ctx context.Context) error
	// Bind gives a pod its node, and Tell tells of it.
	Bind(ctx context.Context, pod object.FargatePod, node string) error
	Tell(ctx context.Context, pod object.FargatePod, event object.FargateEvent) error
	// DeletePod deletes a pod; with force at once, as its machine is gone.
	DeletePod(ctx context.Context, pod object.FargatePod, force bool) error
	DeleteNode(ctx context.Context, name string) error
	// MapRole has aws-auth map the role to Fargate's nodes, and UnmapRole no longer.
	MapRole(ctx context.Context, roleARN string) error
	UnmapRole(ctx context.Context, roleARN string) error
}

// FargateKeeper acts for the Fargate profiles of one cluster: one for each cluster, in the zone that leads. Keep is the work
// of a reconcile loop.
type FargateKeeper struct {
	Service   *Service
	ClusterID string
	Cluster   FargateCluster

	stepped  time.Time     // when it looked last
	pause    time.Duration // until it looks again at the earliest
	admitted bool
	// mapped and unmapped are the profiles, by name, whose roles aws-auth has by now, or has no longer.
	mapped, unmapped map[string]bool
	// told is what was told last of a pod that waits, by its UID. held is until when nothing more is done for a pod, by its UID,
	// or a node, by its name.
	told map[string]string
	held map[string]time.Time
}

// Keep brings the cluster's pods on Fargate as far as they can be brought now. It is to be called when the regional state, or
// Fargate's pods or nodes, have changed, and after the time again (0: it need not).
func (k *FargateKeeper) Keep(ctx context.Context) (again time.Duration, err error) {
	now := k.Service.now()
	if wait := k.stepped.Add(k.pause).Sub(now); wait > 0 && wait <= k.pause {
		return wait, nil
	}
	k.stepped, k.pause = now, busyPause
	if !k.admitted {
		if err := k.Cluster.Admit(ctx); err != nil {
			return 0, fmt.Errorf("have new pods asked about for Fargate: %w", err)
		}
		k.admitted = true
	}
	pods, err := k.Cluster.Pods(ctx)
	if err != nil {
		return 0, fmt.Errorf("know Fargate's pods: %w", err)
	}
	nodes, err := k.Cluster.Nodes(ctx)
	if err != nil {
		return 0, fmt.Errorf("know Fargate's nodes: %w", err)
	}
	k.remember(pods, now)
	st := k.begin(now, pods, nodes)
	if err := k.Service.State.View(func(tx *state.Txn) error { return st.run(tx, false) }); err != nil {
		return 0, err
	}
	if st.news {
		if err := k.Service.State.Update(ctx, func(tx *state.Txn) error {
			st = k.begin(now, pods, nodes)
			return st.run(tx, true)
		}); err != nil {
			return 0, err
		}
	}
	return k.follow(ctx, st)
}

// follow does in the cluster what a step has decided, and says when to look again.
func (k *FargateKeeper) follow(ctx context.Context, st *fargateStep) (again time.Duration, err error) {
	for _, order := range st.orders {
		err = errors.Join(err, order(ctx))
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("keep the pods on Fargate of %s: %w", st.cluster.Name, err)
	case len(st.orders) > 0:
		return orderRetry, nil
	case st.wake.IsZero():
		k.pause = restPause
		return 0, nil
	}
	return max(busyPause, st.wake.Sub(st.now)), nil
}

// remember forgets what was told of pods that are gone, and what is held no longer.
func (k *FargateKeeper) remember(pods []object.FargatePod, now time.Time) {
	if k.mapped == nil {
		k.mapped, k.unmapped, k.held = map[string]bool{}, map[string]bool{}, map[string]time.Time{}
	}
	told := map[string]string{}
	for _, p := range pods {
		if text, found := k.told[p.UID]; found && p.Node == "" {
			told[p.UID] = text
		}
	}
	k.told = told
	maps.DeleteFunc(k.held, func(_ string, until time.Time) bool { return !now.Before(until) })
}

func (k *FargateKeeper) begin(now time.Time, pods []object.FargatePod, nodes []object.Node) *fargateStep {
	st := &fargateStep{FargateKeeper: k, now: now, pace: k.Service.ControlPlane.Pace.Fargate.withDefaults(), pods: pods,
		byUID: map[string]object.FargatePod{}, nodes: map[string]object.Node{}}
	for _, p := range pods {
		st.byUID[p.UID] = p
	}
	for _, n := range nodes {
		st.nodes[n.Name] = n
	}
	return st
}

// keepProfiles makes profiles ACTIVE that pods can fall to, and ends those of which nothing is left.
func (st *fargateStep) keepProfiles() error {
	for _, p := range st.profiles {
		var err error
		switch p.Status {
		case types.FargateProfileStatusCreating:
			err = st.activate(p)
		case types.FargateProfileStatusDeleting:
			err = st.endProfile(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// usesAWSAuth says whether aws-auth alone lets nodes into the cluster.
func (st *fargateStep) usesAWSAuth() bool {
	return st.cluster.AuthenticationMode == string(types.AuthenticationModeConfigMap)
}

func (st *fargateStep) activate(p region.FargateProfile) (err error) {
	name, role := p.Name(), aws.ToString(p.PodExecutionRoleArn)
	switch {
	case p.Lasts(st.now):
		st.wakeAt(*p.NotBefore)
		return nil
	case st.usesAWSAuth() && !st.mapped[name]:
		st.order(func(ctx context.Context) error {
			if err := st.Cluster.MapRole(ctx, role); err != nil {
				return fmt.Errorf("map the role of the Fargate profile %s in aws-auth: %w", name, err)
			}
			st.mapped[name] = true
			return nil
		})
		return nil
	}
	if st.changes() {
		if st.mapped[name] {
			p = region.MapFargateProfile(st.tx, p)
		}
		_, err = region.ActivateFargateProfile(st.tx, p)
	}
	return err
}

// endProfile deletes the profile's pods, and forgets it when they and their machines are gone.
func (st *fargateStep) endProfile(p region.FargateProfile) error {
	name, left := p.Name(), false
	for _, pod := range st.pods {
		if pod.Profile != name {
			continue
		}
		left = true
		if !pod.Ending {
			st.order(func(ctx context.Context) error { return st.Cluster.DeletePod(ctx, pod, false) })
		}
	}
	for _, m := range st.machines {
		left = left || m.Profile == name
	}
	if left {
		return nil
	}
	if p.Lasts(st.now) {
		st.wakeAt(*p.NotBefore)
		return nil
	}
	role := aws.ToString(p.PodExecutionRoleArn)
	if p.Mapped && !st.unmapped[name] && !st.roleServesOthers(p) {
		st.order(func(ctx context.Context) error {
			err := st.Cluster.UnmapRole(ctx, role)
			st.unmapped[name] = err == nil
			return err
		})
		return nil
	}
	if !st.changes() {
		return nil
	}
	if entry, found := accessEntries.get(st.tx, st.ClusterID, role); found && entry.Type == fargateNodes && !st.roleServesOthers(p) {
		accessEntries.delete(st.tx, st.ClusterID, role)
	}
	delete(st.mapped, name)
	delete(st.unmapped, name)
	return region.ForgetFargateProfile(st.tx, p)
}

// roleServesOthers says whether another profile of the cluster has the profile's role.
func (st *fargateStep) roleServesOthers(p region.FargateProfile) bool {
	for _, other := range st.profiles {
		if other.Name() != p.Name() && aws.ToString(other.PodExecutionRoleArn) == aws.ToString(p.PodExecutionRoleArn) {
			return true
		}
	}
	return false
}
