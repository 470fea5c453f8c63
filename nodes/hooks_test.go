package nodes

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes/fake"
)

// Hooks by HTTP reach the pod that they are for.
func TestKubeletMakesTheRequestsOfHooks(t *testing.T) {
	handler := newPod("handler", firstNode(), pending, listens(8080))
	client := fake.NewClientset(handler)
	s := startFake(t, testConfig(1), client)
	eventually(t, "the handler is ready", func() (string, bool) {
		pod := s.current().pods.Pod("default", "handler")
		return "", pod != nil && len(pod.Status.ContainerStatuses) > 0 && pod.Status.ContainerStatuses[0].Ready
	})
	hook := func(path string) *corev1.LifecycleHandler {
		return &corev1.LifecycleHandler{HTTPGet: &corev1.HTTPGetAction{Host: getPod(t, client, "handler").Status.PodIP, Path: path,
			Port: intstr.FromInt32(8080), HTTPHeaders: []corev1.HTTPHeader{{Name: "X-Hook", Value: "yes"}}}}
	}
	requests := func() string {
		var lines []string
		for _, l := range s.current().http.Requests().Lines(handler.UID, "c") {
			lines = append(lines, l.Text)
		}
		return strings.Join(lines, "\n")
	}
	if _, err := client.CoreV1().Pods("default").Create(t.Context(), newPod("web", firstNode(), pending, func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{PostStart: hook("echo?msg=poststart"), PreStop: hook("/echo?msg=prestop")}
	}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the start is told", func() (string, bool) {
		return requests(), strings.Contains(requests(), `"GET /echo?msg=poststart HTTP/1.1" 200`) &&
			strings.Contains(requests(), "kube-lifecycle/1.36")
	})
	web := waitPhase(t, client, "web", corev1.PodRunning)
	web.DeletionTimestamp, web.DeletionGracePeriodSeconds = new(metav1.NewTime(time.Now())), new(int64(30))
	if _, err := client.CoreV1().Pods("default").Update(t.Context(), web, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the stop is told", func() (string, bool) {
		return requests(), strings.Contains(requests(), `"GET /echo?msg=prestop HTTP/1.1" 200`)
	})
}
