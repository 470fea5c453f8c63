package nodes

import (
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/nodes/ipam"
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

// TestAPodWaitsForItsNodesAddresses runs a node whose pool is filled late, and then empty.
func TestAPodWaitsForItsNodesAddresses(t *testing.T) {
	c := testConfig(1)
	c.Pools = ipam.New(time.Now)
	instanceID := c.Machines[0].InstanceID
	client := fake.NewClientset(newPod("first", firstNode()))
	startFake(t, c, client)
	eventually(t, "the pod asks for an address", func() (string, bool) {
		return "", c.Pools.Demand(instanceID, c.ClusterID).Waiting == 1
	})
	if events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{}); err != nil || saidOf(events.Items,
		"FailedCreatePodSandBox") {
		t.Errorf("it says that it has none: %v %v", events.Items, err)
	}
	address := netip.MustParseAddr("10.0.7.7")
	pool := []ipam.Interface{{ID: "eni-1", Addresses: []netip.Addr{address}}}
	c.Pools.Changed()
	c.Pools.Set(instanceID, c.ClusterID, pool, true)
	if pod := waitPhase(t, client, "first", corev1.PodRunning); pod.Status.PodIP != address.String() {
		t.Errorf("it has %s", pod.Status.PodIP)
	}
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), newPod("second", firstNode()), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the next one is told that there is none", func() (string, bool) {
		if c.Pools.Demand(instanceID, c.ClusterID).Waiting == 1 {
			c.Pools.Changed()
			c.Pools.Set(instanceID, c.ClusterID, pool, true)
		}
		events, err := client.CoreV1().Events("default").List(t.Context(), metav1.ListOptions{})
		return "", err == nil && saidOf(events.Items, "FailedCreatePodSandBox")
	})
}

func saidOf(events []corev1.Event, reason string) bool {
	for _, e := range events {
		if e.Reason == reason {
			return true
		}
	}
	return false
}
