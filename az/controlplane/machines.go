package controlplane

import (
	"context"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"time"

	"tripod/awsapi/ec2"
	"tripod/az/machines"
	"tripod/internal/instancetypes"
	"tripod/internal/reconcile"
	"tripod/internal/version"
	"tripod/nodes/boot"
	"tripod/nodes/image"
	"tripod/nodes/machine"
	"tripod/region"
	"tripod/state"
)

// joining keeps the zone's nodes of the cluster those that the records of its instances say.
func (c *Part) joining() reconcile.Loop {
	return reconcile.Loop{Key: "keep the cluster's nodes", Watch: c.watchMachines, Do: c.keepMachines,
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 5 * time.Second}}
}

// watchMachines is signalled by changes of the regional state and by what kubelets report.
func (c *Part) watchMachines() (<-chan struct{}, func()) { return c.watchBeside(c.reports.news) }

// reports are what kubelets told since it was written down.
type reports struct {
	mu   sync.Mutex
	told map[string]string // trouble by instance id; empty: it has joined
	news chan struct{}
}

func newReports() *reports { return &reports{told: map[string]string{}, news: make(chan struct{}, 1)} }

func (r *reports) take(instanceID, trouble string) {
	r.mu.Lock()
	r.told[instanceID] = trouble
	r.mu.Unlock()
	signal(r.news)
}

// pending are those not yet written down; written drops them, but for what was told since.
func (r *reports) pending() map[string]string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.told)
}

func (r *reports) written(told map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, trouble := range told {
		if r.told[id] == trouble {
			delete(r.told, id)
		}
	}
}

// machinesSeen is what keepMachines saw last, by which it knows that nothing has changed.
type machinesSeen struct {
	nodes   state.PartVersion
	access  region.EndpointAccess
	version string // of the cluster
	fargate state.PartVersion
}

// keepMachines writes down what kubelets reported, and gives the simulator the machines of now.
func (c *Part) keepMachines(ctx context.Context) (time.Duration, error) {
	workers := c.Nodes()
	if workers == nil {
		return 0, nil
	}
	told := c.reports.pending()
	seen, same := c.look()
	if same && len(told) == 0 {
		return 0, nil
	}
	found, obstacles, next, err := c.findMachines()
	if err != nil {
		return 0, err
	}
	maps.Copy(told, obstacles)
	if err := c.noteReports(ctx, told); err != nil {
		return 0, err
	}
	c.reports.written(told)
	if err := workers.Set(found); err != nil {
		return 0, err
	}
	if !next.IsZero() { // something starts by itself
		c.seen = nil
		return max(reconcile.Now, next.Sub(c.host.Now())), nil
	}
	c.seen = &seen
	return 0, nil
}

// look says whether all that keepMachines depends on is as it was. While instances are unsettled, what keeps them from
// joining may be anything: then nothing is the same.
func (c *Part) look() (seen machinesSeen, same bool) {
	waiting := false
	c.host.State.View(func(tx *state.Txn) error {
		cluster, _ := region.Clusters.Get(tx, c.cluster.ID)
		seen.access, seen.version = cluster.EndpointAccess(), cluster.Version
		seen.nodes, seen.fargate = c.instances().Version(tx), c.fargateMachines().Version(tx)
		waiting = !region.InstancesUnsettled.Of(c.host.Plan.Zone).Empty(tx)
		return nil
	})
	return seen, c.seen != nil && !waiting && reflect.DeepEqual(*c.seen, seen)
}

// instances are those of the zone that are to be the cluster's nodes.
func (c *Part) instances() state.Part[region.Instance] {
	return region.InstancesByCluster.Of(c.cluster.ID + "/" + c.host.Plan.Zone)
}

// findMachines are the machines of now, why others are none yet, and when the next one starts by itself (zero: none does).
func (c *Part) findMachines() (found []machine.Machine, obstacles map[string]string, next time.Time, err error) {
	err = c.host.State.View(func(tx *state.Txn) error {
		found, obstacles = c.machinesIn(tx)
		var fargate []machine.Machine
		fargate, next = c.fargateIn(tx, c.host.Now())
		found = append(found, fargate...)
		return nil
	})
	return found, obstacles, next, err
}

// machinesIn are the zone's machines that can ask the cluster to be its nodes; obstacles say of the others, by instance,
// why they cannot.
func (c *Part) machinesIn(tx *state.Txn) (found []machine.Machine, obstacles map[string]string) {
	obstacles = map[string]string{}
	cluster, there := region.Clusters.Get(tx, c.cluster.ID)
	if !there {
		return nil, obstacles
	}
	for _, v := range c.instances().List(tx) {
		if v.State != region.InstanceRunning || !v.Impaired.IsZero() && region.KeepsImpaired(tx, v.ID) {
			continue
		}
		config, _, err := machines.Read(v)
		if err != nil {
			continue // its boot has told
		}
		if why := c.host.Machines.Obstacle(tx, v, config, cluster); why != "" {
			obstacles[v.ID] = why
			continue
		}
		if m, ok := c.machineOf(tx, v, config, cluster); ok {
			found = append(found, m)
		}
	}
	return found, obstacles
}

// machineOf is an instance as the simulator has it.
func (c *Part) machineOf(tx *state.Txn, v region.Instance, config boot.Config,
	cluster region.Cluster) (machine.Machine, bool) {
	address, err := netip.ParseAddr(v.Address)
	subnet, found := c.host.Machines.Network.SubnetCIDR(tx, v.SubnetID)
	if err != nil || !found {
		return machine.Machine{}, false // IPv6 alone: no node here has that
	}
	_, _, architecture := image.FamilyOf(v.Launch.ImageID)
	if v.Launch.UserData == "" { // taken over from a time before instances had any
		config.Labels = map[string]string{"eks.amazonaws.com/nodegroup": ec2.NodeGroup,
			"eks.amazonaws.com/capacityType": "ON_DEMAND"}
	}
	config.MaxPods = maxPods(v.Launch.Type, config)
	kubelet := v.Boot.Version
	if kubelet == "" {
		runs, _ := version.FindKubernetes(cluster.Version)
		kubelet = runs.Build
	}
	return machine.Machine{
		InstanceID: v.ID, Name: v.DNSName, Address: address, Subnet: subnet, InstanceType: v.Launch.Type,
		Version: kubelet, ARM: architecture == image.ARM, System: image.SystemOf(v.Launch.ImageID), Boot: config,
	}, true
}

// maxPods is how many pods user data allow, as nodeadm computes it; 0: as many as the instance type has.
func maxPods(instanceType string, config boot.Config) int {
	t, found := instancetypes.Find(instanceType)
	if config.MaxPods > 0 || config.MaxPodsExpression == "" || !found {
		return config.MaxPods
	}
	most, err := boot.MaxPodsOf(config.MaxPodsExpression, t.DefaultInterfaces(), t.Network.IPv4, t.MaxPods())
	if err != nil {
		return 0 // nodeadm goes on without
	}
	return most
}

// mostReports bounds what one transaction writes down.
const mostReports = 100

// noteReports writes into the instances' records which have joined, and why others have not.
func (c *Part) noteReports(ctx context.Context, told map[string]string) error {
	ids := slices.Sorted(maps.Keys(told))
	for some := range slices.Chunk(ids, mostReports) {
		changes := false
		note := func(tx *state.Txn, write bool) error {
			for _, id := range some {
				if m, isFargate := c.fargateNamed(tx, id); isFargate {
					changes = region.NoteFargateMachine(tx, m.ClusterID, m.Name, told[id], write) || changes
					continue
				}
				v, _ := region.Instances.Get(tx, id)
				after, changed := reported(v, told[id], c.host.Now().UTC())
				changes = changes || changed
				if changed && write {
					region.NoteBoot(tx, id, after)
				}
			}
			return nil
		}
		if err := c.host.State.View(func(tx *state.Txn) error { return note(tx, false) }); err != nil {
			return err
		}
		if !changes {
			continue
		}
		if err := c.host.State.Update(ctx, func(tx *state.Txn) error { return note(tx, true) }); err != nil {
			return err
		}
	}
	return nil
}

// reported is an instance's boot after its kubelet's report.
func reported(v region.Instance, trouble string, now time.Time) (after region.Boot, changed bool) {
	after = v.Boot
	switch {
	case v.State != region.InstanceRunning:
		return after, false
	case trouble != "" && trouble != after.Trouble:
		after.Trouble, after.TroubledAt = trouble, now
	case trouble == "" && (after.Joined.IsZero() || after.Trouble != ""):
		after.Trouble, after.TroubledAt = "", time.Time{}
		if after.Joined.IsZero() {
			after.Joined = now
		}
	default:
		return after, false
	}
	return after, true
}
