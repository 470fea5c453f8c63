package kubeletapi

import (
	"net/http"
	"time"
)

// metricsOf answers with what render makes of the node.
func (a *API) metricsOf(render func(*exposition, measured)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		n, ok := a.nodeOf(w, r)
		if !ok {
			return
		}
		m := a.measure(n, a.conf.Now())
		expose(w, func(e *exposition) { render(e, m) })
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
	none := func(measuredContainer) float64 { return 0 } // nodes have no swap
	containers("container_swap_limit_bytes", "gauge",
		"[ALPHA] Current amount of the container swap limit in bytes. Reported only on non-windows systems", m.at, none)
	containers("container_swap_usage_bytes", "gauge",
		"[ALPHA] Current amount of the container swap usage in bytes. Reported only on non-windows systems", m.at, none)
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
	e.family("resource_scrape_error", "gauge", "[STABLE] 1 if there was an error while getting container metrics, 0 otherwise")
	e.add("resource_scrape_error", 0, time.Time{})
	e.family("scrape_error", "gauge",
		"[ALPHA] (Deprecated since 1.29.0) 1 if there was an error while getting container metrics, 0 otherwise")
	e.add("scrape_error", 0, time.Time{})
}
