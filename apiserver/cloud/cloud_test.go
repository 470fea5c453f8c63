package cloud

import (
	"crypto/md5"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/kubernetes/fake"
)

type discoveryInterface = discovery.DiscoveryInterface

const (
	nodeName   = "ip-10-0-0-10.ec2.internal"
	instanceID = "i-0123456789abcdef0"
	providerID = "aws:///us-east-1a/" + instanceID
)

// registered is a node as a kubelet with --cloud-provider=external, --node-ip and a provider's id registers it.
func registered() *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: nodeName, CreationTimestamp: metav1.Now(),
			Labels:      map[string]string{"kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux"},
			Annotations: map[string]string{"alpha.kubernetes.io/provided-node-ip": "10.0.0.10"}},
		Spec: corev1.NodeSpec{ProviderID: providerID, Taints: []corev1.Taint{
			{Key: "node.cloudprovider.kubernetes.io/uninitialized", Value: "true", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.10"},
				{Type: corev1.NodeHostName, Address: nodeName}}},
	}
}

// silent is a node whose kubelet is not heard of any more.
func silent() *corev1.Node {
	node := registered()
	node.Spec.Taints = nil
	node.Status.Conditions[0].Status = corev1.ConditionUnknown
	return node
}

// eventually polls until the node is as it should be, which is nil where it is gone.
func eventually(t *testing.T, cluster *fake.Clientset, what string, holds func(*corev1.Node) bool) *corev1.Node {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		node, err := cluster.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		if err != nil {
			node = nil
		}
		if holds(node) {
			return node
		}
		if time.Now().After(end) {
			t.Fatalf("%s: the node is still %+v", what, node)
		}
	}
}

func has(node *corev1.Node, taint string) bool {
	return slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == taint })
}

func TestNodeGetsWhatItsInstanceIs(t *testing.T) {
	for name, given := range map[string]string{"known by its provider's id": providerID, "known by its name": ""} {
		t.Run(name, func(t *testing.T) {
			aws := newAWS(t, map[string]string{instanceID: "running"})
			node := registered()
			node.Spec.ProviderID = given
			cluster := manage(t, aws, node)
			got := eventually(t, cluster, "initialized and tagged", func(n *corev1.Node) bool {
				return len(n.Spec.Taints) == 0 && n.Labels["k8s.io/cloud-provider-aws"] != "" && len(n.Status.Addresses) == 3
			})
			if got.Spec.ProviderID != providerID {
				t.Errorf("the provider's id is %q", got.Spec.ProviderID)
			}
			if diff := cmp.Diff(map[string]string{
				"kubernetes.io/hostname": nodeName, "kubernetes.io/os": "linux",
				"beta.kubernetes.io/instance-type": "t3.medium", "node.kubernetes.io/instance-type": "t3.medium",
				"failure-domain.beta.kubernetes.io/zone": "us-east-1a", "topology.kubernetes.io/zone": "us-east-1a",
				"failure-domain.beta.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/region": "us-east-1",
				"topology.k8s.aws/zone-id": "use1-az1",
				// as on EKS: nodes of a cluster with this name show the same there
				"k8s.io/cloud-provider-aws": fmt.Sprintf("%x", md5.Sum([]byte("aws:eks:cluster-name=demo"))),
			}, got.Labels); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff([]corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "10.0.0.10"},
				{Type: corev1.NodeInternalDNS, Address: nodeName}, {Type: corev1.NodeHostName, Address: nodeName}},
				got.Status.Addresses); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]string{"aws:eks:cluster-name": "demo"}, aws.tagsOf(instanceID)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]bool{"ASIAKEY1/token": true}, aws.signers()); diff != "" {
				t.Errorf("calls are signed with other keys than the socket gives: %s", diff)
			}
		})
	}
}

func TestNodeWaitsForItsInstance(t *testing.T) {
	aws := newAWS(t, map[string]string{})
	cluster := manage(t, aws, registered())
	eventually(t, cluster, "asked for", func(n *corev1.Node) bool {
		if !has(n, "node.cloudprovider.kubernetes.io/uninitialized") {
			t.Fatal("a node without an instance is initialized")
		}
		return aws.called("DescribeInstances") > 0
	})
	aws.set(instanceID, "running")
	eventually(t, cluster, "initialized", func(n *corev1.Node) bool { return len(n.Spec.Taints) == 0 })
}

func TestNodeGoesWithItsInstance(t *testing.T) {
	for name, end := range map[string]string{"terminated": "terminated", "forgotten by EC2": ""} {
		t.Run(name, func(t *testing.T) {
			aws := newAWS(t, map[string]string{instanceID: "running"})
			node := silent()
			cluster := manage(t, aws, node)
			eventually(t, cluster, "tagged", func(n *corev1.Node) bool { return n.Labels["k8s.io/cloud-provider-aws"] != "" })
			aws.set(instanceID, end)
			eventually(t, cluster, "deleted", func(n *corev1.Node) bool { return n == nil })
			for stop := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				events, err := cluster.CoreV1().Events("").List(t.Context(), metav1.ListOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if slices.ContainsFunc(events.Items, func(e corev1.Event) bool {
					return e.Reason == "DeletingNode" &&
						e.Message == "Deleting node "+nodeName+" because it does not exist in the cloud provider"
				}) {
					break
				}
				if time.Now().After(stop) {
					t.Fatalf("no event tells it: %v", events.Items)
				}
			}
		})
	}
}

func TestNodeOfAStoppedInstanceIsTainted(t *testing.T) {
	aws := newAWS(t, map[string]string{instanceID: "stopped"})
	cluster := manage(t, aws, silent())
	const shutdown = "node.cloudprovider.kubernetes.io/shutdown"
	node := eventually(t, cluster, "tainted", func(n *corev1.Node) bool { return n != nil && has(n, shutdown) })
	if i := slices.IndexFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Key == shutdown }); node.Spec.
		Taints[i].Effect != corev1.TaintEffectNoSchedule {
		t.Errorf("the taint is %+v", node.Spec.Taints[i])
	}
	aws.set(instanceID, "running")
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	if _, err := cluster.CoreV1().Nodes().UpdateStatus(t.Context(), node, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, cluster, "free again", func(n *corev1.Node) bool { return !has(n, shutdown) })
}

func TestReadyNodeIsKeptWhateverBecomesOfItsInstance(t *testing.T) {
	aws := newAWS(t, map[string]string{instanceID: "terminated"})
	node := silent()
	node.Status.Conditions[0].Status = corev1.ConditionTrue
	cluster := manage(t, aws, node)
	eventually(t, cluster, "tagged", func(n *corev1.Node) bool { return n.Labels["k8s.io/cloud-provider-aws"] != "" })
	if _, err := cluster.CoreV1().Nodes().Get(t.Context(), nodeName, metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
}
