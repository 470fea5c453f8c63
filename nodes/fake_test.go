package nodes

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/nodes/machine"
)

// testConfig is a zone's configuration whose API server nobody asks.
func testConfig(count int) Config {
	subnet := netip.MustParsePrefix("10.0.0.0/19")
	var machines []machine.Machine
	for i, addr := range machine.Addresses(subnet, "4F1E", "us-east-1a", count) {
		machines = append(machines, machine.Machine{InstanceID: machine.InstanceID("4F1E", "us-east-1a", i),
			Name: machine.Name("us-east-1", addr), Address: addr, Subnet: subnet, InstanceType: machine.DefaultType,
			Version: "v1.36.2-eks-3025e55"})
	}
	return Config{
		Zone: "us-east-1a", ZoneID: "use1-az1", Region: "us-east-1", ClusterID: "4F1E", Machines: machines, Server: "https://127.0.0.1:1",
		Token: func(context.Context, string) (string, error) { return "token", nil },
	}
}

// startFake starts a Simulator on client and stops it at the test's end.
func startFake(t *testing.T, c Config, client *fake.Clientset) *Simulator {
	t.Helper()
	s := New(c)
	s.pause = 10 * time.Millisecond
	s.newClients = func(Config, *roster) (*clients, error) {
		return &clients{calls: client, watches: client, reconnect: func() {}}, nil
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return s
}

// eventually polls ok until it is true, and fails with the last state it told otherwise.
func eventually(t *testing.T, what string, ok func() (state string, done bool)) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for {
		state, done := ok()
		if done {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s; last: %s", what, state)
		}
		<-time.After(5 * time.Millisecond)
	}
}

// newPod is a pod as the scheduler leaves it.
func newPod(name, node string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "nginx:1.27"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodPending},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

func getPod(t *testing.T, client *fake.Clientset, name string) *corev1.Pod {
	t.Helper()
	pod, err := client.CoreV1().Pods("default").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod
}

// waitPhase waits for a pod's phase and returns it then.
func waitPhase(t *testing.T, client *fake.Clientset, name string, phase corev1.PodPhase) *corev1.Pod {
	t.Helper()
	var pod *corev1.Pod
	eventually(t, fmt.Sprintf("pod %s is %s", name, phase), func() (string, bool) {
		pod = getPod(t, client, name)
		return string(pod.Status.Phase), pod.Status.Phase == phase
	})
	return pod
}

// firstNode is the name of testConfig's first node.
func firstNode() string { return testConfig(1).Machines[0].Name }
