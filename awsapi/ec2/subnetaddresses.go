package ec2

import (
	"math/rand/v2"
	"net/netip"
	"slices"

	"tripod/region"
	"tripod/state"
)

// reservedCount is how many addresses of a subnet AWS keeps for itself: the first four and the last.
const reservedCount = 5

// space is a subnet's IPv4 addresses in a transaction: who has which, and which are free.
type space struct {
	subnetID string
	block    netip.Prefix
	// services are the addresses of AWS's own interfaces: of control planes, gateways, endpoints, load
	// balancers and file systems.
	services map[netip.Addr]bool
	// prefixes and fargate say whether the subnet has any: nothing is looked for among them else, and so none of them becomes a
	// condition of the transaction.
	prefixes, fargate bool
	tx                *state.Txn
	// seen is who has what, once all of it has been read.
	seen *holders
}

// holders are the addresses and prefixes of a subnet that somebody has.
type holders struct {
	addresses map[netip.Addr]bool
	prefixes  map[netip.Prefix]bool
}

// has says whether somebody has an address.
func (h *holders) has(ip netip.Addr) bool {
	return h.addresses[ip] || len(h.prefixes) > 0 && h.prefixes[region.PrefixOf(ip)]
}

// all reads who has what, for those who look through the whole subnet: that all of it stays as it is becomes a condition of the
// transaction, instead of one for each address.
func (a *space) all() *holders {
	if a.seen != nil {
		return a.seen
	}
	h := &holders{map[netip.Addr]bool{}, map[netip.Prefix]bool{}}
	add := func(text string) {
		if ip, err := netip.ParseAddr(text); err == nil {
			h.addresses[ip] = true
		}
	}
	for ip := range a.services {
		h.addresses[ip] = true
	}
	for _, v := range region.InstancesBySubnet.Of(a.subnetID).After(a.tx, "") {
		add(v.Address)
	}
	for _, m := range region.FargateBySubnet.Of(a.subnetID).After(a.tx, "") {
		add(m.Address)
	}
	for _, v := range region.InterfacesBySubnet.Of(a.subnetID).After(a.tx, "") {
		add(v.Address)
		for _, text := range v.Secondary {
			add(text)
		}
		for _, text := range v.Prefixes {
			if prefix, err := netip.ParsePrefix(text); err == nil {
				h.prefixes[prefix] = true
			}
		}
	}
	a.seen = h
	return h
}

// spaceOf is the space of a subnet that has an IPv4 block.
func (s *Service) spaceOf(tx *state.Txn, home subnet) *space {
	a := &space{subnetID: home.SubnetID, block: netip.MustParsePrefix(home.CIDRBlock).Masked(), services: map[netip.Addr]bool{}, tx: tx,
		prefixes: !region.InterfacesWithPrefix.Of(home.SubnetID).Empty(tx),
		fargate:  !region.FargateBySubnet.Of(home.SubnetID).Empty(tx)}
	for _, v := range s.serviceInterfaces(tx) {
		if ip, err := netip.ParseAddr(v.Address); err == nil && v.SubnetID == home.SubnetID {
			a.services[ip] = true
		}
	}
	return a
}

// serviceInterfaces are those of AWS's services but Fargate: they follow from what they belong to.
func (s *Service) serviceInterfaces(tx *state.Txn) []networkInterface {
	return slices.Concat(s.controlPlaneInterfaces(tx), s.natInterfaces(tx), s.endpointInterfaces(tx), s.balancerInterfaces(tx),
		s.mountTargetInterfaces(tx))
}

// free says whether nobody has an address of the subnet: this is the one place that knows. That nobody has it becomes a
// condition of the transaction, and nothing else does.
func (a *space) free(ip netip.Addr) bool {
	at := a.subnetID + "/" + ip.String()
	return !reserved(a.block, ip) && !a.services[ip] &&
		region.InstancesByAddress.Of(at).Empty(a.tx) && region.InterfacesByAddress.Of(at).Empty(a.tx) &&
		(!a.fargate || region.FargateByAddress.Of(at).Empty(a.tx)) &&
		(!a.prefixes || region.InterfacesByAddress.Of(a.subnetID+"/"+region.PrefixOf(ip).String()).Empty(a.tx))
}

// freePrefix says whether nobody has an address of a /28 prefix of the subnet, and picks all of them if so.
func (a *space) freePrefix(prefix netip.Prefix, picked map[netip.Addr]bool) bool {
	var all []netip.Addr
	others := a.all()
	for ip := prefix.Addr(); prefix.Contains(ip); ip = ip.Next() {
		if picked[ip] || reserved(a.block, ip) || others.has(ip) {
			return false
		}
		all = append(all, ip)
	}
	for _, ip := range all {
		picked[ip] = true
	}
	return true
}

// size is how many addresses the block has.
func (a *space) size() int { return 1 << (32 - a.block.Bits()) }

// available is how many addresses nobody has.
func (a *space) available() int {
	n := a.size() - reservedCount - region.InstancesBySubnet.Of(a.subnetID).Count(a.tx)
	if a.fargate {
		n -= region.FargateBySubnet.Of(a.subnetID).Count(a.tx)
	}
	for _, v := range region.InterfacesBySubnet.Of(a.subnetID).List(a.tx) {
		n -= v.Addresses()
		if v.Primary() {
			n++ // its first address is the instance's
		}
	}
	for ip := range a.services {
		if !reserved(a.block, ip) {
			n--
		}
	}
	return max(0, n)
}

// addressTries is how many addresses are tried at random before all are looked at.
const addressTries = 16

// pick is a free address at random, as EC2 gives them, those of lastOffsets last. picked are those that were
// picked before it, and it is among them then.
func (a *space) pick(picked map[netip.Addr]bool) (netip.Addr, bool) {
	take := func(offset int) (netip.Addr, bool) {
		ip := hostAt(a.block, offset)
		if picked[ip] || !a.free(ip) {
			return ip, false
		}
		picked[ip] = true
		return ip, true
	}
	size := a.size()
	for range addressTries {
		at := rand.IntN(size)
		if slices.Contains(lastOffsets, at) {
			continue
		}
		if ip, found := take(at); found {
			return ip, true
		}
	}
	start, others := rand.IntN(size), a.all()
	for i := range size {
		if at := (start + i) % size; !slices.Contains(lastOffsets, at) && !others.has(hostAt(a.block, at)) {
			if ip, found := take(at); found {
				return ip, true
			}
		}
	}
	for _, at := range lastOffsets {
		if ip, found := take(at); found {
			return ip, true
		}
	}
	return netip.Addr{}, false
}

// pickPrefix is a free /28 prefix, the first there is: EC2 keeps them together.
func (a *space) pickPrefix(picked map[netip.Addr]bool) (netip.Prefix, bool) {
	for offset := 0; offset+region.PrefixSize <= a.size(); offset += region.PrefixSize {
		prefix := netip.PrefixFrom(hostAt(a.block, offset), region.PrefixBits)
		if a.freePrefix(prefix, picked) {
			return prefix, true
		}
	}
	return netip.Prefix{}, false
}

// lastOffsets are those of a subnet that are given last: where NAT gateways and clusters' control planes have their
// interfaces if some come.
var lastOffsets = []int{natOffset, interfaceHost}

// ServiceAddress is an address for an interface of one of AWS's services: the one that follows from what it belongs to, or
// another one where somebody has that.
func (s *Service) ServiceAddress(tx *state.Txn, subnetID string, usual func(netip.Prefix) netip.Addr) (ip netip.Addr, err error) {
	home, err := subnets.get(s, tx, subnetID)
	if err != nil {
		return ip, err
	}
	space := s.spaceOf(tx, home)
	if ip = usual(space.block); space.free(ip) {
		return ip, nil
	}
	ip, found := space.pick(map[netip.Addr]bool{})
	if !found {
		return ip, errSubnetFull
	}
	return ip, nil
}

// IsFree says whether nobody has an address of a subnet.
func (s *Service) IsFree(tx *state.Txn, subnetID string, ip netip.Addr) bool {
	home, err := subnets.get(s, tx, subnetID)
	return err == nil && home.CIDRBlock != "" && s.spaceOf(tx, home).free(ip)
}

// wanted is an address that a call asks for by name, or EC2's refusal. picked may be nil.
func (a *space) wanted(text, parameter string, picked map[netip.Addr]bool) (netip.Addr, error) {
	ip, err := netip.ParseAddr(text)
	switch {
	case err != nil || !ip.Is4():
		return ip, refuse("InvalidParameterValue", "Value (%s) for parameter %s is invalid. Invalid IPv4 address.", clip(text), parameter)
	case !a.block.Contains(ip):
		return ip, refuse("InvalidParameterValue", "Address %s does not fall within the subnet's address range", ip)
	case picked[ip] || !a.free(ip):
		return ip, refuse("InvalidIPAddress.InUse", "Address %s is in use.", ip)
	}
	return ip, nil
}

// errSubnetFull is the refusal of what a subnet has no addresses for.
var errSubnetFull = refuse("InsufficientFreeAddressesInSubnet",
	"The specified subnet does not have enough free addresses to satisfy the request.")

// errNoPrefix is the same of prefixes, where there may be single addresses yet.
var errNoPrefix = refuse("InsufficientCidrBlocks",
	"The specified subnet does not have enough free cidr blocks to satisfy the request.")
