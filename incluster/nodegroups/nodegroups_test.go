package nodegroups

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"tripod/nodes/object"
)

var ctx = context.Background()

func node(name, instance string, ready corev1.ConditionStatus) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"a": "1"}},
		Spec: corev1.NodeSpec{ProviderID: "aws:///us-east-1a/" + instance,
			Taints: []corev1.Taint{{Key: "x", Value: "1", Effect: corev1.TaintEffectNoSchedule}}},
		Status: corev1.NodeStatus{Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: ready},
			{Type: corev1.NodeMemoryPressure, Status: corev1.ConditionFalse}}},
	}
}

// await is for what a watch brings.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func TestNodesAreKnownByTheirWatch(t *testing.T) {
	client := fake.NewClientset(node("n1", "i-1", corev1.ConditionTrue), node("n2", "fargate-ip", corev1.ConditionUnknown))
	c := with(client, client)
	if _, err := c.Nodes(ctx); err == nil {
		t.Error("nodes are known before anybody asked")
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer c.Stop(ctx)
	var all []object.Node
	await(t, "two nodes", func() bool { all, _ = c.Nodes(ctx); return len(all) == 2 })
	slices.SortFunc(all, func(a, b object.Node) int { return strings.Compare(a.Name, b.Name) })
	want := []object.Node{
		{Name: "n1", InstanceID: "i-1", Ready: true, Labels: map[string]string{"a": "1"},
			Taints: []object.Taint{{Key: "x", Value: "1", Effect: "NoSchedule"}}},
		{Name: "n2", Labels: map[string]string{"a": "1"}, Taints: []object.Taint{{Key: "x", Value: "1", Effect: "NoSchedule"}},
			Unhealthy: []object.Condition{{Type: "Ready"}}},
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	await(t, "a signal", func() bool {
		select {
		case <-c.Changes():
			return true
		default:
			return false
		}
	})
	if _, err := client.CoreV1().Nodes().Update(ctx, node("n2", "i-2", corev1.ConditionTrue), metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the change", func() bool {
		all, _ := c.Nodes(ctx)
		return slices.ContainsFunc(all, func(n object.Node) bool { return n.InstanceID == "i-2" && n.Ready })
	})
}

func TestChangesReachTheNode(t *testing.T) {
	client := fake.NewClientset(node("n1", "i-1", corev1.ConditionTrue))
	c := with(client, client)
	yes := true
	for range 2 { // once more changes nothing
		if err := c.Change(ctx, object.Change{Node: "n1", Unschedulable: &yes, Labels: map[string]string{"b": "2"},
			RemoveLabels: []string{"a"}, Taints: []object.Taint{{Key: "y", Effect: "NoExecute"}},
			RemoveTaints: []object.Taint{{Key: "x", Effect: "NoSchedule"}}}); err != nil {
			t.Fatal(err)
		}
	}
	n, err := client.CoreV1().Nodes().Get(ctx, "n1", metav1.GetOptions{})
	if err != nil || !n.Spec.Unschedulable || n.Labels["b"] != "2" || n.Labels["a"] != "" || len(n.Spec.Taints) != 1 ||
		n.Spec.Taints[0].Key != "y" {
		t.Errorf("got %+v, %v", n, err)
	}
	if err := c.Change(ctx, object.Change{Node: "gone", Unschedulable: &yes}); err != nil {
		t.Errorf("a node that is not there: %v", err)
	}
}

func pod(name string, change func(*corev1.Pod)) runtime.Object {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: "u"}, Spec: corev1.PodSpec{NodeName: "n1"}}
	if change != nil {
		change(p)
	}
	return p
}

func TestDrainLeavesWhatDaemonSetsAndKubeletsRun(t *testing.T) {
	yes := true
	client := fake.NewClientset(
		pod("web", nil), pod("db", nil), pod("elsewhere", func(p *corev1.Pod) { p.Spec.NodeName = "n2" }),
		pod("daemon", func(p *corev1.Pod) {
			p.OwnerReferences = []metav1.OwnerReference{{Kind: "DaemonSet", Name: "d", Controller: &yes}}
		}),
		pod("static", func(p *corev1.Pod) { p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"} }),
		pod("going", func(p *corev1.Pod) { p.DeletionTimestamp, p.Finalizers = &metav1.Time{Time: time.Now()}, []string{"f"} }),
	)
	var evicted []string
	client.PrependReactor("create", "pods", func(a kubetesting.Action) (bool, runtime.Object, error) {
		if a.GetSubresource() != "eviction" {
			return false, nil, nil
		}
		name := a.(kubetesting.CreateAction).GetObject().(*policyv1.Eviction).Name
		if name == "db" {
			return true, nil, apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
		}
		evicted = append(evicted, name)
		return true, nil, nil
	})
	c := with(client, client)
	left, err := c.Drain(ctx, "n1", false)
	if err != nil || left.Left != 3 || !slices.Equal(left.Blocked, []string{"default/db"}) || !slices.Equal(evicted, []string{"web"}) {
		t.Errorf("got %+v, %v, evicted %v", left, err, evicted)
	}
	if _, err = c.Drain(ctx, "n1", true); err != nil {
		t.Fatal(err)
	}
	var names []string
	pods, _ := client.CoreV1().Pods("default").List(ctx, metav1.ListOptions{})
	for _, p := range pods.Items {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	if want := []string{"daemon", "elsewhere", "going", "static"}; !slices.Equal(names, want) {
		t.Errorf("by force: left are %v, want %v", names, want)
	}
	client.PrependReactor("list", "pods", func(kubetesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	if _, err := c.Drain(ctx, "n1", false); err == nil {
		t.Error("a cluster that does not answer is no error")
	}
}
