package nodes

import (
	"context"
	"net"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/internal/link"
	"tripod/nodes/podlife"
)

// podLinks are the networks of a zone's pods, on which the faults of their annotations act. The way of a pod's connections is a link
// of its own by the port that they come to: faults are of ports, too.
type podLinks struct {
	mu     sync.Mutex
	links  map[types.UID]map[podPort]*link.Link
	faults map[types.UID]podlife.Network // of pods that have some
}

// podPort is the pod's own port, or that of what the pod connects to.
type podPort struct {
	leaves bool
	port   int
}

// mostPodLinks bounds the ports of one pod that have a link of their own; others have one together, on which no fault of a port is.
const mostPodLinks = 64

func newPodLinks() *podLinks {
	return &podLinks{links: map[types.UID]map[podPort]*link.Link{}, faults: map[types.UID]podlife.Network{}}
}

// of is the link of a pod's connections at a port; nil for pods of the node's network, whose network has no faults here.
func (l *podLinks) of(pod *corev1.Pod, at podPort) *link.Link {
	if pod.Spec.HostNetwork {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	links := l.links[pod.UID]
	if links == nil {
		links = map[podPort]*link.Link{}
		l.links[pod.UID] = links
	}
	if links[at] == nil && len(links) >= mostPodLinks {
		at = podPort{leaves: at.leaves}
	}
	if links[at] == nil {
		links[at] = link.New()
		links[at].Set(at.pair(l.faults[pod.UID]))
	}
	return links[at]
}

// pair is what a pod's faults are to the connections of a port: delays and losses are of what the pod sends, as tc(8) has them in
// the pod's own network.
func (at podPort) pair(n podlife.Network) (p link.Pair) {
	if n.Latency != 0 || n.Loss != 0 {
		p.Out = append(p.Out, link.Effect{Latency: n.Latency, Jitter: n.Jitter, Loss: n.Loss})
	}
	if hole := n.BlackHole; !at.leaves && hole == at.port && hole != 0 || at.leaves && n.BlackHoleOut == at.port && at.port != 0 {
		p.In = append(p.In, link.Effect{Drop: true})
		p.Out = append(p.Out, link.Effect{Drop: true})
	}
	return p
}

// changed is podset's OnChange.
func (l *podLinks) changed(old, current *corev1.Pod) {
	if current == nil {
		l.forget(old.UID)
		return
	}
	now := podlife.NetworkOf(current)
	l.mu.Lock()
	if l.faults[current.UID] == now {
		l.mu.Unlock()
		return
	}
	if l.faults[current.UID] = now; now == (podlife.Network{}) {
		delete(l.faults, current.UID)
	}
	set := map[*link.Link]link.Pair{}
	for at, one := range l.links[current.UID] {
		set[one] = at.pair(now)
	}
	l.mu.Unlock()
	for one, pair := range set {
		one.Set(pair)
	}
}

// forget ends the connections of a pod that has gone.
func (l *podLinks) forget(uid types.UID) {
	l.mu.Lock()
	links := l.links[uid]
	delete(l.links, uid)
	delete(l.faults, uid)
	l.mu.Unlock()
	for _, one := range links {
		one.Shut()
	}
}

// looksUp says whether a pod's names are found.
func (l *podLinks) looksUp(pod *corev1.Pod) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return pod.Spec.HostNetwork || !l.faults[pod.UID].NoDNS
}

// dial opens a connection from a pod by dial, over the pod's own link.
func (l *podLinks) dial(ctx context.Context, pod *corev1.Pod, port int, dial func(context.Context) (net.Conn, error)) (net.Conn, error) {
	return l.of(pod, podPort{leaves: true, port: port}).Dial(ctx, dial)
}
