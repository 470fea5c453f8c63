package kubeletapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kwok/kustomize/metrics/usage"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"

	"tripod/nodes/kwokusage"
	"tripod/nodes/podset"
)

// paths are those that a Prometheus scrapes.
var paths = []string{"/metrics", "/metrics/cadvisor", "/metrics/probes", "/metrics/resource"}

// BenchmarkScrape is what each path of a node with 20 pods costs.
func BenchmarkScrape(b *testing.B) {
	handler := newBenchWorld(b, 350, nil).Handler()
	for _, path := range append([]string{"/stats/summary"}, paths...) {
		b.Run(path, func(b *testing.B) {
			for b.Loop() {
				answer := newDiscard()
				handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "https://n1"+path, nil))
				b.SetBytes(answer.bytes)
			}
		})
	}
}

// BenchmarkScrapeOfAThousandNodes is all paths of 1,000 nodes with 20,000 pods, one after the other, and the memory beyond the
// pods themselves.
func BenchmarkScrapeOfAThousandNodes(b *testing.B) {
	for name, annotations := range map[string]map[string]string{
		"constant": nil, "sine": {podset.CPUAnnotation: "sine(100m..400m, 10m)"}, "noise": {podset.CPUAnnotation: "noise(100m..400m, 10s)"},
		"expression": {"kwok.x-k8s.io/usage": "1"},
	} {
		b.Run(name, func(b *testing.B) {
			w := newBenchWorld(b, 1000, annotations)
			if name == "expression" {
				o := &v1alpha1.ClusterResourceUsage{}
				if err := yaml.Unmarshal([]byte(usage.DefaultUsageFromAnnotation), o); err != nil {
					b.Fatal(err)
				}
				w.Declare(func(s *kwokusage.Set) kwokusage.Change {
					return s.ReadClusterResourceUsages([]*v1alpha1.ClusterResourceUsage{o})
				})
			}
			handler := w.Handler()
			before, used := heapInUse(), processorTime(b)
			var bytes, most int64
			for b.Loop() {
				bytes = 0
				for i := range 1000 {
					for _, path := range paths {
						answer := newDiscard()
						handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, fmt.Sprintf("https://n%d%s", i+1, path), nil))
						bytes += answer.bytes
					}
				}
				most = max(most, heapInUse()-before)
				w.now = w.now.Add(30 * time.Second)
			}
			b.ReportMetric((processorTime(b)-used).Seconds()/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(bytes)/1e6, "MB")
			b.ReportMetric(float64(most)/(1<<20), "MiB-heap")
		})
	}
}

// discard is an answer whose bytes go nowhere.
type discard struct {
	header http.Header
	bytes  int64
}

func newDiscard() *discard                        { return &discard{header: http.Header{}} }
func (c *discard) Header() http.Header            { return c.header }
func (c *discard) WriteHeader(int)                {}
func (c *discard) Write(text []byte) (int, error) { c.bytes += int64(len(text)); return len(text), nil }

// processorTime is what the test has used: of a machine with other work, the time says little.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func heapInUse() int64 {
	var m goruntime.MemStats
	goruntime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// newBenchWorld is a world with so many nodes of 20 pods each.
func newBenchWorld(b *testing.B, nodes int, annotations map[string]string) *world {
	w := newWorld(b, func(c *Config) {
		one, _ := c.Node("n1")
		c.Node = func(name string) (Node, bool) {
			n := one
			n.Name = name
			return n, true
		}
		c.Object = func(name string) *corev1.Node { return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }
		c.KWOK = &kwokusage.Set{}
	})
	for i := range 20 * nodes {
		pod := newPod(fmt.Sprint("web-", i), annotations, requests("500m", "256Mi"))
		pod.Spec.NodeName = fmt.Sprint("n", 1+i/20)
		pod.Status.PodIP = fmt.Sprintf("10.%d.%d.%d", i/62500, i/250%250, i%250)
		w.conf.Pods.Set(pod)
	}
	w.now = began.Add(time.Hour)
	return w
}
