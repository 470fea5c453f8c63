package kubeletapi

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/kwokusage"
	"tripod/nodes/podset"
)

// declaredMetrics answers at the paths of the cluster's Metric objects. The node is the one that is asked: a path that names
// another one is not there.
func (a *API) declaredMetrics(w http.ResponseWriter, r *http.Request) {
	n, ok := a.nodeOf(w, r)
	if !ok {
		return
	}
	metric, named := a.usage.kwok.Path(r.URL.Path)
	if metric == nil || named != "" && named != n.Name {
		nothing(w, r)
		return
	}
	m := a.measure(n, a.conf.Now())
	about := kwokusage.Subject{Node: a.usage.node(n.Name), At: m.at, Uses: func(q kwokusage.Question) (float64, error) { return a.told(m, q) }}
	if about.Node == nil {
		http.Error(w, fmt.Sprintf("tripod: the kubelet of %s does not know its node yet", n.Name), http.StatusServiceUnavailable)
		return
	}
	pods := make([]*corev1.Pod, 0, len(m.pods))
	for _, p := range m.pods {
		pods = append(pods, p.pod)
	}
	expose(w, func(e *exposition) { a.usage.kwok.Write(r.Context(), metric, declaredSeries{e}, about, pods) })
}

// declaredSeries are those of a Metric, in the exposition.
type declaredSeries struct{ *exposition }

func (d declaredSeries) Family(name, kind, help string) { d.family(name, kind, help) }

func (d declaredSeries) Series(name string, value float64, labels ...string) {
	d.add(name, value, time.Time{}, labels...)
}

// told answers what a Metric asks of use: what the kubelet's own metrics say at that time.
func (a *API) told(m measured, q kwokusage.Question) (float64, error) {
	switch {
	case q.Pod == nil && q.Node != m.node.Name:
		return 0, fmt.Errorf("the kubelet of %s does not know what node %s uses", m.node.Name, q.Node)
	case q.Resource == kwokusage.StartedContainers:
		return float64(startedContainers(a.conf.Pods.OfNode(m.node.Name))), nil
	case q.Pod == nil:
		return a.toldOf(q, m.use, m.pods)
	}
	i := slices.IndexFunc(m.pods, func(p measuredPod) bool {
		return p.pod.Name == q.Pod.Name && p.pod.Namespace == q.Pod.Namespace
	})
	switch {
	case i < 0:
		return 0, nil
	case q.Container == "":
		return a.toldOf(q, m.pods[i].use, m.pods[i:i+1])
	}
	for _, c := range m.pods[i].containers {
		if c.name == q.Container {
			return a.toldOf(q, c.use, []measuredPod{{pod: m.pods[i].pod, containers: []measuredContainer{c}}})
		}
	}
	return 0, nil
}

// toldOf is of a use, which is that of these pods.
func (a *API) toldOf(q kwokusage.Question, u use, pods []measuredPod) (sum float64, err error) {
	switch {
	case q.Resource == string(corev1.ResourceCPU) && q.Cumulative:
		return seconds(u.coreNanos), nil
	case q.Resource == string(corev1.ResourceCPU):
		return seconds(u.nanoCores), nil
	case q.Cumulative:
		return 0, errors.New("CumulativeUsage is known of cpu alone")
	case q.Resource == string(corev1.ResourceMemory):
		return float64(u.memory), nil
	}
	for _, p := range pods {
		for _, c := range p.containers {
			if amount := a.usage.kwok.Find(p.pod, c.name, q.Resource); amount != nil {
				n, _ := a.usage.kwok.Within(amount, kwokusage.Subject{Pod: p.pod, Container: podset.Container(p.pod, c.name)})
				sum += n
			}
		}
	}
	return sum, nil
}

// startedContainers is how often containers of pods have been started.
func startedContainers(pods []*corev1.Pod) (n int) {
	for _, pod := range pods {
		for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
			for _, s := range list {
				if s.State.Waiting == nil || s.RestartCount > 0 {
					n += int(s.RestartCount) + 1
				}
			}
		}
	}
	return n
}
