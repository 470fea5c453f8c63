package emulator

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/api"
	"tripod/az"
	"tripod/lb"
	"tripod/region"
)

// endpoints are the region's: the AWS endpoint, and one for every cluster. They open, change and close as the newest
// copy of the regional state says that a zone has told of.
type endpoints struct {
	*site
	life     *life
	links    *links
	zones    zones
	registry *prometheus.Registry
	wake     func(why string) // lets a region go on that sleeps
	evaluate func()           // is called when a balancer has found something new
	aws      *lb.Balancer     // made by open

	mu       sync.Mutex
	clusters map[string]*cluster // by id, as of the copy with this index
	index    uint64
	faults   []api.Fault // of what is no process of a zone, of the same copy
	retrying bool        // endpoints are looked at again soon
	closed   bool
}

func newEndpoints(site *site, life *life, links *links, zones zones, registry *prometheus.Registry) *endpoints {
	return &endpoints{site: site, life: life, links: links, zones: zones, registry: registry, clusters: map[string]*cluster{}}
}

// cluster is a cluster's endpoint.
type cluster struct {
	state    az.ClusterState
	balancer *lb.Balancer           // nil when the cluster is FAILED or DELETING, and while the endpoint cannot be opened
	listener *endpointListener      // the balancer's listener
	granted  *region.EndpointAccess // what is in effect
	trouble  string                 // why it cannot
	roots    *roots                 // of the API servers, for the health check

	reporting bool // a zone is being told
	// creation names the stages of the cluster's creation that have been told, until all are; nil at all other times.
	// Whoever judges has it.
	creation map[string]bool
}

// update starts the balancers of clusters that are new in a copy of the regional state, and stops those of clusters
// that end. A zone's copy may be older than another's, by its index: from such a one nothing is to be learned.
func (p *endpoints) update(index uint64, states []az.ClusterState, faults []api.Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || index < p.index {
		return
	}
	p.index, p.faults = index, faults
	gone, changed := maps.Clone(p.clusters), false
	for _, state := range states {
		delete(gone, state.ID)
		known := p.clusters[state.ID]
		if known == nil {
			known = &cluster{}
			if state.Status == region.ClusterCreating {
				known.creation = map[string]bool{}
			}
			p.clusters[state.ID] = known
		}
		if known.state.CACert != state.CACert && known.balancer != nil {
			known.roots.set(state.CACert)
			changed = true // the kubeconfig has it too
		}
		known.state = state
	}
	for id, c := range gone { // first: a new cluster may have the port of an old one
		changed = p.dismiss(c) || changed
		delete(p.clusters, id)
	}
	if p.openAll() || changed {
		p.keepKubeconfig()
	}
}

// recordFaults are those in force of what is no process of a zone.
func (p *endpoints) recordFaults() []api.Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.faults
}

// serves says whether a cluster has an endpoint.
func serves(state az.ClusterState) bool {
	return state.Status.Runs()
}

// keepKubeconfig writes the file anew. It assumes the lock.
func (p *endpoints) keepKubeconfig() {
	if err := p.writeKubeconfig(p.served()); err != nil {
		p.life.fail(p.dir.path, diskError(p.dir.path, err))
	}
}

// dismiss stops a cluster's balancer, which may not be waited for under the lock that its callbacks take, and says
// whether it had one. It assumes the lock.
func (p *endpoints) dismiss(c *cluster) bool {
	balancer := c.balancer
	c.balancer, c.listener, c.granted, c.trouble = nil, nil, nil, ""
	if balancer == nil {
		return false
	}
	p.life.wait.Go(func() {
		draining, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		balancer.Stop(draining)
	})
	return true
}

// served are the clusters that have an endpoint, in the order of their names. It assumes the lock.
func (p *endpoints) served() (states []az.ClusterState) {
	for _, c := range p.clusters {
		if c.balancer != nil {
			states = append(states, c.state)
		}
	}
	slices.SortFunc(states, func(a, b az.ClusterState) int { return strings.Compare(a.Name, b.Name) })
	return states
}

// openAll opens and closes what the clusters' states ask for, and says whether an endpoint came or went. It assumes the
// lock.
func (p *endpoints) openAll() (changed bool) {
	settled := true
	for _, c := range p.clusters {
		if !serves(c.state) {
			changed = p.dismiss(c) || changed
			continue
		}
		trouble := ""
		if c.balancer == nil {
			err := p.open(c)
			if changed = changed || err == nil; err != nil {
				trouble = fmt.Sprintf("the endpoint of cluster %s cannot be opened: %v; it is tried again every second",
					c.state.Name, err)
			}
		}
		if c.balancer != nil {
			if err := c.grant(c.state.Access); err != nil {
				trouble = fmt.Sprintf("the private endpoint of cluster %s cannot be opened: %v; it is tried again every second",
					c.state.Name, err)
			}
		}
		p.tellTrouble(c, trouble)
		known := p.report(c)
		settled = settled && trouble == "" && known
	}
	if !settled && !p.retrying {
		p.retrying = true
		time.AfterFunc(endpointRetry, p.openAgain)
	}
	return changed
}

// endpointRetry is how soon it is tried again to open an endpoint whose port somebody else had, or to tell the zones of
// one.
const endpointRetry = time.Second

func (p *endpoints) openAgain() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retrying = false
	if !p.closed && p.openAll() {
		p.keepKubeconfig()
	}
}

// known says whether a zone has told of the regional state.
func (p *endpoints) known() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index > 0
}

// endCreation ends the telling of a creation's stages.
func (p *endpoints) endCreation(id string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.clusters[id]; c != nil {
		c.creation = nil
	}
}

// balancers are the AWS endpoint's and those of the clusters.
func (p *endpoints) balancers() []*lb.Balancer {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.all()
}

// all assumes the lock.
func (p *endpoints) all() []*lb.Balancer {
	all := []*lb.Balancer{p.aws}
	for _, c := range p.clusters {
		if c.balancer != nil {
			all = append(all, c.balancer)
		}
	}
	return all
}

// drainTime is what open connections get to finish when the region stops: requests are short, and watches never end by
// themselves.
const drainTime = 300 * time.Millisecond

// stop closes all endpoints, for good.
func (p *endpoints) stop(ctx context.Context) {
	p.mu.Lock()
	p.closed = true
	balancers := p.all()
	p.mu.Unlock()
	draining, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	var wait sync.WaitGroup
	for _, balancer := range balancers {
		wait.Go(func() { balancer.Stop(draining) })
	}
	wait.Wait()
}

// sorted are copies of the clusters, in the order of their names.
func (p *endpoints) sorted() []cluster {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := make([]cluster, 0, len(p.clusters))
	for _, c := range p.clusters {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b cluster) int { return strings.Compare(a.state.Name, b.state.Name) })
	return all
}

// clusterNamed returns a copy; found is false when there is no such cluster.
func (p *endpoints) named(name string) (named cluster, found bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.clusters {
		if c.state.Name == name {
			return *c, true
		}
	}
	return cluster{}, false
}
