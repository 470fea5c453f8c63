package nodes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func TestNodesAndPodsTellTheResourceMetricsAPIWhatTheyUse(t *testing.T) {
	client := fake.NewClientset(newPod("web", firstNode()))
	s := startFake(t, testConfig(1), client)
	waitPhase(t, client, "web", corev1.PodRunning)
	eventually(t, "the kubelet knows that web runs", func() (string, bool) {
		known := s.current().pods.Pod("default", "web")
		return "", known != nil && known.Status.Phase == corev1.PodRunning
	})
	read := s.readMetrics()
	if len(read) != 1 || read[0].Name != firstNode() || read[0].Labels[corev1.LabelHostname] != firstNode() || read[0].NanoCores != 36e6 ||
		read[0].At.Before(read[0].Since) || len(read[0].Pods) != 1 {
		t.Fatalf("got %+v", read)
	}
	pod := read[0].Pods[0]
	if pod.Pod.Name != "web" || len(pod.Containers) != 1 || pod.Containers[0].Name != "c" || pod.Containers[0].NanoCores != 1e6 ||
		pod.Containers[0].Memory != 16<<20 || pod.Containers[0].CoreNanos == 0 {
		t.Errorf("got %+v", pod)
	}
}

func TestNodesThatHaveStoppedTellNoMetrics(t *testing.T) {
	if got := New(testConfig(1)).readMetrics(); got != nil {
		t.Errorf("got %v", got)
	}
}
