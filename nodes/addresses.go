package nodes

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// reservedAddresses are left out at both ends of a subnet: AWS takes the first four and the last one, the control
// plane's network interfaces have theirs among the next.
const reservedAddresses = 16

// usable is the number of addresses in subnet that nodes and pods may have.
func usable(subnet netip.Prefix) int {
	return max(0, 1<<(32-subnet.Bits())-2*reservedAddresses)
}

// nth is the n-th usable address of subnet, counted from 0.
func nth(subnet netip.Prefix, n int) netip.Addr {
	base := subnet.Masked().Addr().As4()
	sum := binary.BigEndian.Uint32(base[:]) + reservedAddresses + uint32(n)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, sum)))
}

// nodeAddresses are the primary addresses of count nodes: spread over the subnet as those of EC2 instances are, and
// the same in every process that has the same key. A node's address does not depend on count.
func nodeAddresses(subnet netip.Prefix, key string, count int) []netip.Addr {
	size := usable(subnet)
	taken := make(map[int]bool, count)
	addrs := make([]netip.Addr, 0, count)
	for i := range count {
		at := int(hash(fmt.Sprintf("%s/%d", key, i)) % uint64(size))
		for taken[at] {
			at = (at + 1) % size
		}
		taken[at] = true
		addrs = append(addrs, nth(subnet, at))
	}
	return addrs
}

// hash is a stable 64-bit hash of s.
func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	sum := h.Sum64()
	// FNV's low bits barely differ between short strings with the same beginning: mix them (splitmix64's finalizer).
	sum = (sum ^ sum>>30) * 0xbf58476d1ce4e5b9
	sum = (sum ^ sum>>27) * 0x94d049bb133111eb
	return sum ^ sum>>31
}

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
	if size := usable(subnet); size > 0 {
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
	size := usable(a.subnet)
	for range size {
		addr := nth(a.subnet, a.next)
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
