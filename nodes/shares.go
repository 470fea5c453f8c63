package nodes

import (
	"net/netip"
	"sync"

	"tripod/nodes/ipam"
	"tripod/nodes/machine"
)

// shares hands out parts of subnets to the nodes of a Simulator whose zone has no host that would do it.
type shares struct {
	mu   sync.Mutex
	next map[netip.Prefix]int // as machine.Nth counts
}

// of is an interface with as many addresses of a subnet, or those that are left.
func (s *shares) of(subnet netip.Prefix, count int) []ipam.Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := ipam.Interface{ID: "share"}
	for ; count > 0 && s.next[subnet] < machine.Usable(subnet); count-- {
		i.Addresses = append(i.Addresses, machine.Nth(subnet, s.next[subnet]))
		s.next[subnet]++
	}
	return []ipam.Interface{i}
}
