package nodes

import (
	"maps"
	"net/netip"
	"slices"
	"sync"
)

// roster is which nodes the zone has now.
type roster struct {
	// asked is told of each request of a node's kubelet to the API server, with its status or 0; nil: nobody is.
	asked func(node, method string, status int)

	mu        sync.RWMutex
	byName    map[string]node
	byAddress map[netip.Addr]node
}

func newRoster(nodes ...node) *roster {
	r := &roster{byName: map[string]node{}, byAddress: map[netip.Addr]node{}}
	for _, n := range nodes {
		r.add(n)
	}
	return r
}

func (r *roster) add(n node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.byName[n.name], r.byAddress[n.addr] = n, n
}

func (r *roster) remove(n node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.byName[n.name].instanceID == n.instanceID {
		delete(r.byName, n.name)
	}
	if r.byAddress[n.addr].instanceID == n.instanceID {
		delete(r.byAddress, n.addr)
	}
}

// named is the node of that name.
func (r *roster) named(name string) (node, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, found := r.byName[name]
	return n, found
}

// at is the node that has the address.
func (r *roster) at(addr netip.Addr) (node, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	n, found := r.byAddress[addr]
	return n, found
}

// only is the zone's only node, where it has just one.
func (r *roster) only() (node, bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, n := range r.byName {
		return n, len(r.byName) == 1
	}
	return node{}, false
}

// names are all nodes' names.
func (r *roster) names() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Keys(r.byName))
}

// addresses are all nodes' addresses.
func (r *roster) addresses() []netip.Addr {
	r.mu.RLock()
	defer r.mu.RUnlock()
	all := make([]netip.Addr, 0, len(r.byAddress))
	for addr := range r.byAddress {
		all = append(all, addr)
	}
	return all
}

// all are the zone's nodes.
func (r *roster) all() []node {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Collect(maps.Values(r.byName))
}
