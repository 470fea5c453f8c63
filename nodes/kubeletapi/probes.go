package kubeletapi

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podset"
)

// probeMetrics are how many probes have succeeded and failed: one each period since the container's start, and the
// readiness probes since the pod is not ready have failed.
func probeMetrics(e *exposition, m measured) {
	processStart(e, m)
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
