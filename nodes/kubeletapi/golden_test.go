package kubeletapi

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"tripod/nodes/podset"
)

var update = flag.Bool("update", false, "write the lists of metrics into testdata")

// TestFamiliesAreAKubelets holds what each path tells against a list of families: names, types, labels and help as a kubelet of
// Kubernetes v1.37 has them. Those that kubernetes-mixin's rules and dashboards read are all there.
func TestFamiliesAreAKubelets(t *testing.T) {
	w := newWorld(t)
	limited := func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("500m"), "memory": resource.MustParse("1Gi")}
		p.Spec.Containers[0].LivenessProbe = &corev1.Probe{PeriodSeconds: 10}
		p.Spec.Volumes = []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}},
			{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-0"}}},
		}
	}
	pending := newPod("web", nil, limited, func(p *corev1.Pod) { p.Status.ContainerStatuses = nil })
	w.conf.Pods.Set(pending)
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "1"}, limited))
	w.conf.Pods.Set(newPod("job", nil))
	w.conf.Pods.Set(newPod("job", nil, func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed"}}
		p.Status.Reason, p.Status.Message = "Evicted", "The node was low on resource: memory."
	}))
	w.Asked("n1", "GET", 200)
	w.Synced("n1", time.Millisecond)
	w.now = began.Add(time.Minute)
	for _, path := range []string{"/metrics", "/metrics/cadvisor", "/metrics/probes", "/metrics/resource"} {
		var list strings.Builder
		families := w.families(t, path)
		for _, name := range slices.Sorted(maps.Keys(families)) {
			f := families[name]
			labels := map[string]bool{}
			for _, m := range f.GetMetric() {
				for _, l := range m.GetLabel() {
					labels[l.GetName()] = true
				}
			}
			fmt.Fprintf(&list, "%s %s {%s} %s\n", name, strings.ToLower(f.GetType().String()),
				strings.Join(slices.Sorted(maps.Keys(labels)), ","), f.GetHelp())
		}
		file := filepath.Join("testdata", strings.ReplaceAll(path[1:], "/", "-")+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(list.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || list.String() != string(want) {
			t.Errorf("%s is not as %s has it (%v); -update writes it:\n%s", path, file, err, list.String())
		}
	}
}

func TestThrottlingIsWhatIsWantedBeyondTheLimit(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", map[string]string{podset.CPUAnnotation: "steps(250m for 1m, 1 for 1m)"}, func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"cpu": resource.MustParse("500m")}
	}))
	w.now = began.Add(10 * time.Minute)
	families := w.families(t, "/metrics/cadvisor")
	for name, want := range map[string]float64{
		"container_cpu_cfs_periods_total": 6000, "container_cpu_cfs_throttled_periods_total": 3000,
		"container_cpu_cfs_throttled_seconds_total": 150, "container_spec_cpu_quota": 50_000,
	} {
		for labels, got := range series(families[name]) {
			if got < want-1 || got > want {
				t.Errorf("%s{%s}: got %v, want %v", name, labels, got, want)
			}
		}
	}
}

func TestWhatBeganAndEndedIsCounted(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("old", nil)) // runs already when the kubelet starts
	set := func(change func(*corev1.Pod)) {
		p := newPod("web", nil)
		p.CreationTimestamp = p.Status.ContainerStatuses[0].State.Running.StartedAt
		change(p)
		w.conf.Pods.Set(p)
	}
	set(func(p *corev1.Pod) { p.Status.ContainerStatuses = nil })
	w.now = began.Add(2 * time.Second)
	set(func(*corev1.Pod) {})
	set(func(p *corev1.Pod) {
		s := &p.Status.ContainerStatuses[0]
		s.RestartCount = 1
		s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}
	})
	families := w.families(t, "/metrics")
	for name, want := range map[string]map[string]float64{
		"kubelet_started_pods_total":          {"": 1},
		"kubelet_started_containers_total":    {"container_type=container": 2},
		"kubelet_terminated_containers_total": {"container_type=container,exit_code=137,reason=OOMKilled": 1},
		"kubelet_running_pods":                {"": 2},
	} {
		if got := series(families[name]); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	h := families["kubelet_pod_start_sli_duration_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 1 || h.GetSampleSum() != 2 {
		t.Errorf("start of pods: %v", h)
	}
}

func TestProbesGoOnCountingOverRestartsAndReadiness(t *testing.T) {
	w := newWorld(t)
	set := func(started time.Time, ready bool) {
		w.conf.Pods.Set(newPod("web", nil, func(p *corev1.Pod) {
			p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{PeriodSeconds: 10}
			p.Status.ContainerStatuses = []corev1.ContainerStatus{running("c", started)}
			p.Status.ContainerStatuses[0].Ready = ready
		}))
	}
	want := func(successful, failed float64) {
		t.Helper()
		const labels = "container=c,namespace=default,pod=web,pod_uid=uid-web,probe_type=Readiness,result="
		if got := series(w.families(t, "/metrics/probes")["prober_probe_total"]); got[labels+"successful"] != successful ||
			got[labels+"failed"] != failed {
			t.Errorf("at %v: got %v, want %v and %v", w.now.Sub(began), got, successful, failed)
		}
	}
	set(began, true)
	w.now = began.Add(25 * time.Second)
	want(3, 0)
	set(began, false)
	w.now = began.Add(45 * time.Second)
	want(3, 2)
	set(began, true)
	w.now = began.Add(65 * time.Second)
	want(5, 2)
	set(w.now, true) // restarted
	want(5, 2)
	w.now = w.now.Add(10 * time.Second)
	want(7, 2)
}
