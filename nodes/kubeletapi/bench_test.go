package kubeletapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
)

// BenchmarkResourceMetrics is what metrics-server asks a node with 20 pods every 15 s.
func BenchmarkResourceMetrics(b *testing.B) {
	handler := newBenchWorld(b).Handler()
	for b.Loop() {
		handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://n1/metrics/resource", nil))
	}
}

// newBenchWorld is a world whose node n1 has 20 of 7,000 pods.
func newBenchWorld(b *testing.B) *world {
	w := newWorld(b)
	for i := range 7000 {
		pod := newPod(fmt.Sprint("web-", i), nil, requests("500m", "256Mi"))
		pod.Spec.NodeName = fmt.Sprint("n", 1+i/20)
		pod.Status.PodIP = fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		w.conf.Pods.Set(pod)
	}
	return w
}
