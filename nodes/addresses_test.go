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
	a := newAddresses(subnet, []netip.Addr{node}, 30)
	seen := map[netip.Addr]bool{node: true}
	for i := range machine.Usable(subnet) - 1 {
		addr, err := a.allocate(types.UID(fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if seen[addr] {
			t.Fatalf("%s twice", addr)
		}
		seen[addr] = true
	}
	if addr, err := a.allocate("one more"); err == nil {
		t.Errorf("full subnet gave %s", addr)
	}
	a.release("7")
	if _, err := a.allocate("one more"); err != nil {
		t.Error(err)
	}
}

func TestAllocateAnswersTheSameForTheSamePod(t *testing.T) {
	a := newAddresses(netip.MustParsePrefix("10.0.0.0/19"), nil, 0)
	first, _ := a.allocate("p")
	again, _ := a.allocate("p")
	if first != again {
		t.Errorf("%s, then %s", first, again)
	}
}

func TestHeldAddressIsNotGivenAway(t *testing.T) {
	subnet := netip.MustParsePrefix("10.0.0.0/19")
	a := newAddresses(subnet, nil, 0)
	a.hold("old", machine.Nth(subnet, 0))
	a.hold("thief", machine.Nth(subnet, 0)) // the first keeps it
	a.hold("stranger", netip.MustParseAddr("192.168.0.1"))
	a.release("thief")
	if got, _ := a.allocate("new"); got != machine.Nth(subnet, 1) {
		t.Errorf("got %s, want %s", got, machine.Nth(subnet, 1))
	}
	if got, _ := a.allocate("old"); got != machine.Nth(subnet, 0) {
		t.Errorf("old pod: got %s, want %s", got, machine.Nth(subnet, 0))
	}
}

func TestInstancesAreTheNodesMachines(t *testing.T) {
	c := testConfig(3)
	addrs, got := c.Addresses(), c.Instances()
	if n := newNode(c, 2, addrs[2]); len(got) != 3 || got[n.instanceID] != n.name {
		t.Errorf("got %v, want three, and %s of %s among them", got, n.name, n.instanceID)
	}
}
