package nodes

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/machine"
)

// Network hands out the addresses of pods. An address that came back is the last of its subnet to be handed out again.
// All simulators of a zone share one, so that no two pods have the same.
type Network struct {
	mu    sync.Mutex
	next  map[netip.Prefix]int     // where to look first in a subnet, as machine.Nth counts
	taken map[netip.Addr]types.UID // a node's own has no UID
	byPod map[types.UID]netip.Addr // what allocate answers again for the same pod
}

// NewNetwork returns one in which no address is taken.
func NewNetwork() *Network {
	return &Network{next: map[netip.Prefix]int{}, taken: map[netip.Addr]types.UID{}, byPod: map[types.UID]netip.Addr{}}
}

// allocate answers the pod's address: a new one of the subnet, or the one it has. It fails when the subnet is full.
func (n *Network) allocate(subnet netip.Prefix, pod types.UID) (netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if addr, ok := n.byPod[pod]; ok {
		return addr, nil
	}
	first, size := machine.PodAddresses(subnet)
	at, begun := n.next[subnet]
	if !begun && size > 0 {
		at = int(machine.Hash(subnet.String()) % uint64(size))
	}
	for range size {
		addr := machine.Nth(subnet, first+at)
		at = (at + 1) % size
		if _, taken := n.taken[addr]; !taken {
			n.taken[addr], n.byPod[pod], n.next[subnet] = pod, addr, at
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("subnet %v has no free address", subnet)
}

// hold notes an address that a pod already has. The first pod that holds an address keeps it.
func (n *Network) hold(pod types.UID, addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, taken := n.taken[addr]; taken {
		return
	}
	if old, ok := n.byPod[pod]; ok {
		delete(n.taken, old)
	}
	n.taken[addr], n.byPod[pod] = pod, addr
}

// release takes a pod's address back, if it has one.
func (n *Network) release(pod types.UID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if addr, ok := n.byPod[pod]; ok {
		delete(n.taken, addr)
		delete(n.byPod, pod)
	}
}

// holdNode notes a node's own address, and releaseNode that it is free again.
func (n *Network) holdNode(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.taken[addr] = ""
}

func (n *Network) releaseNode(addr netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.taken[addr] == "" {
		delete(n.taken, addr)
	}
}
