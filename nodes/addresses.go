package nodes

import (
	"fmt"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/machine"
)

// addresses hands out the pods' addresses of one zone. An address that came back is the last to be handed out again.
type addresses struct {
	subnet netip.Prefix

	mu    sync.Mutex
	next  int                      // where to look first, as nth counts
	taken map[netip.Addr]types.UID // a node's own has no UID
	byPod map[types.UID]netip.Addr // what allocate answers again for the same pod
}

// newAddresses has all of the subnet's usable addresses but the nodes' own; first is where it begins.
func newAddresses(subnet netip.Prefix, nodes []netip.Addr, first uint64) *addresses {
	a := &addresses{
		subnet: subnet,
		taken:  map[netip.Addr]types.UID{},
		byPod:  map[types.UID]netip.Addr{},
	}
	if size := machine.Usable(subnet); size > 0 {
		a.next = int(first % uint64(size))
	}
	for _, node := range nodes {
		a.taken[node] = ""
	}
	return a
}

// allocate answers the pod's address: a new one, or the one it has. It fails when the subnet is full.
func (a *addresses) allocate(pod types.UID) (netip.Addr, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if addr, ok := a.byPod[pod]; ok {
		return addr, nil
	}
	size := machine.Usable(a.subnet)
	for range size {
		addr := machine.Nth(a.subnet, a.next)
		a.next = (a.next + 1) % size
		if _, taken := a.taken[addr]; !taken {
			a.taken[addr], a.byPod[pod] = pod, addr
			return addr, nil
		}
	}
	return netip.Addr{}, fmt.Errorf("subnet %v has no free address", a.subnet)
}

// hold notes an address that a pod already has. The first pod that holds an address keeps it.
func (a *addresses) hold(pod types.UID, addr netip.Addr) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.subnet.Contains(addr) {
		return
	}
	if _, taken := a.taken[addr]; taken {
		return
	}
	if old, ok := a.byPod[pod]; ok {
		delete(a.taken, old)
	}
	a.taken[addr], a.byPod[pod] = pod, addr
}

// release takes a pod's address back, if it has one.
func (a *addresses) release(pod types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if addr, ok := a.byPod[pod]; ok {
		delete(a.taken, addr)
		delete(a.byPod, pod)
	}
}
