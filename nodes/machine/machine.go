// Package machine is what the simulated nodes are made of, without Kubernetes: a Machine as the zone's agent gives it to
// its simulator, how a subnet's addresses are shared out, and EC2's names. The names, addresses and ids of nodes that are
// older than instances' records follow from cluster and zone.
package machine

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"net/netip"
	"strings"
)

// DefaultType is the instance type that EKS's console offers first for a managed node group of general purpose.
const DefaultType = "m5.large"

// reservedAddresses are left out at both ends of a subnet: AWS takes the first four and the last one, the control
// plane's network interfaces have theirs among the next.
const reservedAddresses = 16

// Usable is the number of addresses in subnet that nodes and pods may have.
func Usable(subnet netip.Prefix) int {
	return max(0, 1<<(32-subnet.Bits())-2*reservedAddresses)
}

// Nth is the n-th usable address of subnet, counted from 0.
func Nth(subnet netip.Prefix, n int) netip.Addr {
	base := subnet.Masked().Addr().As4()
	sum := binary.BigEndian.Uint32(base[:]) + reservedAddresses + uint32(n)
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, sum)))
}

// Addresses are the primary addresses of a cluster's first count nodes in a zone: spread over the subnet as those of
// EC2 instances are, and the same in every process. A node's address does not depend on count.
func Addresses(subnet netip.Prefix, clusterID, zone string, count int) []netip.Addr {
	size := Usable(subnet)
	taken := make(map[int]bool, count)
	addrs := make([]netip.Addr, 0, count)
	for i := range count {
		at := int(Hash(fmt.Sprintf("%s/%s/%d", clusterID, zone, i)) % uint64(size))
		for taken[at] {
			at = (at + 1) % size
		}
		taken[at] = true
		addrs = append(addrs, Nth(subnet, at))
	}
	return addrs
}

// Hash is a stable 64-bit hash of s.
func Hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	sum := h.Sum64()
	// FNV's low bits barely differ between short strings with the same beginning: mix them (splitmix64's finalizer).
	sum = (sum ^ sum>>30) * 0xbf58476d1ce4e5b9
	sum = (sum ^ sum>>27) * 0x94d049bb133111eb
	return sum ^ sum>>31
}

// Name is EC2's private DNS name (IP name) of an address.
func Name(region string, addr netip.Addr) string {
	domain := region + ".compute.internal"
	if region == "us-east-1" {
		domain = "ec2.internal"
	}
	return "ip-" + strings.ReplaceAll(addr.String(), ".", "-") + "." + domain
}

// InstanceID is that of a cluster's i-th node in a zone.
func InstanceID(clusterID, zone string, i int) string {
	return "i-0" + Digest(clusterID, zone, "instance", i)[:16]
}

// Digest is hexadecimal and the same for the same thing of the same node in every process.
func Digest(clusterID, zone, what string, i int) string {
	return fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%s/%s/%s/%d", what, clusterID, zone, i)))
}
