package ipam

import (
	"errors"
	"maps"
	"net/netip"
	"reflect"
	"sync"
	"time"
)

var (
	// ErrPending says that a pod has no address yet, and is woken when the host has looked for more.
	ErrPending = errors.New("more addresses are being asked for")
	// ErrNone says that there is no address for the pod now.
	ErrNone = errors.New("failed to assign an IP address to container")
)

// Network is a custom network: the subnet and the security groups of an ENIConfig.
type Network struct {
	Subnet string
	Groups []string // none: the node's own
}

// cluster is what is known of a cluster's CNI.
type cluster struct {
	settings Settings
	networks map[string]Network // by the names of ENIConfigs
}

// Pools are those of a zone's nodes, of all clusters together. They are safe for many goroutines.
type Pools struct {
	now  func() time.Time
	news chan struct{}

	mu       sync.Mutex
	nodes    map[string]*pool // by instance id
	clusters map[string]cluster
	dirty    map[string]bool // the instances of which pools the host has to look at
}

// New returns pools of no node.
func New(now func() time.Time) *Pools {
	return &Pools{now: now, news: make(chan struct{}, 1), nodes: map[string]*pool{}, clusters: map[string]cluster{},
		dirty: map[string]bool{}}
}

// News is signalled when a pool may need something of the host.
func (p *Pools) News() <-chan struct{} { return p.news }

// Changed are the instances whose pools have changed since it was asked last.
func (p *Pools) Changed() map[string]bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.dirty
	p.dirty = map[string]bool{}
	return changed
}

// tell has the host look at a pool: the lock is held.
func (p *Pools) tell(instanceID string) {
	p.dirty[instanceID] = true
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// of is the pool of an instance, and the settings that hold for it: the lock is held.
func (p *Pools) of(instanceID string) (*pool, Settings) {
	n := p.nodes[instanceID]
	if n == nil {
		n = newPool()
		p.nodes[instanceID] = n
	}
	return n, p.settings(n.cluster)
}

func (p *Pools) settings(clusterID string) Settings {
	if c, known := p.clusters[clusterID]; known {
		return c.settings
	}
	return Defaults()
}

// Join says that an instance has become a node of a cluster, whose kubelet takes as many pods. wake is told of pods that
// are to ask again, by the names that they asked with.
func (p *Pools) Join(instanceID, clusterID string, maxPods int, wake func(pods []string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := p.of(instanceID)
	n.cluster, n.maxPods, n.wake, n.listed = clusterID, maxPods, wake, false
	p.tell(instanceID)
}

// Leave forgets a node's pool.
func (p *Pools) Leave(instanceID string) {
	p.mu.Lock()
	delete(p.nodes, instanceID)
	delete(p.dirty, instanceID)
	p.mu.Unlock()
}

// Listed says that all pods of a node have been held.
func (p *Pools) Listed(instanceID string) {
	p.mu.Lock()
	if n := p.nodes[instanceID]; n != nil {
		n.listed = true
		p.tell(instanceID)
	}
	p.mu.Unlock()
}

// Configure says what the CNI of a cluster is told: its settings, and its ENIConfigs by name.
func (p *Pools) Configure(clusterID string, settings Settings, networks map[string]Network) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if reflect.DeepEqual(p.clusters[clusterID], cluster{settings, networks}) {
		return
	}
	p.clusters[clusterID] = cluster{settings, networks}
	for instanceID, n := range p.nodes {
		if n.cluster == clusterID {
			n.stuck, n.paused = false, time.Time{}
			p.tell(instanceID)
		}
	}
}

// Settings are those of a cluster's CNI, and Networks its ENIConfigs by name, as they were said last.
func (p *Pools) Settings(clusterID string) Settings {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.settings(clusterID)
}

// Networks is described with Settings.
func (p *Pools) Networks(clusterID string) map[string]Network {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clusters[clusterID].networks
}

// Choose says which labels and annotations a Node has: by one of them its ENIConfig is chosen.
func (p *Pools) Choose(instanceID string, labels, annotations map[string]string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[instanceID]
	if n == nil {
		return
	}
	settings := p.settings(n.cluster)
	before := n.config(settings)
	if n.labels, n.annotations = labels, annotations; settings.Custom && n.config(settings) != before {
		n.paused = time.Time{}
		p.tell(instanceID)
	}
}

// Allocate answers the address of the pod with that UID on an instance: the one that it has, or a free one of the node's pool.
// ErrPending says that the pod is woken, by its name, when it is to ask again.
func (p *Pools) Allocate(instanceID, uid, name string) (netip.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[instanceID]
	if n == nil {
		return netip.Addr{}, ErrPending // it is about to join, or has left
	}
	settings := p.settings(n.cluster)
	if a, has := n.byPod[uid]; has {
		return a, nil
	}
	if a, found := n.take(settings, p.now()); found {
		n.give(uid, a)
		p.tell(instanceID) // there may be too few free ones now
		return a, nil
	}
	n.waiting[uid] = name
	if n.stuck {
		return netip.Addr{}, ErrNone
	}
	p.tell(instanceID)
	return netip.Addr{}, ErrPending
}

// Hold notes the address that a pod has already. The first pod that has it keeps it.
func (p *Pools) Hold(instanceID, uid string, a netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[instanceID]
	if n == nil || n.used[a] {
		return
	}
	n.give(uid, a)
	if n.known && len(n.strangers()) > 0 {
		p.tell(instanceID)
	}
}

// Release takes a pod's address back, if it has one.
func (p *Pools) Release(instanceID, uid string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, joined := p.nodes[instanceID]
	if !joined {
		return
	}
	now := p.now()
	if n.release(uid, now.Add(p.settings(n.cluster).Cooldown), now) {
		n.stuck = false
		p.tell(instanceID)
	}
}

// Demand is what the host has to know of a node's pool.
type Demand struct {
	Node // without limits and interfaces
	// Network is the custom network that the node has, and Unconfigured the name of one that there is not.
	Network      Network
	Unconfigured string
	// Strangers are addresses that pods have of no interface of the node's: of a time before nodes had interfaces for pods.
	Strangers []netip.Addr
}

// Demand is that of an instance which may be a node of the cluster with that ID.
func (p *Pools) Demand(instanceID, clusterID string) Demand {
	p.mu.Lock()
	defer p.mu.Unlock()
	d := Demand{Node: Node{Settings: p.settings(clusterID)}}
	n := p.nodes[instanceID]
	if n == nil {
		n = newPool()
	}
	d.Used, d.Cooling, d.Waiting = maps.Clone(n.used), maps.Clone(n.cooling), len(n.waiting)
	d.Listed, d.Shrunk, d.Paused, d.MaxPods = n.listed, n.shrunk, n.paused, n.maxPods
	if n.listed {
		d.Strangers = n.strangers()
	}
	if d.Custom {
		name := n.config(d.Settings)
		network, found := p.clusters[clusterID].networks[name]
		if d.Network = network; !found {
			d.Unconfigured = name
		}
	}
	return d
}

// Set says which interfaces an instance has. settled says that the host has done all that it could for now: pods that find no
// address are told so.
func (p *Pools) Set(instanceID, clusterID string, interfaces []Interface, settled bool) {
	p.mu.Lock()
	n, settings := p.of(instanceID)
	if n.cluster == "" {
		n.cluster = clusterID
	}
	n.interfaces, n.known, n.retiring = interfaces, true, map[netip.Addr]bool{}
	_, free := n.take(settings, p.now())
	n.stuck = settled && !free && !p.dirty[instanceID] // of what has changed meanwhile the host does not know
	var pods []string
	wake := n.wake
	if free || n.stuck {
		pods = n.woken()
	}
	p.mu.Unlock()
	if len(pods) > 0 && wake != nil {
		wake(pods)
	}
}

// Retire keeps pods from addresses that the host is about to give back, until the next Set. It does not, and says so, where a
// pod has got one of them meanwhile.
func (p *Pools) Retire(instanceID string, i Interface) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.nodes[instanceID]
	if n == nil {
		return true
	}
	for a := range n.used {
		if i.Has(a) {
			return false
		}
	}
	for _, a := range i.Addresses {
		n.retiring[a] = true
	}
	for _, block := range i.Prefixes {
		for a := block.Addr(); block.Contains(a); a = a.Next() {
			n.retiring[a] = true
		}
	}
	return true
}

// Shrunk notes that addresses were given back, and Paused until when a node's subnet is not asked for more.
func (p *Pools) Shrunk(instanceID string, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := p.of(instanceID)
	n.shrunk = at
}

// Pause is described with Shrunk.
func (p *Pools) Pause(instanceID string, until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := p.of(instanceID)
	n.paused = until
}

// Told notes that the host has done what it could about addresses of no interface.
func (p *Pools) Told(instanceID string, addresses []netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n, _ := p.of(instanceID)
	for _, a := range addresses {
		n.told[a] = true
	}
}
