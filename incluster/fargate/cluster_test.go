package fargate

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	kubetesting "k8s.io/client-go/testing"

	"tripod/nodes/object"
)

var ctx = context.Background()

// await is for what a watch brings.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what)
		}
	}
}

func scheduled(name, scheduler string) *corev1.Pod {
	yes := true
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: name, UID: "uid-of-pod",
		Labels:          map[string]string{ProfileLabel: "f"},
		OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", UID: "owner", Controller: &yes}}},
		Spec: corev1.PodSpec{SchedulerName: scheduler, Containers: []corev1.Container{asking("500m", "", "")}}}
}

func TestFargatesPodsAndNodesAreKnownByTheirWatches(t *testing.T) {
	const provider = "aws:///us-east-1a/0123456789-0123456789abcdef0123456789abcdef/fargate-ip-10-0-0-9.ec2.internal"
	client := fake.NewClientset(scheduled("p", SchedulerName), scheduled("other", "default-scheduler"),
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "fargate-ip-10-0-0-9.ec2.internal", Labels: map[string]string{
			ComputeType: "fargate"}}, Spec: corev1.NodeSpec{ProviderID: provider}, Status: corev1.NodeStatus{
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}}}},
		&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "ip-10-0-0-8.ec2.internal"}})
	c := with(client, client, client)
	if _, err := c.Pods(ctx); err == nil {
		t.Error("pods are known before anybody asked")
	}
	if err := c.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer c.Stop(ctx)
	var pods []object.FargatePod
	await(t, "a pod", func() bool { pods, _ = c.Pods(ctx); return len(pods) == 1 })
	want := []object.FargatePod{{Namespace: "web", Name: "p", UID: "uid-of-pod", Profile: "f", Owner: "owner",
		Size: object.FargateSize{MilliCPU: 500, MemoryMiB: 1024, DiskGiB: 20}}}
	if diff := cmp.Diff(want, pods); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var nodes []object.Node
	await(t, "a node", func() bool { nodes, _ = c.Nodes(ctx); return len(nodes) == 1 })
	if n := nodes[0]; !n.Ready || n.InstanceID != "0123456789-0123456789abcdef0123456789abcdef/fargate-ip-10-0-0-9.ec2.internal" {
		t.Errorf("node %+v", n)
	}
	await(t, "a signal", func() bool {
		select {
		case <-c.Changes():
			return true
		default:
			return false
		}
	})
}

func TestABoundPodSaysWhatWasProvisioned(t *testing.T) {
	for _, c := range []struct {
		config  bool
		logging string
		events  []string
	}{
		{false, "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND", []string{
			`Warning LoggingDisabled Disabled logging because aws-logging configmap was not found. configmap "aws-logging" not found`,
			"Normal Scheduled Successfully assigned web/p to n"}},
		{true, "LoggingEnabled", []string{"Normal LoggingEnabled Successfully enabled logging for pod",
			"Normal Scheduled Successfully assigned web/p to n"}},
	} {
		client := fake.NewClientset()
		if c.config {
			client = fake.NewClientset(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "aws-observability",
				Name: "aws-logging"}})
		}
		client.PrependReactor("create", "pods", func(action kubetesting.Action) (bool, runtime.Object, error) {
			return action.GetSubresource() == "binding", &corev1.Binding{}, nil
		})
		cluster := with(client, client, client)
		pod := object.FargatePod{Namespace: "web", Name: "p", UID: "u", Size: object.FargateSize{MilliCPU: 250, MemoryMiB: 512}}
		if err := cluster.Bind(ctx, pod, "n"); err != nil {
			t.Fatal(err)
		}
		var events []string
		for _, action := range client.Actions() {
			create, is := action.(kubetesting.CreateAction)
			if !is {
				continue
			}
			switch made := create.GetObject().(type) {
			case *corev1.Binding:
				want := map[string]string{"CapacityProvisioned": "0.25vCPU 0.5GB", "Logging": c.logging}
				if diff := cmp.Diff(want, made.Annotations); diff != "" || made.UID != "u" || made.Target.Name != "n" {
					t.Errorf("bound as %+v\n%s", made, diff)
				}
			case *corev1.Event:
				events = append(events, strings.Join([]string{made.Type, made.Reason, made.Message}, " "))
				if made.Source.Component != "fargate-scheduler" || made.InvolvedObject.UID != "u" {
					t.Errorf("event %+v", made)
				}
			}
		}
		if !slices.Equal(events, c.events) {
			t.Errorf("events %q, want %q", events, c.events)
		}
	}
}

func TestWhatIsGoneAlreadyIsNoError(t *testing.T) {
	client := fake.NewClientset(scheduled("p", SchedulerName))
	c := with(client, client, client)
	pod := object.FargatePod{Namespace: "web", Name: "p", UID: "uid-of-pod"}
	for range 2 {
		if err := c.DeletePod(ctx, pod, true); err != nil {
			t.Error(err)
		}
		if err := c.DeleteNode(ctx, "n"); err != nil {
			t.Error(err)
		}
	}
	deletion := client.Actions()[0].(kubetesting.DeleteActionImpl).DeleteOptions
	if *deletion.GracePeriodSeconds != 0 || *deletion.Preconditions.UID != "uid-of-pod" {
		t.Errorf("deleted with %+v", deletion)
	}
}
