// Package addressing is a zone's host of what the VPC CNI does on its nodes: it gives nodes network interfaces and addresses
// by EC2, as package ipam decides, and takes them back.
package addressing

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"reflect"
	"slices"
	"time"

	"tripod/awsapi/ec2"
	"tripod/awsapi/wire"
	"tripod/internal/instancetypes"
	"tripod/internal/reconcile"
	"tripod/nodes/ipam"
	"tripod/region"
	"tripod/state"
)

// Host is a zone's.
type Host struct {
	Zone  string // us-east-1a
	State State
	// Network is EC2, as the account sees it.
	Network *ec2.Service
	Pools   *ipam.Pools
	Now     func() time.Time
	Logger  *slog.Logger

	// What it saw last: Keep alone touches it.
	instances, interfaces state.PartVersion
	nodes                 map[string]*node // by instance id
}

// State is the regional state.
type State interface {
	state.Updater
	Watch() (<-chan struct{}, func())
}

// node is an instance that is, or is to be, a cluster's node.
type node struct {
	instance   region.Instance
	interfaces []region.NetworkInterface
	// again is when something of its pool follows by itself; zero: nothing does.
	again time.Time
	dirty bool
}

// mostNodes is of how many nodes one transaction changes the interfaces: the next one follows at once.
const mostNodes = 50

// Loop keeps the nodes' interfaces. At rest it looks at nothing: it is woken by changes of the regional state, of which it sees
// by two versions whether they are about instances and interfaces of its zone, and by pools.
func (h *Host) Loop() reconcile.Loop {
	return reconcile.Loop{Key: "keep the addresses of the zone's nodes", Do: h.Keep, Logger: h.Logger,
		Watch:  func() (<-chan struct{}, func()) { return reconcile.Beside(h.State.Watch, h.Pools.News()) },
		Pauses: reconcile.Pauses{First: 200 * time.Millisecond, Most: 5 * time.Second}}
}

// Keep gives pools what they need, and says when one needs something next.
func (h *Host) Keep(ctx context.Context) (again time.Duration, err error) {
	if err := h.State.View(h.look); err != nil {
		return 0, err
	}
	for instanceID := range h.Pools.Changed() {
		if n := h.nodes[instanceID]; n != nil {
			n.dirty = true
		}
	}
	now := h.Now()
	var due []string
	var next time.Time
	for id, n := range h.nodes {
		switch {
		case n.dirty || !n.again.IsZero() && !n.again.After(now):
			due = append(due, id)
		case !n.again.IsZero() && (next.IsZero() || n.again.Before(next)):
			next = n.again
		}
	}
	slices.Sort(due)
	if len(due) > mostNodes {
		due, next = due[:mostNodes], now
	}
	if len(due) > 0 {
		if err := h.bring(ctx, due, now); err != nil {
			return 0, err
		}
	}
	for _, id := range due {
		if at := h.nodes[id].again; !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next = at
		}
	}
	if next.IsZero() {
		return 0, nil
	}
	return max(reconcile.Now, next.Sub(h.Now())), nil
}

// look reads which nodes there are, and which interfaces they have, where these have changed.
func (h *Host) look(tx *state.Txn) error {
	instances, interfaces := region.InstancesByZone.Of(h.Zone), region.InterfacesByZone.Of(h.Zone)
	v, w := instances.Version(tx), interfaces.Version(tx)
	if h.nodes != nil && v == h.instances && w == h.interfaces {
		return nil
	}
	h.instances, h.interfaces = v, w
	attached := map[string][]region.NetworkInterface{}
	for _, v := range interfaces.List(tx) {
		attached[v.AttachedTo()] = append(attached[v.AttachedTo()], v)
	}
	now := map[string]*node{}
	for _, v := range instances.List(tx) {
		if !isNode(v) {
			continue
		}
		n := &node{instance: v, interfaces: attached[v.ID], dirty: true}
		if old := h.nodes[v.ID]; old != nil {
			same := reflect.DeepEqual(old.interfaces, n.interfaces) && old.instance.Launch.Type == v.Launch.Type
			n.again, n.dirty = old.again, old.dirty || !same
		}
		now[v.ID] = n
	}
	for id := range h.nodes {
		if now[id] == nil {
			h.Pools.Leave(id)
		}
	}
	h.nodes = now
	return nil
}

// isNode says whether an instance has become, or is about to be, a cluster's node with IPv4 addresses.
func isNode(v region.Instance) bool {
	return v.State == region.InstanceRunning && v.Boot.ClusterID != "" && v.Address != "" &&
		(v.Boot.Trouble == "" || !v.Boot.Joined.IsZero())
}

// bring brings some nodes' interfaces to what their pools need: what is to be changed in one transaction.
func (h *Host) bring(ctx context.Context, ids []string, now time.Time) error {
	made := map[string]outcome{}
	demands := map[string]ipam.Demand{}
	for _, id := range ids {
		demands[id] = h.Pools.Demand(id, h.nodes[id].instance.Boot.ClusterID)
	}
	if err := h.State.Update(ctx, func(tx *state.Txn) error { // without changes nobody is asked
		c := h.Network.ChangeInterfaces(tx)
		for _, id := range ids {
			if v, found := region.Instances.Get(tx, id); found && isNode(v) {
				made[id] = (&turn{c: c, tx: tx, host: h, instance: v, demand: demands[id], now: now}).run()
			}
		}
		c.Write()
		return nil
	}); err != nil {
		return err
	}
	for _, id := range ids {
		if o, is := made[id]; is {
			h.settle(id, o, now)
		} else {
			h.nodes[id].dirty = false // it is none any more: look will tell
		}
	}
	return nil
}

// settle tells a node's pool what became of it.
func (h *Host) settle(id string, o outcome, now time.Time) {
	n := h.nodes[id]
	n.dirty, n.again = false, o.next
	if !o.paused.IsZero() {
		h.Pools.Pause(id, o.paused)
	}
	if o.shrunk {
		h.Pools.Shrunk(id, now)
	}
	h.Pools.Told(id, o.strangers)
	h.Pools.Set(id, n.instance.Boot.ClusterID, o.interfaces, true)
	if o.err != nil {
		h.Logger.Warn("a node gets no more addresses for now", "node", n.instance.DNSName, "instance", id, "error", o.err)
	}
}

// outcome is what became of a node's pool.
type outcome struct {
	interfaces []ipam.Interface
	next       time.Time
	paused     time.Time // until when its subnet is not asked for more; zero: it is
	shrunk     bool
	strangers  []netip.Addr // that were looked at
	err        error
}

// turn is what is done about one node in a transaction.
type turn struct {
	c        *ec2.InterfaceChanges
	tx       *state.Txn
	host     *Host
	instance region.Instance
	demand   ipam.Demand
	now      time.Time
	outcome
}

// mostSteps bounds the steps of one turn: a node has no more interfaces than that.
const mostSteps = 64

// run does all steps that a node's pool needs.
func (t *turn) run() outcome {
	t.demand.Limits = limitsOf(t.instance, t.demand.MaxPods)
	t.adopt()
	for range mostSteps {
		t.interfaces = t.current()
		t.demand.Interfaces = t.interfaces
		step, next := ipam.Plan(t.demand.Node, t.now)
		if step.Kind == ipam.Nothing {
			t.next = next
			break
		}
		err := t.do(step)
		if errors.Is(err, errBusy) {
			break // the pool has told of the pod
		}
		if err != nil {
			t.err, t.paused = err, t.now.Add(ipam.FullPause)
			t.next = t.paused
			break
		}
	}
	t.interfaces = t.current()
	return t.outcome
}

// limitsOf are those of an instance's type; of one that is not known any more, those of nodes' default type.
func limitsOf(v region.Instance, maxPods int) ipam.Limits {
	t, known := instancetypes.Find(v.Launch.Type)
	if !known {
		t, _ = instancetypes.Find("m5.large")
	}
	return ipam.Limits{Interfaces: t.DefaultInterfaces(), Addresses: t.Network.IPv4, MaxPods: maxPods, Nitro: t.Hypervisor != "xen"}
}

// current are the node's interfaces as package ipam sees them.
func (t *turn) current() (all []ipam.Interface) {
	for _, v := range t.c.Of(t.instance) {
		if v.Attachment.Card > 0 {
			continue // pods have addresses of the default card alone
		}
		i := ipam.Interface{ID: v.ID, Primary: v.Primary(), Created: v.Created, Idle: t.idle(v)}
		for _, text := range v.Secondary {
			if a, err := netip.ParseAddr(text); err == nil {
				i.Addresses = append(i.Addresses, a)
			}
		}
		for _, text := range v.Prefixes {
			if p, err := netip.ParsePrefix(text); err == nil {
				i.Prefixes = append(i.Prefixes, p)
			}
		}
		all = append(all, i)
	}
	return all
}

// unmanagedTag is that by which users keep an interface of theirs from the CNI.
const unmanagedTag = "node.k8s.amazonaws.com/no_manage"

func (t *turn) idle(v region.NetworkInterface) bool {
	if v.Primary() || v.Description == describe(t.instance) {
		return false
	}
	return v.Type != "" || t.host.Network.TagsOf(t.tx, v.ID)[unmanagedTag] == "true"
}

// describe is how ipamd describes an interface that it makes.
func describe(v region.Instance) string { return "aws-K8S-" + v.ID }

// do does one step. A subnet that has not as many addresses as are asked for may have one.
func (t *turn) do(step ipam.Step) error {
	v := t.named(step.Interface)
	switch step.Kind {
	case ipam.Assign:
		err := t.assign(v, step.Count, step.Prefixes)
		if isFull(err) && !step.Prefixes && step.Count > 1 {
			err = t.assign(v, 1, false)
		}
		return err
	case ipam.Attach:
		return t.attach(step)
	case ipam.Unassign:
		t.shrunk, t.demand.Shrunk = true, t.now
		if t.host.Pools.Retire(t.instance.ID, ipam.Interface{Addresses: step.Addresses, Prefixes: step.Blocks}) {
			return t.c.Unassign(v, texts(step.Addresses), texts(step.Blocks))
		}
		return errBusy
	case ipam.Detach:
		at := slices.IndexFunc(t.interfaces, func(i ipam.Interface) bool { return i.ID == v.ID })
		if !t.host.Pools.Retire(t.instance.ID, t.interfaces[at]) {
			return errBusy
		}
		t.c.Delete(v)
	}
	return nil
}

// errBusy says that a pod has got an address that was to be given back: its node is looked at again.
var errBusy = errors.New("a pod has got the address meanwhile")

func texts[T interface{ String() string }](all []T) (names []string) {
	for _, one := range all {
		names = append(names, one.String())
	}
	return names
}

// named is the node's interface with that id.
func (t *turn) named(id string) (v region.NetworkInterface) {
	for _, v := range t.c.Of(t.instance) {
		if v.ID == id {
			return v
		}
	}
	return v
}

func (t *turn) assign(v region.NetworkInterface, count int, prefixes bool) error {
	if prefixes {
		_, err := t.c.AssignPrefixes(v, nil, count)
		return err
	}
	_, err := t.c.Assign(v, nil, count)
	return err
}

// attach makes a new interface in the first of the subnets that has the addresses, and gives it to the node.
func (t *turn) attach(step ipam.Step) error {
	places, err := t.places()
	if err != nil {
		return err
	}
	for _, want := range places {
		want.Description = describe(t.instance)
		want.Tags = map[string]string{"node.k8s.amazonaws.com/instance_id": t.instance.ID,
			"node.k8s.amazonaws.com/createdAt": t.now.UTC().Format(time.RFC3339), "eks:eni:owner": "amazon-vpc-cni"}
		if t.demand.Cluster != "" {
			want.Tags["cluster.k8s.amazonaws.com/name"] = t.demand.Cluster
		}
		if step.Prefixes {
			want.PrefixCount = step.Count
		} else {
			want.Count = step.Count
		}
		var made region.NetworkInterface
		if made, err = t.c.Make(want, t.now.UTC()); err == nil {
			if _, err = t.c.Attach(made, t.instance, -1, 0, true, t.now.UTC()); err != nil {
				t.c.Delete(made)
			}
			return err
		}
		if !isFull(err) {
			return err
		}
	}
	return err
}

// places are the subnets and groups that a new interface may have, the best first: those of the node's ENIConfig; else the
// subnets of the node's zone that are for the CNI, and the node's own, with the node's groups.
func (t *turn) places() (all []ec2.NewInterface, err error) {
	if t.demand.Custom {
		if t.demand.Unconfigured != "" {
			return nil, errors.New("there is no ENIConfig " + t.demand.Unconfigured)
		}
		groups := t.demand.Network.Groups
		if len(groups) == 0 {
			groups = t.instance.Launch.Groups
		}
		return []ec2.NewInterface{{SubnetID: t.demand.Network.Subnet, Groups: groups}}, nil
	}
	subnets := []string{t.instance.SubnetID}
	if t.demand.Discovery {
		subnets = t.host.Network.SubnetsForPods(t.tx, t.instance.SubnetID)
	}
	for _, id := range subnets {
		all = append(all, ec2.NewInterface{SubnetID: id, Groups: t.instance.Launch.Groups})
	}
	return all, nil
}

// isFull says whether a subnet has no addresses left, or no prefix.
func isFull(err error) bool {
	var refused *wire.Error
	return errors.As(err, &refused) && (refused.Code == "InsufficientFreeAddressesInSubnet" || refused.Code == "InsufficientCidrBlocks")
}

// adopt gives the node's interfaces the addresses that its pods have already, of a time when pods had them of no interface:
// where nobody else has them, and as far as the node may have interfaces for them.
func (t *turn) adopt() {
	t.strangers = t.demand.Strangers
	for _, a := range t.strangers {
		known := slices.ContainsFunc(t.current(), func(i ipam.Interface) bool { return i.Has(a) })
		if known || t.adopted(a) || len(t.c.Of(t.instance)) >= t.demand.Limits.Interfaces {
			continue
		}
		if t.host.Network.IsFree(t.tx, t.instance.SubnetID, a) && t.attach(ipam.Step{}) == nil {
			t.adopted(a)
		}
	}
}

// adopted gives an address to one of the node's interfaces that have room.
func (t *turn) adopted(a netip.Addr) bool {
	return slices.ContainsFunc(t.c.Of(t.instance), func(v region.NetworkInterface) bool {
		_, err := t.c.Assign(v, []string{a.String()}, 0)
		return err == nil
	})
}
