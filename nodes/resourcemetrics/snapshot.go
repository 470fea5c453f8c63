package resourcemetrics

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/kubeletapi"
)

const (
	// resolution is how long what was read is good for.
	resolution = 10 * time.Second
	// mostWindow is the longest time that a rate is made over.
	mostWindow = time.Minute
	// fresh is how old a container is before it has metrics: metrics-server's freshContainerMinMetricsResolution.
	fresh = 10 * time.Second
	// freshest is until when its whole use counts as its rate: metrics-server's resolution on EKS.
	freshest = 15 * time.Second
	// kubeletWindow is what a kubelet's own rates are over: podhttp's requests per second.
	kubeletWindow = 10 * time.Second
)

// Node is what one node uses, as its kubelet measures it.
type Node struct {
	Name   string
	Labels map[string]string
	kubeletapi.Reading
}

// counted is whose counters a snapshot has: of a container, or by the node's name alone of a node.
type counted struct {
	pod       types.UID
	container string
}

// count is a counter of core-nanoseconds since a time, when it was read.
type count struct {
	since, at time.Time
	used      uint64
}

// item is a node or a pod, with what it uses.
type item struct {
	namespace, name string // a node has no namespace
	labels          map[string]string
	window          time.Duration // that the CPU is a rate over
	parts           []usage       // containers; of a node one without a name
}

// usage is what a container or a node uses.
type usage struct {
	name              string
	nanoCores, memory uint64
}

// snapshot is what the nodes of a zone used at a time.
type snapshot struct {
	at     time.Time
	nodes  []item // by name
	pods   []item // by namespace and name
	counts map[counted]count
	// waiting are pods that run and have no metrics yet.
	waiting map[types.NamespacedName]bool
}

// newSnapshot makes one of what was read at a time. before is an older one, for rates, or nil.
func newSnapshot(read []Node, at time.Time, before *snapshot) *snapshot {
	pods := 0
	for _, n := range read {
		pods += len(n.Pods)
	}
	s := &snapshot{at: at, counts: make(map[counted]count, len(read)+pods), waiting: map[types.NamespacedName]bool{},
		nodes: make([]item, 0, len(read)), pods: make([]item, 0, pods)}
	for _, n := range read {
		if used, window, known := s.usage(counted{container: n.Name}, n.At, n.Point, before); known {
			s.nodes = append(s.nodes, item{name: n.Name, labels: n.Labels, window: window, parts: []usage{used}})
		}
		for _, p := range n.Pods {
			s.add(p, n.At, before)
		}
	}
	slices.SortFunc(s.nodes, compareItems)
	slices.SortFunc(s.pods, compareItems)
	return s
}

func compareItems(a, b item) int {
	return cmp.Or(strings.Compare(a.namespace, b.namespace), strings.Compare(a.name, b.name))
}

// add adds a pod as it was read at a time, or notes that it waits where one of its containers has no metrics yet.
func (s *snapshot) add(p kubeletapi.PodReading, at time.Time, before *snapshot) {
	if p.Pod.Status.Phase != corev1.PodRunning {
		return
	}
	pod := item{namespace: p.Pod.Namespace, name: p.Pod.Name, labels: p.Pod.Labels, parts: make([]usage, 0, len(p.Containers))}
	for _, c := range p.Containers {
		used, window, known := s.usage(counted{p.Pod.UID, c.Name}, at, c.Point, before)
		if known {
			used.name, pod.window = c.Name, max(pod.window, window)
			pod.parts = append(pod.parts, used)
		}
	}
	if len(pod.parts) < len(p.Containers) {
		s.waiting[types.NamespacedName{Namespace: pod.namespace, Name: pod.name}] = true
		return
	}
	s.pods = append(s.pods, pod)
}

// usage is what something uses by what was read at a time, and over which time; not known of what is new.
func (s *snapshot) usage(of counted, at time.Time, now kubeletapi.Point, before *snapshot) (_ usage, window time.Duration, known bool) {
	s.counts[of] = count{now.Since, at, now.CoreNanos}
	nanoCores, window := now.NanoCores, kubeletWindow
	age := at.Sub(now.Since)
	switch old, had := before.count(of, now); {
	case age < fresh:
		return usage{}, 0, false
	case had:
		window = at.Sub(old.at)
		nanoCores = uint64(float64(now.CoreNanos-old.used) / window.Seconds())
	case age < freshest: // its counter began at 0
		window = age
		nanoCores = uint64(float64(now.CoreNanos) / window.Seconds())
	}
	return usage{nanoCores: nanoCores, memory: now.Memory}, window, true
}

// count is the counter of something in an older snapshot, of the same run as now.
func (s *snapshot) count(of counted, now kubeletapi.Point) (count, bool) {
	if s == nil {
		return count{}, false
	}
	c, found := s.counts[of]
	return c, found && c.since.Equal(now.Since) && c.used <= now.CoreNanos
}
