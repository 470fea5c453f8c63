package eks_test

import (
	"context"
	"errors"

	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/awsapi/autoscaling"
	"tripod/awsapi/ec2"
	service "tripod/awsapi/eks"
	"tripod/nodes/object"
	"tripod/region"
	"tripod/state"
)

// fakeNodes is a cluster as node groups see it.
type fakeNodes struct {
	mu      sync.Mutex
	nodes   map[string]object.Node // by name
	pods    map[string][]string    // by the node's name; those that begin with ! have a budget that keeps them
	deleted []string               // pods that force deleted
	mapped  map[string]bool
	down    error
}

func (f *fakeNodes) Nodes(context.Context) (all []object.Node, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.nodes {
		all = append(all, n)
	}
	return all, f.down
}

func (f *fakeNodes) Change(_ context.Context, c object.Change) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	n, found := f.nodes[c.Node]
	if !found {
		return nil
	}
	if c.Unschedulable != nil {
		n.Unschedulable = *c.Unschedulable
	}
	labels := map[string]string{}
	for key, value := range n.Labels {
		if !slices.Contains(c.RemoveLabels, key) {
			labels[key] = value
		}
	}
	for key, value := range c.Labels {
		labels[key] = value
	}
	n.Labels, n.Taints = labels, c.Over(n.Taints)
	f.nodes[c.Node] = n
	return f.down
}

func (f *fakeNodes) Drain(_ context.Context, node string, force bool) (left object.Drained, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var kept []string
	for _, pod := range f.pods[node] {
		switch {
		case force:
			f.deleted = append(f.deleted, pod)
		case strings.HasPrefix(pod, "!"):
			kept = append(kept, pod)
		}
	}
	f.pods[node] = kept
	return object.Drained{Left: len(kept), Blocked: kept}, f.down
}

func (f *fakeNodes) RoleMapped(_ context.Context, arn string) (bool, error) {
	return f.mapped[arn], f.down
}

func (f *fakeNodes) MapRole(_ context.Context, arn string, _ bool) error {
	f.mapped[arn] = true
	return f.down
}

func (f *fakeNodes) UnmapRole(_ context.Context, arn string) error {
	delete(f.mapped, arn)
	return f.down
}

func (f *fakeNodes) change(name string, change func(*object.Node)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[name]
	change(&n)
	f.nodes[name] = n
}

// nodeWorld is a region whose node groups act: with Auto Scaling, instances that boot at once, and a fake cluster.
type nodeWorld struct {
	*world
	t       *testing.T
	now     time.Time
	clock   func() time.Time
	cluster *fakeNodes
	keeper  *service.NodegroupKeeper
	scaling *autoscaling.Service
	network *ec2.Service
	// boots says what an instance's boot comes to: trouble, or empty where it joins.
	boots   func(region.Instance) string
	unready func(region.Instance) bool
}

func newNodeWorld(t *testing.T, mode string, pace service.Pace) *nodeWorld {
	t.Helper()
	world := newWorld(t, mode, func(p *service.ControlPlane) { p.Pace = pace })
	w := acting(world.state, pace)
	w.t, w.world, w.now = t, world, time.Now().UTC().Truncate(time.Millisecond)
	w.clock = func() time.Time { return w.now }
	w.set(t, func(c *region.Cluster) { c.ServiceCIDR = "10.100.0.0/16" })
	return w
}

// acting is a region in memory whose node groups act when its rounds are called.
func acting(m *state.Memory, pace service.Pace) *nodeWorld {
	w := &nodeWorld{world: &world{state: m}, clock: time.Now, cluster: &fakeNodes{nodes: map[string]object.Node{},
		pods: map[string][]string{}, mapped: map[string]bool{}}}
	clock := func() time.Time { return w.clock() }
	w.network = &ec2.Service{VPC: vpc, State: m, Now: clock}
	w.scaling = &autoscaling.Service{State: m, Network: w.network, Now: clock}
	w.keeper = &service.NodegroupKeeper{ClusterID: clusterID, Nodes: w.cluster,
		Service: &service.Service{Region: vpc.Region, AccountID: vpc.AccountID, VPC: vpc, State: m,
			ControlPlane: service.ControlPlane{Pace: pace}, Probes: service.Probes{Now: clock}}}
	w.boots, w.unready = func(region.Instance) string { return "" }, func(region.Instance) bool { return false }
	return w
}

// act has the node groups of a region act until the test ends, by the clock.
func act(t *testing.T, m *state.Memory) {
	w := acting(m, service.Pace{})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		changes, end := m.Watch()
		defer end()
		for {
			again, err := w.round()
			if err != nil {
				t.Error(err)
			}
			if again == 0 {
				again = time.Hour
			}
			select {
			case <-changes:
			case <-time.After(again):
			case <-stop:
				return
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-done })
}

// round lets everything that can happen now happen once.
func (w *nodeWorld) round() (again time.Duration, err error) {
	again, err = w.scaling.Keep(ctx)
	if err == nil {
		err = w.state.Update(ctx, func(tx *state.Txn) error {
			for _, v := range region.Instances.List(tx) {
				v, err := w.network.Advance(tx, v.ID, w.clock())
				if err != nil {
					return err
				}
				w.boot(tx, v)
			}
			return nil
		})
	}
	if err != nil {
		return 0, err
	}
	kept, err := w.keeper.Keep(ctx)
	if again == 0 || kept > 0 && kept < again {
		again = kept
	}
	return again, err
}

// boot makes a node of an instance that runs, and takes that of one which does not away.
func (w *nodeWorld) boot(tx *state.Txn, v region.Instance) {
	name := v.DNSName
	w.cluster.mu.Lock()
	defer w.cluster.mu.Unlock()
	node, there := w.cluster.nodes[name]
	switch {
	case v.State != region.InstanceRunning:
		if there && node.InstanceID == v.ID {
			delete(w.cluster.nodes, name)
		}
	case w.boots(v) != "":
		if v.Boot.Trouble == "" {
			region.NoteBoot(tx, v.ID, region.Boot{At: w.clock(), Trouble: w.boots(v), TroubledAt: w.clock()})
		}
	case !there:
		w.cluster.nodes[name] = object.Node{Name: name, InstanceID: v.ID, Created: w.clock(), Ready: !w.unready(v),
			Labels: map[string]string{}}
	}
}

func (w *nodeWorld) write(fn func(tx *state.Txn) error) {
	w.t.Helper()
	if err := w.state.Update(ctx, fn); err != nil {
		w.t.Fatal(err)
	}
}

// until lets time pass until something holds, for so long at most.
func (w *nodeWorld) until(what string, most time.Duration, holds func() bool) {
	w.t.Helper()
	step := max(100*time.Millisecond, most/400)
	for end := w.now.Add(most); ; w.now = w.now.Add(step) {
		if _, err := w.round(); err != nil {
			w.t.Fatal(err)
		}
		switch {
		case holds():
			return
		case w.now.After(end):
			g := w.describe()
			w.t.Fatalf("%s: not after %v; it is %s, %+v", what, most, g.Status, w.record().Work)
		}
	}
}

func (w *nodeWorld) status(want types.NodegroupStatus) func() bool {
	return func() bool { return w.record().Status == want }
}

func (w *nodeWorld) record() (g region.Nodegroup) {
	w.state.View(func(tx *state.Txn) error {
		g, _ = region.Nodegroups.Get(tx, clusterID+"/workers")
		return nil
	})
	return g
}

func (w *nodeWorld) describe() *types.Nodegroup {
	out, err := w.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: aws.String("demo"),
		NodegroupName: aws.String("workers")})
	if err != nil {
		return &types.Nodegroup{}
	}
	return out.Nodegroup
}

func (w *nodeWorld) group() (g region.AutoScalingGroup) {
	w.state.View(func(tx *state.Txn) error {
		for _, one := range region.AutoScalingGroups.List(tx) {
			if strings.HasPrefix(one.Name, "eks-workers-") {
				g = one
			}
		}
		return nil
	})
	return g
}

// instances are the node group's that are there, by their names.
func (w *nodeWorld) instances() map[string]region.Instance {
	all := map[string]region.Instance{}
	w.state.View(func(tx *state.Txn) error {
		for _, v := range region.InstancesByGroup.Of(w.group().Name).List(tx) {
			if v.State.Alive() {
				all[v.DNSName] = v
			}
		}
		return nil
	})
	return all
}

// create makes the node group workers, and waits until it is ACTIVE.
func (w *nodeWorld) create(size int32, change func(*eks.CreateNodegroupInput)) {
	w.t.Helper()
	must(w.CreateNodegroup(ctx, nodegroup(func(in *eks.CreateNodegroupInput) {
		in.ScalingConfig = &types.NodegroupScalingConfig{MinSize: aws.Int32(0), MaxSize: aws.Int32(max(size, 1) + 2),
			DesiredSize: &size}
		if change != nil {
			change(in)
		}
	})))(w.t)
	w.until("the node group is ACTIVE", time.Minute, w.status(types.NodegroupStatusActive))
	w.until("its instances are in service", 5*time.Second, func() (all bool) {
		w.state.View(func(tx *state.Txn) error {
			all = true
			for _, m := range region.MembersOf(tx, w.group().Name) {
				all = all && m.State == region.MemberInService
			}
			return nil
		})
		return all
	})
}

func (w *nodeWorld) update(id *string) *types.Update {
	return must(w.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: aws.String("demo"),
		NodegroupName: aws.String("workers"), UpdateId: id}))(w.t).Update
}

// issues are the codes of the node group's health.
func (w *nodeWorld) issues() (codes []string) {
	g := w.record()
	if g.Health == nil {
		return nil
	}
	for _, i := range g.Health.Issues {
		codes = append(codes, string(i.Code))
	}
	return codes
}

var errDown = errors.New("connection refused")
