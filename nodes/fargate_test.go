package nodes

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/internal/datadir"
	"tripod/nodes/boot"
	"tripod/nodes/kubeletapi"
	"tripod/nodes/logrouter"
	"tripod/nodes/machine"
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

// onFargate makes a configuration's first machine one of Fargate's.
func onFargate(config *Config) *machine.Machine {
	m := &config.Machines[0]
	m.InstanceID, m.Name, m.InstanceType = "0123456789-01/fargate-"+m.Name, "fargate-"+m.Name, ""
	m.Fargate = &object.FargateSize{MilliCPU: 250, MemoryMiB: 512, DiskGiB: 20}
	m.Boot = boot.Config{MaxPods: 1}
	return m
}

// The logs of a pod on Fargate are sent where its annotation says that it has logging, and what the region knows of that may come late.
func TestLogsOfPodsOnFargateAreSentWhereTheyHaveLogging(t *testing.T) {
	for _, test := range []struct {
		annotation string
		sent       bool
	}{{"LoggingEnabled", true}, {"LoggingDisabled: LOGGING_CONFIGMAP_NOT_FOUND", false}} {
		config, zoneDir, out := testConfig(1), t.TempDir(), &output{}
		m := onFargate(&config)
		config.NodeDir = func(id string) string { return datadir.NodeDir(zoneDir, id) }
		var asked atomic.Int32
		config.FargateLogs = func(instanceID, namespace, pod string) (*logrouter.Machine, error) {
			if instanceID != m.InstanceID || namespace != "default" || pod != "web" {
				t.Errorf("asked for %s, %s/%s", instanceID, namespace, pod)
			}
			if asked.Add(1) < 3 {
				return nil, errors.New("not yet")
			}
			return &logrouter.Machine{Outputs: map[string]logrouter.Output{"cloudwatch_logs.0": out}}, nil
		}
		pod := newPod("web", m.Name)
		pod.Annotations = map[string]string{kubeletapi.LogsAnnotation: "hello", "Logging": test.annotation}
		client := fake.NewClientset(pod)
		sim := startFake(t, config, client)
		waitPhase(t, client, "web", corev1.PodRunning)
		dir := datadir.NodeDir(zoneDir, m.InstanceID)
		if !test.sent {
			if _, err := os.Stat(dir); asked.Load() > 0 || err == nil {
				t.Errorf("%s: asked %d times, files %v", test.annotation, asked.Load(), err)
			}
			continue
		}
		eventually(t, "the record", func() (string, bool) {
			got := out.String()
			return got, strings.Contains(got, `"log":"hello"`) && strings.Contains(got, `"host":"`+m.Name+`"`)
		})
		if err := sim.Set(nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of its files", func() (string, bool) { _, err := os.Stat(dir); return "", errors.Is(err, os.ErrNotExist) })
	}
}
