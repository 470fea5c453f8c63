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

// output is a section of the ConfigMap that sends to CloudWatch Logs.
const output = "[OUTPUT]\n    Name cloudwatch_logs\n    Match *\n    region us-east-1\n    log_group_name g\n    log_stream_prefix p-\n"

func TestABoundPodSaysWhatWasProvisioned(t *testing.T) {
	const notFound = `Warning LoggingDisabled Disabled logging because aws-logging configmap was not found. `
	for _, c := range []struct {
		config, label, logging, event string
	}{
		{"", "", "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND", notFound + `configmap "aws-logging" not found`},
		{output, "", "LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND",
			notFound + `namespace "aws-observability" has no label aws-observability=enabled`},
		{output, "enabled", "LoggingEnabled", "Normal LoggingEnabled Successfully enabled logging for pod"},
		{"[OUTPUT]\n    Name s3\n", "enabled", "LoggingDisabled: LOGGING_CONFIGMAP_INVALID", "Warning LoggingDisabled Disabled logging for pod " +
			"due to invalid configmap. s3 is not a supported output plugin. Please fix the logging configmap"},
	} {
		client := fake.NewClientset()
		if c.config != "" {
			client = fake.NewClientset(&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "aws-observability",
				Name: "aws-logging"}, Data: map[string]string{"output.conf": c.config, "other": "x"}},
				&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "aws-observability", Labels: map[string]string{"aws-observability": c.label}}})
		}
		client.PrependReactor("create", "pods", func(action kubetesting.Action) (bool, runtime.Object, error) {
			return action.GetSubresource() == "binding", &corev1.Binding{}, nil
		})
		cluster := with(client, client, client)
		var kept []map[string]string
		cluster.logging = Logging{Region: "us-east-1", Keep: func(_ context.Context, node string, config map[string]string) error {
			if kept = append(kept, config); node != "n" || len(client.Actions()) != 2 {
				t.Errorf("kept for %s after %v", node, client.Actions())
			}
			return nil
		}}
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
		if want := []string{c.event, "Normal Scheduled Successfully assigned web/p to n"}; !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
		if want := map[string]string{"output.conf": output}; (len(kept) == 1 && cmp.Equal(kept[0], want)) != (c.logging == "LoggingEnabled") {
			t.Errorf("of %s kept %q", c.logging, kept)
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
