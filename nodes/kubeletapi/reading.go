package kubeletapi

import (
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Point is what has been counted of something that uses CPU and memory.
type Point struct {
	Since     time.Time // when its counting began
	CoreNanos uint64    // used since then
	NanoCores uint64    // a second, lately
	Memory    uint64    // bytes
}

// Reading is what a node's kubelet tells of the node and of its pods, all at one time, as /metrics/resource does in text.
type Reading struct {
	Point
	At   time.Time
	Pods []PodReading // those that run something
}

// PodReading is a pod's part of a Reading.
type PodReading struct {
	Pod        *corev1.Pod // which others read, too
	Containers []ContainerReading
}

// ContainerReading is a running container's.
type ContainerReading struct {
	Name string
	Point
}

// Read measures a node for somebody in this process; false: there is none of that name.
func (a *API) Read(node string) (Reading, bool) {
	n, found := a.conf.Node(node)
	if !found {
		return Reading{}, false
	}
	m := a.measure(n, a.conf.Now())
	r := Reading{Point: m.use.point(n.Since), At: m.at, Pods: make([]PodReading, 0, len(m.pods))}
	for _, p := range m.pods {
		pod := PodReading{Pod: p.pod, Containers: make([]ContainerReading, 0, len(p.containers))}
		for _, c := range p.containers {
			pod.Containers = append(pod.Containers, ContainerReading{c.name, c.use.point(c.started)})
		}
		r.Pods = append(r.Pods, pod)
	}
	return r, true
}

func (u use) point(since time.Time) Point {
	return Point{Since: since, CoreNanos: u.coreNanos, NanoCores: u.nanoCores, Memory: u.memory}
}
