package kubeletapi

import (
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kwok/kustomize/metrics/resource"
	"sigs.k8s.io/kwok/kustomize/metrics/usage"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"

	"tripod/nodes/kwokusage"
	"tripod/nodes/podset"
)

// declaring is a world whose node n1 has an object, and whose cluster has objects of KWOK's.
func declaring(t *testing.T) (w *world, told *[]string) {
	told = &[]string{}
	return newWorld(t, func(c *Config) {
		c.Object = func(name string) *corev1.Node { return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}} }
		c.KWOK = &kwokusage.Set{Tell: func(_ *corev1.Pod, wrong string) { *told = append(*told, wrong) }}
	}), told
}

func clusterUsage(t *testing.T, text string) func(*kwokusage.Set) kwokusage.Change {
	t.Helper()
	o := &v1alpha1.ClusterResourceUsage{}
	if err := yaml.Unmarshal([]byte(text), o); err != nil {
		t.Fatal(err)
	}
	return func(s *kwokusage.Set) kwokusage.Change {
		return s.ReadClusterResourceUsages([]*v1alpha1.ClusterResourceUsage{o})
	}
}

// everyone uses cpu, by an expression.
func everyone(t *testing.T, cpu string) func(*kwokusage.Set) kwokusage.Change {
	return clusterUsage(t, "{metadata: {name: all}, spec: {usages: [{usage: {cpu: {expression: '"+cpu+"'}, memory: {value: 100Mi}}}]}}")
}

func TestUseIsWhatTheMostSpecialDeclarationSays(t *testing.T) {
	w, _ := declaring(t)
	w.Declare(everyone(t, `Quantity("300m")`))
	for _, test := range []struct {
		annotations map[string]string
		milliCores  uint64
		mebibytes   uint64
	}{
		{map[string]string{podset.CPUAnnotation: "100m", podset.KWOKCPUAnnotation: "200m", podset.MemoryAnnotation: "1Mi"}, 100, 1},
		{map[string]string{podset.KWOKCPUAnnotation: "200m", podset.KWOKMemoryAnnotation: "64Mi"}, 200, 64},
		{map[string]string{podset.CPUAnnotation: "much"}, 300, 100},
		{nil, 300, 100},
	} {
		pod := newPod("web", test.annotations, requests("500m", "256Mi"))
		got := w.usage.of(pod, &pod.Status.ContainerStatuses[0], w.now)
		if got.nanoCores != test.milliCores*1e6 || got.memory != test.mebibytes<<20 {
			t.Errorf("%v: got %+v", test.annotations, got)
		}
	}
}

// An expression may ask for what else is declared of its pod.
func TestExpressionsAskForOtherUseOfTheirPod(t *testing.T) {
	w, told := declaring(t)
	w.Declare(clusterUsage(t, `{metadata: {name: all}, spec: {usages: [{usage: {gpu: {value: 2}, memory: {value: 1Gi},
		cpu: {expression: 'pod.Usage("memory") / 1073741824.0 + pod.Usage("gpu", "c") + pod.Usage("disk")'}}}]}}`))
	pod := newPod("web", nil)
	if got := w.usage.of(pod, &pod.Status.ContainerStatuses[0], w.now); got.nanoCores != 3e9 || len(*told) > 0 {
		t.Errorf("got %+v, told %q", got, *told)
	}
	w.Declare(everyone(t, `node.Usage("cpu")`))
	if got := w.usage.of(pod, &pod.Status.ContainerStatuses[0], w.now); got.nanoCores != 1e6 || len(*told) != 1 ||
		!strings.Contains((*told)[0], "only that pod's Usage is known") {
		t.Errorf("got %+v, told %q", got, *told)
	}
}

// Expressions that ask for each other ever so often hold nobody up: not the nodes, whose pods change, and not who deletes them.
func TestExpressionsThatAskForEachOtherHoldNobodyUp(t *testing.T) {
	w, told := declaring(t)
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 40), ",") + "]"
	asking := func(resource string) string {
		return fmt.Sprintf("{expression: '%s.all(a, %s.all(b, pod.Usage(\"%s\") >= 0.0)) ? 1.0 : 2.0'}", list, list, resource)
	}
	declare := clusterUsage(t, fmt.Sprintf("{metadata: {name: all}, spec: {usages: [{usage: {cpu: %s, b: %s, c: %s, d: {value: 1}}}]}}",
		asking("b"), asking("c"), asking("d")))
	w.conf.Pods.Set(newPod("web", nil))
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Declare(declare)
		w.now = w.now.Add(time.Hour)
		for i := range 3 {
			w.conf.Pods.Set(newPod("web", map[string]string{"version": fmt.Sprint(i)}))
		}
		w.Declare(func(s *kwokusage.Set) kwokusage.Change { return s.ReadClusterResourceUsages(nil) })
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("they hold others up")
	}
	const want = "ClusterResourceUsage all: cpu counts as not said: its expressions, with those that they ask for"
	if !strings.Contains(strings.Join(*told, "\n"), want) {
		t.Errorf("told %q", *told)
	}
}

// counted asks for pod web's counter and rate every step, and holds against each other what they say.
func counted(t *testing.T, w *world, step time.Duration, steps int) {
	t.Helper()
	n, _ := w.conf.Node("n1")
	var last measured
	for range steps {
		m := w.measure(n, w.now)
		if len(last.pods) > 0 {
			got, want := seconds(m.pods[0].use.coreNanos-last.pods[0].use.coreNanos), seconds(last.pods[0].use.nanoCores)*step.Seconds()
			if m.pods[0].use.coreNanos < last.pods[0].use.coreNanos || math.Abs(got-want) > 1e-6 {
				t.Fatalf("at %v: %v core-seconds, want %v", w.now, got, want)
			}
		}
		last, w.now = m, w.now.Add(step)
	}
}

func TestCountersAreTheSumsOfWhatExpressionsSay(t *testing.T) {
	w, told := declaring(t)
	w.conf.Pods.Set(newPod("web", nil))
	w.Declare(everyone(t, `Quantity("100m")`))
	w.now = began.Add(time.Minute)
	before, _ := w.used(t)
	w.Declare(everyone(t, `Quantity("2")`)) // from now on
	if after, _ := w.used(t); after != before {
		t.Errorf("%v core-seconds, and after the change %v", before, after)
	}
	counted(t, w, 7*time.Second, 10)
	w.now = w.now.Truncate(slot).Add(slot)
	w.Declare(everyone(t, `int(UnixSecond(Now())) % 60 < 30 ? 1.0 : 0.25`))
	counted(t, w, 5*time.Second, 30)
	a, _ := w.used(t)
	w.now = w.now.Add(20 * time.Minute) // nobody asks
	b, _ := w.used(t)
	if got := b - a; math.Abs(got-20*60*0.625) > 1e-6 {
		t.Errorf("%v core-seconds in 20 minutes", got)
	}
	w.Declare(everyone(t, `Rand()`))
	counted(t, w, slot/3, 30)
	w.Declare(func(s *kwokusage.Set) kwokusage.Change { return s.ReadClusterResourceUsages(nil) })
	counted(t, w, time.Second, 3)
	if len(*told) > 0 {
		t.Errorf("told %q", *told)
	}
}

func TestCountersAreTheIntegralsOfCurves(t *testing.T) {
	for text, steps := range map[string]time.Duration{
		"steps(100m for 1m, 2 for 30s)": 10 * time.Second, "noise(100m..400m, 10s)": 5 * time.Second,
	} {
		w := newWorld(t)
		w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: text}))
		counted(t, w, steps, 100)
	}
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "sine(100m..400m, 10m)"}))
	from, _ := w.used(t)
	w.now = w.now.Add(5 * time.Minute)
	half, _ := w.used(t)
	w.now = w.now.Add(5 * time.Minute)
	if to, _ := w.used(t); math.Abs(to-from-150) > 1e-6 || math.Abs(half-from-75) > 1e-6 {
		t.Errorf("%v core-seconds in 5 minutes, %v in 10", half-from, to-from)
	}
}

// KWOK's own configurations, as it ships them, give what KWOK's metrics-server example asks for.
func TestKWOKsOwnConfigurationsAreTaken(t *testing.T) {
	w, told := declaring(t)
	w.conf.Pods.Set(newPod("web", map[string]string{"kwok.x-k8s.io/usage-cpu": "250m", "kwok.x-k8s.io/usage-memory": "10Mi"}))
	w.conf.Pods.Set(newPod("idle", nil))
	w.Declare(clusterUsage(t, usage.DefaultUsageFromAnnotation))
	w.Declare(func(s *kwokusage.Set) kwokusage.Change {
		metric := &v1alpha1.Metric{}
		if err := yaml.Unmarshal([]byte(resource.DefaultMetricsResource), metric); err != nil {
			t.Fatal(err)
		}
		return s.ReadMetrics([]*v1alpha1.Metric{metric})
	})
	w.now = began.Add(10 * time.Second)
	families := w.families(t, "/metrics/nodes/n1/metrics/resource")
	for name, want := range map[string]map[string]float64{
		"scrape_error":                       {"": 0},
		"container_cpu_usage_seconds_total":  {"container=c,namespace=default,pod=web": 2.52, "container=c,namespace=default,pod=idle": 0.03},
		"container_memory_working_set_bytes": {"container=c,namespace=default,pod=web": 10 << 20},
		"pod_cpu_usage_seconds_total":        {"namespace=default,pod=web": 2.52},
		"pod_memory_working_set_bytes":       {"namespace=default,pod=web": 10 << 20},
		"node_memory_working_set_bytes":      {"": 391 << 20},
	} {
		all := series(families[name])
		for labels, value := range want {
			if got, found := all[labels]; !found || math.Abs(got-value) > 1e-6 {
				t.Errorf("%s{%s}: got %v of %v, want %v", name, labels, got, all, value)
			}
		}
	}
	if status, body := w.get(t, "/metrics/nodes/n2/metrics/resource"); status != http.StatusNotFound {
		t.Errorf("another node's: %d %s", status, body)
	}
	if status, body := w.get(t, "/metrics/other"); status != http.StatusNotFound || !strings.Contains(body, "has no /metrics/other") {
		t.Errorf("nobody's: %d %s", status, body)
	}
	if len(*told) > 0 {
		t.Errorf("told %q", *told)
	}
}

// Scrapes, changes of pods and of what is declared come at the same time, and none waits for another for ever.
func TestScrapesAndDeclarationsDoNotHoldEachOtherUp(t *testing.T) {
	w, _ := declaring(t)
	handler := w.Handler()
	expressions := []func(*kwokusage.Set) kwokusage.Change{
		everyone(t, `pod.Usage("memory") > 0.0 ? Rand() : 0.5`), everyone(t, `pod.nothing`), everyone(t, `pod.Usage("cpu")`),
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range 50 {
				switch i {
				case 0:
					w.Declare(expressions[j%len(expressions)])
				case 1:
					w.conf.Pods.Set(newPod(fmt.Sprint("web-", j%5), map[string]string{"version": fmt.Sprint(j)}))
				default:
					path := paths[j%len(paths)]
					handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "https://n1"+path, nil))
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("they wait for each other")
	}
}
