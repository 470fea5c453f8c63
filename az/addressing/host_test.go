package addressing

import (
	"fmt"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"tripod/awsapi/ec2"
	"tripod/nodes/ipam"
	"tripod/region"
	"tripod/state"
)

const clusterID = "0123456789ABCDEF0123456789ABCDEF"

var began = time.Date(2026, 11, 29, 18, 0, 0, 0, time.UTC)

// bench is a zone's host whose clock is the test's.
type bench struct {
	*Host
	now   time.Time
	state *state.Memory
	t     *testing.T
}

func newBench(t *testing.T) *bench {
	b := &bench{now: began, t: t, state: region.NewMemory(func(*state.Txn) {})}
	vpc := ec2.VPC{AccountID: "111122223333", Region: "us-east-1", Zones: []string{"us-east-1a", "us-east-1b", "us-east-1c"}}
	b.Host = &Host{Zone: "us-east-1a", State: b.state, Network: &ec2.Service{VPC: vpc, State: b.state},
		Pools: ipam.New(func() time.Time { return b.now }), Now: func() time.Time { return b.now }, Logger: slog.New(slog.DiscardHandler)}
	return b
}

// node writes a running instance that is the cluster's node, in the first zone's private subnet.
func (b *bench) node(n int) (id string) {
	b.t.Helper()
	vpc := b.Network.VPC
	id = fmt.Sprintf("i-%017x", n)
	b.change(func(tx *state.Txn) error {
		_, err := region.LaunchInstance(tx, region.Instance{ID: id, Zone: vpc.Zones[0], SubnetID: vpc.SubnetIDs()[0], VPCID: vpc.ID(),
			Address: fmt.Sprintf("10.0.1.%d", n), DNSName: fmt.Sprintf("ip-10-0-1-%d.ec2.internal", n), InterfaceID: fmt.Sprintf("eni-%017x", n),
			Launch: region.InstanceLaunch{Type: "m5.large", Groups: []string{"sg-1"}}}, b.now)
		if err == nil {
			_, err = region.RunInstance(tx, id, b.now)
		}
		region.NoteBoot(tx, id, region.Boot{At: b.now, ClusterID: clusterID})
		return err
	})
	b.Pools.Join(id, clusterID, 29, func([]string) {})
	b.Pools.Listed(id)
	return id
}

func (b *bench) change(fn func(tx *state.Txn) error) {
	b.t.Helper()
	if err := b.state.Update(b.t.Context(), fn); err != nil {
		b.t.Fatal(err)
	}
}

// keep lets the host do what there is to do, and answers when it looks again.
func (b *bench) keep() time.Duration {
	b.t.Helper()
	for range 20 {
		again, err := b.Keep(b.t.Context())
		if err != nil {
			b.t.Fatal(err)
		}
		if again != 1 && len(b.Pools.Changed()) == 0 {
			if again, err = b.Keep(b.t.Context()); again != 1 && err == nil {
				return again
			}
		}
	}
	b.t.Fatal("it never rests")
	return 0
}

// index is that of the last change of the regional state.
func (b *bench) index() (index uint64) {
	b.state.View(func(tx *state.Txn) error { index = tx.Index(); return nil })
	return index
}

// interfaces are a node's, by how many addresses each has.
func (b *bench) interfaces(id string) (sizes []int, all []region.NetworkInterface) {
	b.state.View(func(tx *state.Txn) error {
		v, _ := region.Instances.Get(tx, id)
		all = region.InterfacesOf(tx, v)
		return nil
	})
	for _, v := range all {
		sizes = append(sizes, v.Addresses())
	}
	return sizes, all
}

func (b *bench) wants(id string, want ...int) {
	b.t.Helper()
	if sizes, _ := b.interfaces(id); fmt.Sprint(sizes) != fmt.Sprint(want) {
		b.t.Errorf("interfaces of %v addresses, want %v", sizes, want)
	}
}

func TestANodeHasAWarmPoolBeforeItsFirstPod(t *testing.T) {
	b := newBench(t)
	id := b.node(20)
	if again := b.keep(); again != 0 {
		t.Errorf("it looks again after %s", again)
	}
	b.wants(id, 10)
	if _, err := b.Pools.Allocate(id, "u1", "p1"); err != nil {
		t.Fatal(err)
	}
	if again := b.keep(); again != 0 {
		t.Errorf("it looks again after %s", again)
	}
	b.wants(id, 10, 10)
	_, all := b.interfaces(id)
	b.state.View(func(tx *state.Txn) error {
		tags := b.Network.TagsOf(tx, all[1].ID)
		if all[1].Description != "aws-K8S-"+id || tags["node.k8s.amazonaws.com/instance_id"] != id || all[1].Groups[0] != "sg-1" ||
			!all[1].Attachment.Deletes || all[1].Attachment.Device != 1 {
			t.Errorf("the second interface is %+v with %v", all[1], tags)
		}
		return nil
	})
	before := b.index()
	b.keep()
	if b.index() != before {
		t.Error("it writes at rest")
	}
}

func TestPodsAreWokenWhenTheirAddressesAreThere(t *testing.T) {
	b := newBench(t)
	id := b.node(20)
	for i := range 29 {
		b.Pools.Allocate(id, fmt.Sprint("u", i), fmt.Sprint("p", i))
	}
	b.keep()
	b.wants(id, 10, 10, 10)
	seen, none := map[netip.Addr]bool{}, 0
	for i := range 29 {
		a, err := b.Pools.Allocate(id, fmt.Sprint("u", i), fmt.Sprint("p", i))
		if err != nil {
			none++
			continue
		}
		seen[a] = true
	}
	if len(seen) != 27 || none != 2 {
		t.Errorf("%d pods have addresses of their own and %d none, want 27 and 2", len(seen), none)
	}
}

func TestAFullSubnetGivesWhatItHas(t *testing.T) {
	b := newBench(t)
	id := b.node(20)
	b.change(func(tx *state.Txn) error { // all but three addresses of the subnet are somebody's
		vpc := b.Network.VPC
		v := region.NetworkInterface{ID: "eni-0f", SubnetID: vpc.SubnetIDs()[0], VPCID: vpc.ID(), Zone: vpc.Zones[0], Address: "10.0.0.4"}
		free := map[string]bool{"10.0.9.1": true, "10.0.9.2": true, "10.0.9.3": true, "10.0.1.20": true}
		for a := netip.MustParseAddr("10.0.0.5"); a.Less(netip.MustParseAddr("10.0.31.255")); a = a.Next() {
			if !free[a.String()] {
				v.Secondary = append(v.Secondary, a.String())
			}
		}
		region.MakeInterface(tx, v)
		return nil
	})
	again := b.keep()
	if again <= 0 || again > ipam.FullPause {
		t.Errorf("it looks again after %s, want within %s", again, ipam.FullPause)
	}
	b.wants(id, 4)
	for i := range 4 {
		_, err := b.Pools.Allocate(id, fmt.Sprint("u", i), fmt.Sprint("p", i))
		if (err == nil) != (i < 3) {
			t.Errorf("pod %d: %v", i, err)
		}
	}
	b.keep()
	if _, err := b.Pools.Allocate(id, "u3", "p3"); err != ipam.ErrNone {
		t.Errorf("the fourth pod: %v", err)
	}
	b.change(func(tx *state.Txn) error { region.DeleteInterface(tx, "eni-0f"); return nil })
	b.now = b.now.Add(ipam.FullPause + time.Second)
	b.keep()
	if _, err := b.Pools.Allocate(id, "u3", "p3"); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

func TestPrefixesAndCustomNetworks(t *testing.T) {
	b := newBench(t)
	b.Pools.Configure(clusterID, ipam.SettingsOf(map[string]string{"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"}), nil)
	id := b.node(20)
	b.keep()
	b.wants(id, 17)

	b = newBench(t)
	public := b.Network.VPC.PublicSubnetIDs()[0]
	b.Pools.Configure(clusterID, ipam.SettingsOf(map[string]string{"AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG": "true"}),
		map[string]ipam.Network{"default": {Subnet: public, Groups: []string{"sg-2"}}})
	id = b.node(20)
	b.keep()
	b.wants(id, 1, 10)
	if _, all := b.interfaces(id); all[1].SubnetID != public || all[1].Groups[0] != "sg-2" {
		t.Errorf("the second interface is %+v", all[1])
	}
}

func TestAddressesOfATimeBeforeInterfacesAreTakenOver(t *testing.T) {
	b := newBench(t)
	id := b.node(20)
	b.Pools.Hold(id, "u1", netip.MustParseAddr("10.0.20.7"))
	b.keep()
	_, all := b.interfaces(id)
	found := false
	for _, v := range all {
		for _, a := range v.Secondary {
			found = found || a == "10.0.20.7"
		}
	}
	if !found {
		t.Errorf("the pod's address is of no interface: %+v", all)
	}
}
