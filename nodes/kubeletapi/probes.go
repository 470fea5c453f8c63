package kubeletapi

import (
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podset"
)

// probed are how many probes there have been: one each period since a container's start, and the readiness probes since it
// is not ready have failed. They follow from the status and the time; only when a container's readiness changes, or it starts
// anew, is there an entry, from which the numbers go on.
type probed struct {
	mu   sync.Mutex
	pods map[types.UID]map[string]probes // by container
}

// probes are those of a container until a time.
type probes struct {
	started, at                       time.Time
	startup, liveness, ready, unready int
}

func newProbed() *probed { return &probed{pods: map[types.UID]map[string]probes{}} }

func hasProbes(c *corev1.Container) bool {
	return c != nil && (c.StartupProbe != nil || c.LivenessProbe != nil || c.ReadinessProbe != nil)
}

// of are a running container's probes until now.
func (p *probed) of(pod *corev1.Pod, s *corev1.ContainerStatus, now time.Time) probes {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.locked(pod, s, now)
}

func (p *probed) locked(pod *corev1.Pod, s *corev1.ContainerStatus, now time.Time) probes {
	c, run := podset.Container(pod, s.Name), s.State.Running
	n := p.pods[pod.UID][s.Name]
	if !hasProbes(c) || run == nil {
		return n
	}
	if !n.started.Equal(run.StartedAt.Time) { // another run
		n.started, n.at = run.StartedAt.Time, run.StartedAt.Time
		if c.StartupProbe != nil && s.Started != nil && *s.Started {
			n.startup++
		}
	}
	if !now.After(n.at) {
		return n
	}
	since := func(probe *corev1.Probe) int {
		return probesUntil(probe, n.started, now) - probesUntil(probe, n.started, n.at)
	}
	n.liveness += since(c.LivenessProbe)
	if s.Ready {
		n.ready += since(c.ReadinessProbe)
	} else {
		n.unready += since(c.ReadinessProbe)
	}
	n.at = now
	return n
}

// changed keeps the numbers when a pod changes: old and current are as of podset.Set.OnChange.
func (p *probed) changed(old, current *corev1.Pod, now time.Time) {
	switch {
	case old == nil:
		return
	case current == nil:
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.pods, old.UID)
		return
	}
	for s := range podset.Running(old) {
		after := podset.Status(current, s.Name)
		same := after != nil && after.Ready == s.Ready && after.State.Running != nil &&
			s.State.Running.StartedAt.Equal(&after.State.Running.StartedAt)
		if same || !hasProbes(podset.Container(old, s.Name)) {
			continue
		}
		p.mu.Lock()
		if p.pods[old.UID] == nil {
			p.pods[old.UID] = map[string]probes{}
		}
		p.pods[old.UID][s.Name] = p.locked(old, s, now)
		p.mu.Unlock()
	}
}

// probeMetrics are how many probes have succeeded and failed.
func (a *API) probeMetrics(e *exposition, m measured) {
	processStart(e, m)
	e.family("prober_probe_total", "counter", "[BETA] Cumulative number of a liveness, readiness or startup probe for a "+
		"container by result.")
	for _, p := range m.pods {
		for s := range podset.Running(p.pod) {
			if !hasProbes(podset.Container(p.pod, s.Name)) {
				continue
			}
			n := a.probed.of(p.pod, s, m.at)
			add := func(kind, result string, n int) {
				if n > 0 {
					e.add("prober_probe_total", float64(n), time.Time{}, "container", s.Name, "namespace", p.pod.Namespace, "pod",
						p.pod.Name, "pod_uid", string(p.pod.UID), "probe_type", kind, "result", result)
				}
			}
			add("Startup", "successful", n.startup)
			add("Liveness", "successful", n.liveness)
			add("Readiness", "successful", n.ready)
			add("Readiness", "failed", n.unready)
		}
	}
}

// probesUntil is how many of a kind there were from a container's start to a time.
func probesUntil(p *corev1.Probe, started, until time.Time) int {
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
