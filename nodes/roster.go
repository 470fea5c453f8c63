package nodes

import (
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// Machine is an instance that is a node, or is to be one: what its user data and its type say.
type Machine struct {
	InstanceID   string // i-0123456789abcdef0
	Name         string // EC2's private DNS name, which is the node's
	Address      netip.Addr
	Subnet       netip.Prefix // its pods have addresses of it
	InstanceType string       // m5.large; a type that is not known has m5.large's size
	Version      string       // of the kubelet: "v1.36.2-eks-3025e55"
	OSImage      string       // empty: Amazon Linux 2023
	ARM          bool
	Labels       map[string]string // beside those that every kubelet sets
	Taints       []corev1.Taint
	MaxPods      int // 0: as the type has
}

// validate says what makes the machine impossible.
func (m Machine) validate() error {
	switch {
	case m.InstanceID == "" || m.Name == "":
		return fmt.Errorf("a machine needs an instance id and a name, not %q and %q", m.InstanceID, m.Name)
	case !m.Address.Is4() || !m.Subnet.IsValid() || !m.Subnet.Addr().Is4():
		return fmt.Errorf("machine %s needs an IPv4 address and subnet, not %v and %v", m.InstanceID, m.Address, m.Subnet)
	}
	return nil
}

// roster is which nodes the zone has now.
type roster struct {
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
