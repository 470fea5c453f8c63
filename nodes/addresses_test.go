package nodes

import (
	"fmt"
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/machine"
)

func TestNodeAddressesAreStableAndDistinct(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.32.0/19")
	few, many := machine.Addresses(subnet, "c", "z", 3), machine.Addresses(subnet, "c", "z", 200)
	seen := map[netip.Addr]bool{}
	for i, addr := range many {
		if i < len(few) && few[i] != addr {
			t.Errorf("node %d: %s of 3, %s of 200", i, few[i], addr)
		}
		if seen[addr] || !subnet.Contains(addr) {
			t.Errorf("address %s is not new or not in %s", addr, subnet)
		}
		seen[addr] = true
	}
}

func TestAddressesAreUniqueUntilSubnetIsFull(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.0.0/26") // 64, less 32 reserved
	node := machine.Nth(subnet, 5)
	a := NewNetwork()
	a.holdNode(node)
	seen := map[netip.Addr]bool{node: true}
	for i := range machine.Usable(subnet) - 1 {
		addr, err := a.allocate(subnet, types.UID(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if seen[addr] {
			t.Fatalf("%s twice", addr)
		}
		seen[addr] = true
	}
	if addr, err := a.allocate(subnet, "one more"); err == nil {
		t.Errorf("full subnet gave %s", addr)
	}
	a.release("7")
	if _, err := a.allocate(subnet, "one more"); err != nil {
		t.Error(err)
	}
}

func TestAllocateAnswersTheSameForTheSamePod(t *testing.T) {
	subnet, a := netip.MustParsePrefix("10.0.0.0/19"), NewNetwork()
	first, _ := a.allocate(subnet, "p")
	again, _ := a.allocate(subnet, "p")
	if first != again {
		t.Errorf("%s, then %s", first, again)
	}
}

func TestHeldAddressIsNotGivenAway(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.0.0/28") // too small to have any
	if addr, err := NewNetwork().allocate(subnet, "p"); err == nil {
		t.Errorf("a subnet without usable addresses gave %s", addr)
	}
	subnet = netip.MustParsePrefix("10.0.0.0/26")
	a := NewNetwork()
	held := machine.Nth(subnet, 3)
	a.hold("old", held)
	a.hold("thief", held) // the first keeps it
	a.release("thief")
	for i := range machine.Usable(subnet) - 1 {
		if got, err := a.allocate(subnet, types.UID(fmt.Sprint(i))); err != nil || got == held {
			t.Fatalf("got %s (%v), which is held", got, err)
		}
	}
	if got, _ := a.allocate(subnet, "old"); got != held {
		t.Errorf("old pod: got %s, want %s", got, held)
	}
}

func TestPodsAndInstancesShareOutASubnet(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.32.0/19")
	first, count := machine.InstanceAddresses(subnet)
	podFirst, podCount := machine.PodAddresses(subnet)
	if first != 0 || podFirst != count || podFirst+podCount != machine.Usable(subnet) {
		t.Errorf("instances have %d from %d on, pods %d from %d on, of %d", count, first, podCount, podFirst,
			machine.Usable(subnet))
	}
	got, err := NewNetwork().allocate(subnet, "p")
	if err != nil || got.Less(machine.Nth(subnet, podFirst)) {
		t.Errorf("a pod has %s (%v), which is an instance's", got, err)
	}
}
