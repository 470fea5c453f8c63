package kubeletapi

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"tripod/nodes/podhttp"
	"tripod/nodes/podlife"
	"tripod/nodes/podset"
)

// capacity is a node's.
var capacity = corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("8Gi")}

func TestDemandFollowsAnnotationsRequestsAndLimits(t *testing.T) {
	two := func(cpu ...string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "side"})
			for i, q := range cpu {
				p.Spec.Containers[i].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(q)}
			}
		}
	}
	limit := func(cpu, memory string) func(*corev1.Pod) {
		return func(p *corev1.Pod) {
			p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse(cpu),
				"memory": resource.MustParse(memory)}
		}
	}
	tests := []struct {
		name        string
		annotations map[string]string
		change      func(*corev1.Pod)
		milliCores  float64
		mebibytes   uint64
	}{
		{"nothing is said", nil, limit("1", "1Gi"), 1, 16},
		{"requests", nil, requests("500m", "256Mi"), 50, 128},
		{"declared", map[string]string{podset.CPUAnnotation: "250m", podset.MemoryAnnotation: "300Mi"}, requests("500m", "256Mi"), 250, 300},
		{"share of the request", map[string]string{podset.CPUAnnotation: "80%", podset.MemoryAnnotation: "150%"},
			requests("500m", "256Mi"), 400, 384},
		{"share of nothing", map[string]string{podset.CPUAnnotation: "80%"}, func(*corev1.Pod) {}, 1, 16},
		{"limit", map[string]string{podset.CPUAnnotation: "2", podset.MemoryAnnotation: "2Gi"}, limit("1", "1Gi"), 1000, 1024},
		{"of the container", map[string]string{podset.CPUAnnotation: "1", podset.CPUAnnotation + ".c": "100m"}, two(), 100, 16},
		{"evenly", map[string]string{podset.CPUAnnotation: "1", podset.MemoryAnnotation: "64Mi"}, two(), 500, 32},
		{"by requests", map[string]string{podset.CPUAnnotation: "1"}, two("300m", "100m"), 750, 16},
		{"what the other leaves", map[string]string{podset.CPUAnnotation: "1", podset.CPUAnnotation + ".side": "100m"}, two(), 1000, 16},
		{"memory of the container", map[string]string{podset.MemoryAnnotation: "64Mi", podset.MemoryAnnotation + ".c": "77Mi"}, two(), 1, 77},
		{"stress up to the limit", map[string]string{podlife.AnnotationFault: "cpu-stress=80,memory-stress=50"}, limit("1", "1Gi"), 800, 512},
		{"stress without a limit", map[string]string{podlife.AnnotationFault: "not-ready,memory-stress=25,cpu-stress=100"}, two(), 2000, 2048},
		{"stress that is less", map[string]string{podlife.AnnotationFault: "cpu-stress=1", podset.CPUAnnotation: "250m"}, two("1", "1"), 125, 16},
		{"unreadable", map[string]string{podset.CPUAnnotation: "much"}, requests("500m", "256Mi"), 50, 128},
	}
	a := newWorld(t).usage
	a.capacity = func(string) corev1.ResourceList { return capacity }
	for _, test := range tests {
		pod := newPod("web", test.annotations, test.change)
		got := a.of(pod, &pod.Status.ContainerStatuses[0], began)
		if math.Abs(float64(got.nanoCores)-test.milliCores*1e6) > 1 || got.memory != test.mebibytes<<20 {
			t.Errorf("%s: got %d ncores, %d bytes, want %vm, %d Mi", test.name, got.nanoCores, got.memory, test.milliCores, test.mebibytes)
		}
	}
	if err := usageError(newPod("web", map[string]string{podset.CPUAnnotation: "much"})); err == nil ||
		!strings.Contains(err.Error(), `pod default/web: annotation tripod.internal/cpu must be a quantity like 250m`) {
		t.Errorf("got %v", err)
	}
}

// used is the CPU seconds of pod web's container and of the node.
func (w *world) used(t *testing.T) (container, node float64) {
	t.Helper()
	n, _ := w.conf.Node("n1")
	m := w.measure(n, w.now)
	for _, p := range m.pods {
		container += seconds(p.use.coreNanos)
	}
	return container, seconds(m.use.coreNanos)
}

func TestUseGrowsWithTimeAndAtOnceOtherwiseWhenAnnotated(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "100m"}))
	last, lastNode := 0.0, 0.0
	step := func(what string, d time.Duration, want float64) {
		t.Helper()
		w.now = w.now.Add(d)
		now, node := w.used(t)
		if math.Abs(now-last-want) > 1e-6 {
			t.Errorf("%s: %v core-seconds in %v, want %v", what, now-last, d, want)
		}
		if now, node := w.used(t); now < last || node < lastNode {
			t.Errorf("%s: counters fell: %v, %v", what, now-last, node-lastNode)
		}
		last, lastNode = now, node
	}
	step("starting costs", 0, 0.02)
	step("100m", 10*time.Second, 1)
	w.now = w.now.Add(10 * time.Second) // nobody asks
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "2"}))
	step("100m, then 2", 5*time.Second, 1+10)
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "50m"}))
	step("50m", 20*time.Second, 1)

	restarted := newPod("web", map[string]string{podset.CPUAnnotation: "50m"})
	restarted.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(w.now)
	w.conf.Pods.Set(restarted)
	container, node := w.used(t)
	if container > 0.1 || node < lastNode {
		t.Errorf("after a restart: container %v, node %v of %v", container, node, lastNode)
	}
	w.now = w.now.Add(10 * time.Second)
	_, lastNode = w.used(t)
	w.conf.Pods.Remove(restarted)
	if container, node := w.used(t); container != 0 || node < lastNode || len(w.usage.pods) != 0 {
		t.Errorf("after it went: container %v, node %v of %v", container, node, lastNode)
	}
	w.ForgetNode("n1")
	if len(w.usage.gone) != 0 {
		t.Error("what has ended on the node is kept")
	}
}

func TestUseFollowsTheRequestsThatAreAnswered(t *testing.T) {
	traffic := podhttp.Traffic{}
	w := newWorld(t)
	a := w.usage
	a.traffic = func(types.UID, time.Time) podhttp.Traffic { return traffic }
	pod := newPod("web", map[string]string{podset.CPUAnnotation: "100m", RequestCPUAnnotation: "5m"})
	now := began.Add(10 * time.Second)
	before := a.of(pod, &pod.Status.ContainerStatuses[0], now)
	traffic = podhttp.Traffic{Requests: 1000, PerSecond: 100}
	got := a.of(pod, &pod.Status.ContainerStatuses[0], now)
	if got.coreNanos-before.coreNanos != 5e9 || got.nanoCores != 600e6 {
		t.Errorf("1000 requests at 100/s: %+v after %+v", got, before)
	}
	cheaper := newPod("web", map[string]string{podset.CPUAnnotation: "100m", RequestCPUAnnotation: "1m"})
	a.changed(pod, cheaper, now)
	traffic.Requests = 1100
	if later := a.of(cheaper, &cheaper.Status.ContainerStatuses[0], now); later.coreNanos-got.coreNanos != 100e6 {
		t.Errorf("100 requests of 1m: %+v after %+v", later, got)
	}
}

func TestSummaryAddsUp(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", nil, requests("500m", "256Mi")))
	w.conf.Pods.Set(newPod("db", map[string]string{podset.CPUAnnotation: "1", podset.MemoryAnnotation: "1Gi"}, func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "side"})
		p.Status.ContainerStatuses = append(p.Status.ContainerStatuses, running("side", began))
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-0"}}}}
	}))
	w.now = began.Add(time.Minute)
	_, body := w.get(t, "/stats/summary")
	var s stats.Summary
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatal(err)
	}
	if s.Node.NodeName != "n1" || len(s.Pods) != 2 || s.Pods[0].PodRef.Name != "db" || len(s.Pods[0].Containers) != 2 {
		t.Fatalf("got %s", body)
	}
	cpu, memory := uint64(35e6), uint64(380<<20) // the system's
	for _, p := range s.Pods {
		podCPU, podMemory := uint64(0), uint64(0)
		for _, c := range p.Containers {
			podCPU, podMemory = podCPU+*c.CPU.UsageNanoCores, podMemory+*c.Memory.WorkingSetBytes
		}
		if podCPU != *p.CPU.UsageNanoCores || podMemory != *p.Memory.WorkingSetBytes {
			t.Errorf("pod %s: %d of %d, %d of %d", p.PodRef.Name, podCPU, *p.CPU.UsageNanoCores, podMemory, *p.Memory.WorkingSetBytes)
		}
		cpu, memory = cpu+podCPU, memory+podMemory
	}
	if cpu != *s.Node.CPU.UsageNanoCores || memory != *s.Node.Memory.WorkingSetBytes {
		t.Errorf("node: %d of %d, %d of %d", cpu, *s.Node.CPU.UsageNanoCores, memory, *s.Node.Memory.WorkingSetBytes)
	}
	if v := s.Pods[0].VolumeStats; len(v) != 1 || v[0].PVCRef.Name != "data-0" {
		t.Errorf("volumes: %v", v)
	}
	_, body = w.get(t, "/stats/summary?only_cpu_and_memory=true")
	if strings.Contains(body, "network") || !strings.Contains(body, "workingSetBytes") {
		t.Errorf("only CPU and memory: %s", body)
	}
}

// families asks for metrics and reads them as Prometheus does.
func (w *world) families(t *testing.T, path string) map[string]*dto.MetricFamily {
	t.Helper()
	status, body := w.get(t, path)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil || status != http.StatusOK {
		t.Fatalf("%s: %d, %v\n%s", path, status, err, body)
	}
	return families
}

// series are a family's labels and values, and of which pod web's is asked for alone.
func series(f *dto.MetricFamily) map[string]float64 {
	all := map[string]float64{}
	for _, m := range f.GetMetric() {
		var labels []string
		for _, l := range m.GetLabel() {
			labels = append(labels, l.GetName()+"="+l.GetValue())
		}
		all[strings.Join(labels, ",")] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	return all
}

func TestMetricsAreAsKubeletsHaveThem(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "500m", podset.MemoryAnnotation: "64Mi"}, func(p *corev1.Pod) {
		p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 10}
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{PeriodSeconds: 20, InitialDelaySeconds: 15}
	}))
	w.now = began.Add(time.Minute)
	tests := []struct {
		path, family, labels string
		want                 float64
	}{
		{"/metrics/resource", "container_cpu_usage_seconds_total", "container=c,namespace=default,pod=web", 30.02},
		{"/metrics/resource", "container_memory_working_set_bytes", "container=c,namespace=default,pod=web", 64 << 20},
		{"/metrics/resource", "container_start_time_seconds", "container=c,namespace=default,pod=web", float64(began.Unix())},
		{"/metrics/resource", "container_swap_usage_bytes", "container=c,namespace=default,pod=web", 0},
		{"/metrics/resource", "pod_cpu_usage_seconds_total", "namespace=default,pod=web", 30.02},
		{"/metrics/resource", "pod_memory_working_set_bytes", "namespace=default,pod=web", 64 << 20},
		{"/metrics/resource", "node_cpu_usage_seconds_total", "", 30.02 + 3*0.02 + 60*0.035},
		{"/metrics/resource", "node_memory_working_set_bytes", "", 444 << 20},
		{"/metrics/resource", "resource_scrape_error", "", 0},
		{"/metrics/resource", "scrape_error", "", 0},
		{"/metrics/cadvisor", "container_cpu_usage_seconds_total", "container=c,cpu=total," +
			"id=/kubepods.slice/kubepods-poduid_web.slice/cri-containerd-c.scope,image=app@sha256:0,name=c,namespace=default,pod=web", 30.02},
		{"/metrics/cadvisor", "machine_cpu_cores", "boot_id=,machine_id=,system_uuid=", 2},
		{"/metrics", "kubelet_node_name", "node=n1", 1},
		{"/metrics", "kubelet_running_pods", "", 1},
		{"/metrics", "kubelet_running_containers", "container_state=running", 1},
		{"/metrics", "kubernetes_build_info", "build_date=,compiler=gc,git_commit=,git_tree_state=clean,git_version=v1.36.2-eks-1," +
			"go_version=,major=1,minor=36,platform=linux/amd64", 1},
		{"/metrics/probes", "prober_probe_total",
			"container=c,namespace=default,pod=web,pod_uid=uid-web,probe_type=Readiness,result=successful", 7},
		{"/metrics/probes", "prober_probe_total",
			"container=c,namespace=default,pod=web,pod_uid=uid-web,probe_type=Liveness,result=successful", 3},
	}
	for _, test := range tests {
		all := series(w.families(t, test.path)[test.family])
		if got, found := all[test.labels]; !found || math.Abs(got-test.want) > 1e-6 {
			t.Errorf("%s %s{%s}: got %v of %v, want %v", test.path, test.family, test.labels, got, all, test.want)
		}
	}
	cpu := w.families(t, "/metrics/resource")["node_cpu_usage_seconds_total"]
	if at := cpu.GetMetric()[0].GetTimestampMs(); at != w.now.UnixMilli() {
		t.Errorf("the sample is of %d", at)
	}
}

// What metrics-server v0.9.0 makes of /metrics/resource (pkg/scraper/client/resource/decode.go): a pod is left out as a
// whole if one of its containers has used no CPU or no memory, and labels are found by text.
func TestMetricsServerFindsNewPods(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", nil))
	_, body := w.get(t, "/metrics/resource") // at the moment of its start
	for _, want := range []string{
		fmt.Sprintf("\ncontainer_cpu_usage_seconds_total{container=\"c\",namespace=\"default\",pod=\"web\"} 0.02 %d\n", began.UnixMilli()),
		fmt.Sprintf("\ncontainer_memory_working_set_bytes{container=\"c\",namespace=\"default\",pod=\"web\"} 1.6777216e+07 %d\n",
			began.UnixMilli()),
		"\ncontainer_start_time_seconds{container=\"c\",namespace=\"default\",pod=\"web\"} 1.7959392e+09\n",
		fmt.Sprintf("\nnode_cpu_usage_seconds_total 0.08 %d\n", began.UnixMilli()),
		fmt.Sprintf("\nnode_memory_working_set_bytes 4.1523609e+08 %d\n", began.UnixMilli())[:40],
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %q in\n%s", want, body)
		}
	}
}
