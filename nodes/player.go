package nodes

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/workqueue"

	"tripod/nodes/efsvolume"
	"tripod/nodes/podfiles"
	"tripod/nodes/podlife"
)

// How soon a step that failed is tried again. The upper bound is what a zone may lag behind after a fault.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// players is how many objects are worked on at the same time: as many requests are under way at most.
const players = 16

// player does with the zone's nodes and pods what their kubelets do: it holds the last known state of each, asks package
// podlife what is next, and does it. Where a user's KWOK stage matches an object, it plays the stage instead.
type player struct {
	playerConfig
	queue   workqueue.TypedRateLimitingInterface[string]
	lookups *lookups
	events  *recorder
	stages  stages

	mu    sync.Mutex
	known map[string]*entry // by key
	nodes map[string]*host  // by name: those with a Node object or pods
}

// playerConfig is what a player works with.
type playerConfig struct {
	client   kubernetes.Interface
	settings *podlife.Settings                                      // nil: the defaults
	address  func(node string, pod *corev1.Pod) (netip.Addr, error) // the address of a pod on a node
	// certificates have what pods' volumes hold of them.
	certificates *certificates
	moves        *podfiles.Moves // pages that have been taken away
	// dial connects a node to an address of the zone's pods. Its error is network.ErrNoAddress where it is none of them.
	dial func(ctx context.Context, from, address string, port int) (net.Conn, error)
	// mount says why a file system of EFS cannot be mounted; nil: all can be.
	mount func(efsvolume.Handle) (output string, err error)
	// synced is told how long a node's kubelet has looked after a pod; nil: nobody is.
	synced func(node string, took time.Duration)
	log    *slog.Logger
}

// entry is what is known of an object.
type entry struct {
	obj     metav1.Object // never written to
	written time.Time     // when obj came from a write of ours: the watch may still tell of older versions
	delayed delayed

	// Of a pod:
	admitted bool
	waiting  bool // for resources of its node
	evict    *podlife.Eviction
	memory   *podlife.Memory
}

// host is a node with its pods.
type host struct {
	turn sync.Mutex // held while it is decided about one of the pods: admission is one at a time
	node *corev1.Node
	pods map[string]*entry
	images
	nextEviction time.Time
	files        map[string]podlife.HostFile // that containers have made in volumes of the type hostPath, by path
}

func newPlayer(c playerConfig) *player {
	if c.settings == nil {
		c.settings = podlife.DefaultSettings()
	}
	p := &player{
		playerConfig: c,
		queue: workqueue.NewTypedRateLimitingQueue(
			workqueue.NewTypedItemExponentialFailureRateLimiter[string](firstRetry, lastRetry)),
		lookups: newLookups(c.client),
		known:   map[string]*entry{},
		nodes:   map[string]*host{},
	}
	p.lookups.mount = c.mount
	p.events = newRecorder(c.client, func() bool { return p.queue.Len() > 0 }, c.log)
	return p
}

// kindOf names the kind of an object, as keys and stages have it.
func kindOf(obj metav1.Object) string {
	if _, ok := obj.(*corev1.Node); ok {
		return "Node"
	}
	return "Pod"
}

// key of an object: "Node//NAME" or "Pod/NAMESPACE/NAME".
func key(obj metav1.Object) string {
	return kindOf(obj) + "/" + obj.GetNamespace() + "/" + obj.GetName()
}

// nodeOf is the name of the node whose kubelet acts on an object.
func nodeOf(obj metav1.Object) string {
	if pod, ok := obj.(*corev1.Pod); ok {
		return pod.Spec.NodeName
	}
	return obj.GetName()
}

// set gives the player an object's newest state.
func (p *player) set(obj metav1.Object) {
	k := key(obj)
	p.mu.Lock()
	again, changed := p.put(k, obj, false)
	p.mu.Unlock()
	if changed {
		p.queue.Add(k)
	}
	for _, k := range again {
		p.queue.Add(k)
	}
}

// put keeps an object's state: p.mu is held. again are the other objects that it matters to; changed is false for a
// state that is older than the one that is known.
func (p *player) put(k string, obj metav1.Object, own bool) (again []string, changed bool) {
	r := p.known[k]
	switch {
	case r == nil:
		r = &entry{}
		p.known[k] = r
	case r.obj.GetUID() != obj.GetUID():
		*r = entry{}
	case obj.GetResourceVersion() != "" && obj.GetResourceVersion() == r.obj.GetResourceVersion():
		return nil, false // the watch tells of a write of ours
	case older(obj, r.obj) && (own || time.Since(r.written) < staleWatch):
		return nil, false
	}
	r.obj = obj
	if own {
		r.written = time.Now()
	}
	h := p.host(nodeOf(obj))
	switch obj := obj.(type) {
	case *corev1.Pod:
		h.pods[k] = r
		if freed := obj.DeletionTimestamp != nil || !podlife.Active(obj); freed {
			again = h.waiting(k)
		}
	case *corev1.Node:
		if h.node == nil || h.node.Annotations[podlife.AnnotationPressure] != obj.Annotations[podlife.AnnotationPressure] {
			for k := range h.pods {
				again = append(again, k)
			}
		}
		h.node = obj
		h.learn(obj)
	}
	return again, true
}

// staleWatch is for how long after a write of ours the watch may tell of older states.
const staleWatch = 10 * time.Second

// older says that a state of an object came before another one of it. Resource versions of one kind can be compared,
// unless they are none: those of tests.
func older(obj, than metav1.Object) bool {
	a, errA := strconv.ParseUint(obj.GetResourceVersion(), 10, 64)
	b, errB := strconv.ParseUint(than.GetResourceVersion(), 10, 64)
	return errA == nil && errB == nil && a < b
}

// host is what is known of a node: p.mu is held.
func (p *player) host(name string) *host {
	h := p.nodes[name]
	if h == nil {
		h = &host{pods: map[string]*entry{}}
		p.nodes[name] = h
	}
	return h
}

// waiting are the pods but k that wait for resources.
func (h *host) waiting(but string) []string {
	var list []string
	for k, r := range h.pods {
		if r.waiting && k != but {
			list = append(list, k)
		}
	}
	return list
}

// remove makes the player forget an object.
func (p *player) remove(obj metav1.Object) {
	k := key(obj)
	var again []string
	p.mu.Lock()
	delete(p.known, k)
	if h := p.nodes[nodeOf(obj)]; h != nil {
		if kindOf(obj) == "Node" {
			h.node = nil
		} else {
			delete(h.pods, k)
			again = h.waiting(k)
			if pod := obj.(*corev1.Pod); len(claimsOf(pod)) > 0 && h.node != nil {
				again = append(again, key(h.node))
			}
		}
		if h.node == nil && len(h.pods) == 0 {
			delete(p.nodes, nodeOf(obj))
			p.events.forget(nodeOf(obj))
		}
	}
	p.mu.Unlock()
	p.queue.Forget(k)
	for _, k := range again {
		p.queue.Add(k)
	}
}

// nodeNamed is a node's object, as far as it is known.
func (p *player) nodeNamed(name string) *corev1.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.nodes[name]; h != nil {
		return h.node
	}
	return nil
}

// podsOf are the pods of one node, or of all for "".
func (p *player) podsOf(nodeName string) []*corev1.Pod {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pods []*corev1.Pod
	add := func(h *host) {
		for _, r := range h.pods {
			pods = append(pods, r.obj.(*corev1.Pod))
		}
	}
	if nodeName == "" {
		for _, h := range p.nodes {
			add(h)
		}
	} else if h := p.nodes[nodeName]; h != nil {
		add(h)
	}
	return pods
}

// run plays until ctx ends.
func (p *player) run(ctx context.Context) {
	stop := context.AfterFunc(ctx, p.queue.ShutDown)
	defer stop()
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { p.events.run(ctx) })
	for range players {
		group.Go(func() { p.work(ctx) })
	}
}

// work plays one object after the other.
func (p *player) work(ctx context.Context) {
	for {
		k, quit := p.queue.Get()
		if quit {
			return
		}
		err := ignoreOutdated(p.play(ctx, k))
		switch {
		case err == nil:
			p.queue.Forget(k)
		case ctx.Err() == nil:
			// Away API servers are told by the transport, once: here the log would fill while they are.
			p.log.Debug("step failed, is tried again", "object", k, "err", err)
			p.queue.AddRateLimited(k)
		}
		p.queue.Done(k)
	}
}

// play does what the object at k needs now, if anything.
func (p *player) play(ctx context.Context, k string) error {
	p.mu.Lock()
	r := p.known[k]
	if r == nil {
		p.mu.Unlock()
		return nil
	}
	obj := r.obj
	p.mu.Unlock()
	ctx = as(ctx, nodeOf(obj))
	if played, err := p.playStage(ctx, k, obj); played || err != nil {
		return err
	}
	if node, ok := obj.(*corev1.Node); ok {
		return p.playNode(ctx, k, node)
	}
	began := time.Now()
	err := p.playPod(ctx, k)
	if p.synced != nil {
		p.synced(nodeOf(obj), time.Since(began))
	}
	return err
}

// later asks for an object to be played again.
func (p *player) later(k string, at time.Time) {
	if !at.IsZero() {
		p.queue.AddAfter(k, max(0, time.Until(at)))
	}
}

// ignoreOutdated drops errors that say that the object has changed or gone: the watch tells the news.
func ignoreOutdated(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}
