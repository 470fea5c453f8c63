package nodes

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/nodes/boot"
	"tripod/nodes/object"
)

func TestAPodOnFargateHasItsMachinesAddress(t *testing.T) {
	config := testConfig(1)
	m := &config.Machines[0]
	m.InstanceID = "0123456789-0123456789abcdef0123456789abcdef/fargate-" + m.Name
	m.Name, m.InstanceType = "fargate-"+m.Name, ""
	m.Fargate = &object.FargateSize{MilliCPU: 4000, MemoryMiB: 30 << 10, DiskGiB: 20}
	m.Boot = boot.Config{MaxPods: 1, Labels: map[string]string{"eks.amazonaws.com/compute-type": "fargate",
		corev1.LabelHostname: firstNode()}}
	client := fake.NewClientset(newPod("web", m.Name))
	startFake(t, config, client)
	pod := waitPhase(t, client, "web", corev1.PodRunning)
	if pod.Status.PodIP != m.Address.String() || pod.Status.HostIP != m.Address.String() {
		t.Errorf("pod %s on %s, want %s", pod.Status.PodIP, pod.Status.HostIP, m.Address)
	}
	node, err := client.CoreV1().Nodes().Get(t.Context(), m.Name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := "aws:///us-east-1a/" + m.InstanceID; node.Spec.ProviderID != want {
		t.Errorf("provider ID %s, want %s", node.Spec.ProviderID, want)
	}
	if got := node.Labels[corev1.LabelHostname]; got != firstNode() {
		t.Errorf("hostname %s, want %s", got, firstNode())
	}
	for _, label := range []string{corev1.LabelInstanceTypeStable, "beta.kubernetes.io/instance-type"} {
		if value, found := node.Labels[label]; found {
			t.Errorf("label %s=%s: Fargate's machines have no instance type", label, value)
		}
	}
}

func TestFargatesNodesAreAtLeastAsLargeAsTheirPods(t *testing.T) {
	for _, c := range []struct {
		given object.FargateSize
		want  map[corev1.ResourceName]string
	}{
		{object.FargateSize{MilliCPU: 250, MemoryMiB: 512, DiskGiB: 20}, map[corev1.ResourceName]string{
			corev1.ResourceCPU: "2", corev1.ResourceMemory: "4037540Ki", corev1.ResourcePods: "1"}},
		{object.FargateSize{MilliCPU: 4000, MemoryMiB: 30 << 10, DiskGiB: 175}, map[corev1.ResourceName]string{
			corev1.ResourceCPU: "4", corev1.ResourceMemory: "31300516Ki", corev1.ResourcePods: "1"}},
	} {
		s := fargateSize(c.given)
		got := map[corev1.ResourceName]string{}
		for name := range c.want {
			quantity := s.capacity()[name]
			got[name] = quantity.String()
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.given, diff)
		}
		free := s.allocatable(boot.Config{})
		if cpu := free[corev1.ResourceCPU]; cpu.String() != c.want[corev1.ResourceCPU] {
			t.Errorf("%v: allocatable cpu %s: nothing is reserved", c.given, cpu.String())
		}
	}
}
