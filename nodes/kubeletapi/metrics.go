package kubeletapi

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podset"
)

// exposition is metrics in Prometheus' text format.
type exposition struct{ strings.Builder }

// family begins one; kind is "counter" or "gauge".
func (e *exposition) family(name, kind, help string) {
	fmt.Fprintf(e, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind)
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// add is one series; labels are name, value, name, value, ... in the order of the names. at is its time, or zero.
func (e *exposition) add(name string, value float64, at time.Time, labels ...string) {
	e.WriteString(name)
	for i := 0; i < len(labels); i += 2 {
		separator := ","
		if i == 0 {
			separator = "{"
		}
		e.WriteString(separator + labels[i] + `="` + escapeLabel.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		e.WriteByte('}')
	}
	e.WriteByte(' ')
	e.WriteString(strconv.FormatFloat(value, 'g', -1, 64))
	if !at.IsZero() {
		e.WriteByte(' ')
		e.WriteString(strconv.FormatInt(at.UnixMilli(), 10))
	}
	e.WriteByte('\n')
}

func (e *exposition) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
	w.Write([]byte(e.String()))
}

func seconds(nanos uint64) float64 { return float64(nanos) / 1e9 }

// unixSeconds is exact to the nanosecond in what a float64 has left.
func unixSeconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

// metricsOf answers with what render makes of the node.
func (a *API) metricsOf(render func(*exposition, measured)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, ok := a.nodeOf(w, r)
		if !ok {
			return
		}
		e := &exposition{}
		render(e, a.measure(n, a.conf.Now()))
		e.write(w)
	}
}

// resourceMetrics are those of the kubelet's collector (pkg/kubelet/metrics/collectors/resource_metrics.go), which
// metrics-server scrapes.
func resourceMetrics(e *exposition, m measured) {
	containers := func(name, kind, help string, at time.Time, value func(measuredContainer) float64) {
		e.family(name, kind, help)
		for _, p := range m.pods {
			for _, c := range p.containers {
				e.add(name, value(c), at, "container", c.name, "namespace", p.pod.Namespace, "pod", p.pod.Name)
			}
		}
	}
	pods := func(name, kind, help string, value func(measuredPod) float64) {
		e.family(name, kind, help)
		for _, p := range m.pods {
			e.add(name, value(p), m.at, "namespace", p.pod.Namespace, "pod", p.pod.Name)
		}
	}
	containers("container_cpu_usage_seconds_total", "counter",
		"[STABLE] Cumulative cpu time consumed by the container in core-seconds", m.at,
		func(c measuredContainer) float64 { return seconds(c.use.coreNanos) })
	containers("container_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the container in bytes", m.at,
		func(c measuredContainer) float64 { return float64(c.use.memory) })
	containers("container_start_time_seconds", "gauge",
		"[STABLE] Start time of the container since unix epoch in seconds", time.Time{},
		func(c measuredContainer) float64 { return unixSeconds(c.started) })
	containers("container_swap_usage_bytes", "gauge",
		"[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems", m.at,
		func(measuredContainer) float64 { return 0 })
	e.family("node_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the node in core-seconds")
	e.add("node_cpu_usage_seconds_total", seconds(m.use.coreNanos), m.at)
	e.family("node_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the node in bytes")
	e.add("node_memory_working_set_bytes", float64(m.use.memory), m.at)
	e.family("node_swap_usage_bytes", "gauge",
		"[ALPHA] Current swap usage of the node in bytes. Reported only on non-windows systems")
	e.add("node_swap_usage_bytes", 0, m.at)
	pods("pod_cpu_usage_seconds_total", "counter", "[STABLE] Cumulative cpu time consumed by the pod in core-seconds",
		func(p measuredPod) float64 { return seconds(p.use.coreNanos) })
	pods("pod_memory_working_set_bytes", "gauge", "[STABLE] Current working set of the pod in bytes",
		func(p measuredPod) float64 { return float64(p.use.memory) })
	pods("pod_swap_usage_bytes", "gauge",
		"[ALPHA] Current amount of the pod swap usage in bytes. Reported only on non-windows systems",
		func(measuredPod) float64 { return 0 })
	for _, name := range []string{"resource_scrape_error", "scrape_error"} {
		stability := map[string]string{"resource_scrape_error": "STABLE", "scrape_error": "ALPHA"}[name]
		e.family(name, "gauge", "["+stability+"] 1 if there was an error while getting container metrics, 0 otherwise")
		e.add(name, 0, time.Time{})
	}
}

// cadvisorMetrics are those of cAdvisor's that dashboards read.
func cadvisorMetrics(e *exposition, m measured) {
	families := []struct {
		name, kind, help string
		extra            []string // labels
		value            func(measuredPod, measuredContainer) (float64, bool)
	}{
		{"container_cpu_usage_seconds_total", "counter", "Cumulative cpu time consumed in seconds.", []string{"cpu", "total"},
			func(_ measuredPod, c measuredContainer) (float64, bool) { return seconds(c.use.coreNanos), true }},
		{"container_memory_working_set_bytes", "gauge", "Current working set in bytes.", nil,
			func(_ measuredPod, c measuredContainer) (float64, bool) { return float64(c.use.memory), true }},
		{"container_memory_usage_bytes", "gauge", "Current memory usage in bytes, including all memory regardless of when it " +
			"was accessed", nil,
			func(_ measuredPod, c measuredContainer) (float64, bool) {
				return float64(c.use.memory + c.use.memory/8), true
			}},
		{"container_memory_rss", "gauge", "Size of RSS in bytes.", nil,
			func(_ measuredPod, c measuredContainer) (float64, bool) { return float64(c.use.memory * 3 / 4), true }},
		{"container_start_time_seconds", "gauge", "Start time of the container since unix epoch in seconds.", nil,
			func(_ measuredPod, c measuredContainer) (float64, bool) { return unixSeconds(c.started), true }},
		{"container_spec_cpu_quota", "gauge", "CPU quota of the container.", nil,
			func(p measuredPod, c measuredContainer) (float64, bool) {
				limit, ok := limitOf(p.pod, c.name, corev1.ResourceCPU)
				return limit * 100_000, ok
			}},
		{"container_spec_memory_limit_bytes", "gauge", "Memory limit for the container.", nil,
			func(p measuredPod, c measuredContainer) (float64, bool) {
				limit, _ := limitOf(p.pod, c.name, corev1.ResourceMemory)
				return limit, true
			}},
		{"container_oom_events_total", "counter", "Count of out of memory events observed for the container", nil,
			func(p measuredPod, c measuredContainer) (float64, bool) { return oomKills(p.pod, c.name), true }},
	}
	for _, f := range families {
		e.family(f.name, f.kind, f.help)
		for _, p := range m.pods {
			for _, c := range p.containers {
				if value, ok := f.value(p, c); ok {
					e.add(f.name, value, m.at, cadvisorLabels(p.pod, c, f.extra)...)
				}
			}
		}
		if f.name == "container_cpu_usage_seconds_total" {
			e.add(f.name, seconds(m.use.coreNanos), m.at, "container", "", "cpu", "total", "id", "/", "image", "", "name", "",
				"namespace", "", "pod", "")
		}
		if f.name == "container_memory_working_set_bytes" {
			e.add(f.name, float64(m.use.memory), m.at, "container", "", "id", "/", "image", "", "name", "", "namespace", "", "pod", "")
		}
	}
	network := func(name string, value func(measuredPod) uint64) {
		e.family(name, "counter", "Cumulative count of bytes on the pod's network interface")
		for _, p := range m.pods {
			e.add(name, float64(value(p)), m.at, "container", "", "id", podGroup(p.pod), "image", "", "interface", "eth0", "name", "",
				"namespace", p.pod.Namespace, "pod", p.pod.Name)
		}
	}
	network("container_network_receive_bytes_total", func(p measuredPod) uint64 { return p.in })
	network("container_network_transmit_bytes_total", func(p measuredPod) uint64 { return p.out })
	e.family("machine_cpu_cores", "gauge", "Number of logical CPU cores.")
	e.add("machine_cpu_cores", m.node.Capacity.Cpu().AsApproximateFloat64(), time.Time{})
	e.family("machine_memory_bytes", "gauge", "Amount of memory installed on the machine.")
	e.add("machine_memory_bytes", float64(m.node.Capacity.Memory().Value()), time.Time{})
}

// podGroup is the pod's control group.
func podGroup(pod *corev1.Pod) string {
	return "/kubepods.slice/kubepods-pod" + strings.ReplaceAll(string(pod.UID), "-", "_") + ".slice"
}

func cadvisorLabels(pod *corev1.Pod, c measuredContainer, extra []string) []string {
	_, id, _ := strings.Cut(c.id, "://")
	labels := append([]string{"container", c.name}, extra...)
	return append(labels, "id", podGroup(pod)+"/cri-containerd-"+id+".scope", "image", c.image, "name", id, "namespace",
		pod.Namespace, "pod", pod.Name)
}

func limitOf(pod *corev1.Pod, container string, name corev1.ResourceName) (float64, bool) {
	if c := podset.Container(pod, container); c != nil {
		if q, ok := c.Resources.Limits[name]; ok {
			return q.AsApproximateFloat64(), true
		}
	}
	return 0, false
}

// oomKills are those that the status still tells of.
func oomKills(pod *corev1.Pod, container string) float64 {
	if s := podset.Status(pod, container); s != nil && s.LastTerminationState.Terminated != nil &&
		s.LastTerminationState.Terminated.Reason == "OOMKilled" {
		return 1
	}
	return 0
}

// kubeletMetrics are those of the kubelet itself that say how it is.
func (a *API) kubeletMetrics(e *exposition, m measured) {
	gauge := func(name, help string, value float64, labels ...string) {
		e.family(name, "gauge", help)
		e.add(name, value, time.Time{}, labels...)
	}
	gauge("kubelet_node_name", "[ALPHA] The node's name. The count is always 1.", 1, "node", m.node.Name)
	gauge("kubelet_running_pods", "[ALPHA] Number of pods that have a running pod sandbox", float64(len(m.pods)))
	states := map[string]int{}
	pods := a.conf.Pods.OfNode(m.node.Name)
	for _, pod := range pods {
		for _, s := range pod.Status.ContainerStatuses {
			switch {
			case s.State.Running != nil:
				states["running"]++
			case s.State.Terminated != nil:
				states["exited"]++
			default:
				states["created"]++
			}
		}
	}
	e.family("kubelet_running_containers", "gauge", "[ALPHA] Number of containers currently running")
	for _, state := range []string{"created", "exited", "running"} {
		e.add("kubelet_running_containers", float64(states[state]), time.Time{}, "container_state", state)
	}
	gauge("kubelet_desired_pods", "[ALPHA] The number of pods the kubelet is being instructed to run. static is true if the "+
		"pod is not from the apiserver.", float64(len(pods)), "static", "")
	gauge("kubernetes_build_info", "[ALPHA] A metric with a constant '1' value labeled by the kubelet's version.", 1,
		"git_version", m.node.Version, "platform", "linux/"+m.node.architecture())
	e.family("kubelet_volume_stats_capacity_bytes", "gauge", "[ALPHA] Capacity in bytes of the volume")
	for _, p := range m.pods {
		for _, v := range p.pod.Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				e.add("kubelet_volume_stats_capacity_bytes", rootDisk, time.Time{}, "namespace", p.pod.Namespace,
					"persistentvolumeclaim", v.PersistentVolumeClaim.ClaimName)
			}
		}
	}
	gauge("process_start_time_seconds", "[ALPHA] Start time of the process since unix epoch in seconds.",
		unixSeconds(m.node.Since))
	e.family("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.")
	e.add("process_cpu_seconds_total", seconds(systemUse(systemContainers[0].nanoCores, 0, m.at.Sub(m.node.Since)).coreNanos),
		time.Time{})
	gauge("process_resident_memory_bytes", "Resident memory size in bytes.", float64(systemContainers[0].memory))
}

// probeMetrics are how many probes have succeeded and failed: one each period since the container's start, and the
// readiness probes since the pod is not ready have failed.
func probeMetrics(e *exposition, m measured) {
	e.family("prober_probe_total", "counter", "[BETA] Cumulative number of a liveness, readiness or startup probe for a "+
		"container by result.")
	for _, p := range m.pods {
		for _, measured := range p.containers {
			c := podset.Container(p.pod, measured.name)
			if c == nil {
				continue
			}
			failingSince := m.at
			if s := podset.Status(p.pod, c.Name); s != nil && !s.Ready {
				failingSince = unreadySince(p.pod, measured.started)
			}
			add := func(kind, result string, n int) {
				if n > 0 {
					e.add("prober_probe_total", float64(n), time.Time{}, "container", c.Name, "namespace", p.pod.Namespace, "pod",
						p.pod.Name, "pod_uid", string(p.pod.UID), "probe_type", kind, "result", result)
				}
			}
			add("Liveness", "successful", probes(c.LivenessProbe, measured.started, m.at))
			good := probes(c.ReadinessProbe, measured.started, failingSince)
			add("Readiness", "successful", good)
			add("Readiness", "failed", probes(c.ReadinessProbe, measured.started, m.at)-good)
		}
	}
}

func unreadySince(pod *corev1.Pod, started time.Time) time.Time {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.ContainersReady && c.LastTransitionTime.After(started) {
			return c.LastTransitionTime.Time
		}
	}
	return started
}

// probes is how many of a kind there were from a container's start to a time.
func probes(p *corev1.Probe, started, until time.Time) int {
	if p == nil {
		return 0
	}
	period := time.Duration(max(1, p.PeriodSeconds)) * time.Second
	since := until.Sub(started) - time.Duration(p.InitialDelaySeconds)*time.Second
	if since <= 0 {
		return 0
	}
	return int(since/period) + 1
}
