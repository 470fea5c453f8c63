package ipam

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"
)

// bench is a node's pool whose clock is the test's.
type bench struct {
	*Pools
	now   time.Time
	woken []string
}

func newBench() *bench {
	b := &bench{now: began}
	b.Pools = New(func() time.Time { return b.now })
	b.Join("i-1", "c", 29, func(pods []string) { b.woken = append(b.woken, pods...) })
	return b
}

func addresses(texts ...string) (all []netip.Addr) {
	for _, text := range texts {
		all = append(all, netip.MustParseAddr(text))
	}
	return all
}

func TestAPodWaitsWithoutAWordUntilTheHostHasLooked(t *testing.T) {
	b := newBench()
	if _, err := b.Allocate("i-1", "u1", "p1"); !errors.Is(err, ErrPending) {
		t.Fatalf("before the host has looked: %v", err)
	}
	if !b.Changed()["i-1"] || b.Demand("i-1", "c").Waiting != 1 {
		t.Error("the host is not told")
	}
	b.Set("i-1", "c", []Interface{{ID: "eni-1", Addresses: addresses("10.0.0.5")}}, true)
	if !slices.Equal(b.woken, []string{"p1"}) {
		t.Fatalf("woken: %v", b.woken)
	}
	first, err := b.Allocate("i-1", "u1", "p1")
	if again, _ := b.Allocate("i-1", "u1", "p1"); err != nil || again != first {
		t.Errorf("got %s, %s, %v", first, again, err)
	}
	if _, err := b.Allocate("i-1", "u2", "p2"); !errors.Is(err, ErrPending) {
		t.Errorf("the pool is empty, and the host may have more: %v", err)
	}
	b.Set("i-1", "c", []Interface{{ID: "eni-1", Addresses: addresses("10.0.0.5")}}, true)
	if _, err := b.Allocate("i-1", "u2", "p2"); !errors.Is(err, ErrPending) {
		t.Errorf("the host did not know of the pod: %v", err)
	}
	b.Changed()
	b.Set("i-1", "c", []Interface{{ID: "eni-1", Addresses: addresses("10.0.0.5")}}, true)
	if _, err := b.Allocate("i-1", "u2", "p2"); !errors.Is(err, ErrNone) {
		t.Errorf("the host has no more: %v", err)
	}
}

func TestAnAddressRestsBeforeAnotherPodGetsIt(t *testing.T) {
	b := newBench()
	pool := []Interface{{ID: "eni-1", Addresses: addresses("10.0.0.5")}}
	b.Set("i-1", "c", pool, true)
	b.Listed("i-1")
	if _, err := b.Allocate("i-1", "u1", "p1"); err != nil {
		t.Fatal(err)
	}
	b.Release("i-1", "u1")
	b.Changed()
	b.Set("i-1", "c", pool, true)
	if _, err := b.Allocate("i-1", "u2", "p2"); !errors.Is(err, ErrNone) {
		t.Errorf("the address was given at once: %v", err)
	}
	b.now = b.now.Add(30 * time.Second)
	b.Set("i-1", "c", pool, true)
	if !slices.Contains(b.woken, "p2") {
		t.Error("the pod is not told that the address has rested")
	}
	if a, err := b.Allocate("i-1", "u2", "p2"); err != nil || a != pool[0].Addresses[0] {
		t.Errorf("got %s, %v", a, err)
	}
}

func TestAPodKeepsTheAddressThatItHas(t *testing.T) {
	b := newBench()
	held := netip.MustParseAddr("10.0.0.6")
	b.Hold("i-1", "u1", held)
	b.Hold("i-1", "u2", held)
	b.Set("i-1", "c", []Interface{{ID: "eni-1", Addresses: addresses("10.0.0.6", "10.0.0.7")}}, true)
	if a, _ := b.Allocate("i-1", "u1", "p1"); a != held {
		t.Errorf("it has %s", a)
	}
	if a, _ := b.Allocate("i-1", "u2", "p2"); a == held {
		t.Error("two pods have it")
	}
	b.Hold("i-1", "u3", netip.MustParseAddr("10.0.0.99"))
	b.Listed("i-1")
	if got := b.Demand("i-1", "c").Strangers; !slices.Equal(got, addresses("10.0.0.99")) {
		t.Errorf("addresses of no interface: %v", got)
	}
	b.Told("i-1", addresses("10.0.0.99"))
	if got := b.Demand("i-1", "c").Strangers; len(got) > 0 {
		t.Errorf("told again of %v", got)
	}
}

func TestANodesENIConfigIsTheOneThatItsLabelNames(t *testing.T) {
	b := newBench()
	b.Configure("c", SettingsOf(map[string]string{"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true",
		"ENI_CONFIG_LABEL_DEF": "topology.kubernetes.io/zone"}), map[string]Network{"us-east-1a": {Subnet: "subnet-1"}})
	if got := b.Demand("i-1", "c").Unconfigured; got != "default" {
		t.Errorf("without a label: %q", got)
	}
	b.Choose("i-1", map[string]string{"topology.kubernetes.io/zone": "us-east-1a"}, nil)
	if got := b.Demand("i-1", "c"); got.Network.Subnet != "subnet-1" || got.Unconfigured != "" || !b.Changed()["i-1"] {
		t.Errorf("got %+v", got)
	}
}
