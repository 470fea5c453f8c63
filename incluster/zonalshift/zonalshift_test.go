package zonalshift

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func node(name, zone string, cordoned bool) *corev1.Node {
	return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name,
		Labels: map[string]string{corev1.LabelTopologyZone: zone}}, Spec: corev1.NodeSpec{Unschedulable: cordoned}}
}

func slice(name, manager, zone string) *discoveryv1.EndpointSlice {
	return &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default",
		Labels: map[string]string{discoveryv1.LabelManagedBy: manager}},
		Endpoints: []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, Zone: &zone}}}
}

func TestShiftCordonsItsZoneAndItsEndUncordonsNoOtherNode(t *testing.T) {
	client := fake.NewClientset(node("one", "a", false), node("drained", "a", true), node("other", "b", false),
		slice("mine", controller, "a"), slice("far", controller, "b"), slice("foreign", "somebody", "a"))
	check := func(want map[string]bool, touched ...string) {
		t.Helper()
		for name, cordoned := range want {
			n, err := client.CoreV1().Nodes().Get(t.Context(), name, metav1.GetOptions{})
			if err != nil || n.Spec.Unschedulable != cordoned {
				t.Errorf("node %s: cordoned %v, %v, want %v", name, n.Spec.Unschedulable, err, cordoned)
			}
		}
		list, err := client.DiscoveryV1().EndpointSlices("").List(t.Context(), metav1.ListOptions{LabelSelector: Touched})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]bool{}
		for _, s := range list.Items {
			got[s.Name] = true
		}
		if len(got) != len(touched) {
			t.Errorf("touched: %v, want %v", got, touched)
		}
		for _, name := range touched {
			if !got[name] {
				t.Errorf("touched: %v, want %v", got, touched)
			}
		}
	}
	apply := func(zones ...string) {
		t.Helper()
		if err := Apply(t.Context(), client, zones); err != nil {
			t.Fatal(err)
		}
	}
	apply()
	check(map[string]bool{"one": false, "drained": true, "other": false})
	apply("a")
	check(map[string]bool{"one": true, "drained": true, "other": false}, "mine")
	apply("a")
	apply()
	check(map[string]bool{"one": false, "drained": true, "other": false}, "mine", "far")
}
