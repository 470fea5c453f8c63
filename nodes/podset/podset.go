// Package podset holds the pods of a zone's simulated nodes, and finds them by node, by name and by address, at the same
// price whether the zone has one node or a thousand.
package podset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
)

// Set is the newest known state of pods, which nobody writes to. It is safe for many goroutines.
type Set struct {
	mu     sync.RWMutex
	byName map[name]*corev1.Pod
	byNode map[string][]*corev1.Pod
	byAddr map[string][]*corev1.Pod // those alive; at a node's address those of its network or with host ports
	watch  []func(old, current *corev1.Pod)
}

type name struct{ namespace, name string }

func nameOf(pod *corev1.Pod) name { return name{pod.Namespace, pod.Name} }

// New returns an empty Set.
func New() *Set {
	return &Set{byName: map[name]*corev1.Pod{}, byNode: map[string][]*corev1.Pod{}, byAddr: map[string][]*corev1.Pod{}}
}

// OnChange has f called after each change, one call at a time for each pod: old is nil for a new pod, current is nil for
// one that has gone. It is for the time before the first Set.
func (s *Set) OnChange(f func(old, current *corev1.Pod)) { s.watch = append(s.watch, f) }

// Set takes a pod's newest state. A pod of the same name and another UID has gone.
func (s *Set) Set(pod *corev1.Pod) {
	s.mu.Lock()
	old := s.byName[nameOf(pod)]
	if old != nil {
		s.drop(old)
	}
	s.byName[nameOf(pod)] = pod
	put(s.byNode, pod.Spec.NodeName, pod)
	for _, address := range addressesOf(pod) {
		put(s.byAddr, address, pod)
	}
	s.mu.Unlock()
	if old != nil && old.UID != pod.UID {
		s.tell(old, nil)
		old = nil
	}
	s.tell(old, pod)
}

// Remove forgets a pod, but not another one that has its name by now.
func (s *Set) Remove(pod *corev1.Pod) {
	s.mu.Lock()
	old := s.byName[nameOf(pod)]
	if old == nil || old.UID != pod.UID {
		s.mu.Unlock()
		return
	}
	s.drop(old)
	s.mu.Unlock()
	s.tell(old, nil)
}

// drop takes a pod out of every index. It assumes the lock.
func (s *Set) drop(pod *corev1.Pod) {
	delete(s.byName, nameOf(pod))
	take(s.byNode, pod.Spec.NodeName, pod)
	for _, address := range addressesOf(pod) {
		take(s.byAddr, address, pod)
	}
}

func (s *Set) tell(old, current *corev1.Pod) {
	for _, f := range s.watch {
		f(old, current)
	}
}

func put(index map[string][]*corev1.Pod, key string, pod *corev1.Pod) {
	index[key] = append(index[key], pod)
}

func take(index map[string][]*corev1.Pod, key string, pod *corev1.Pod) {
	index[key] = slices.DeleteFunc(index[key], func(other *corev1.Pod) bool { return other == pod })
	if len(index[key]) == 0 {
		delete(index, key)
	}
}

// addressesOf are those at which a pod may be reached: its own, and its node's where it has ports there.
func addressesOf(pod *corev1.Pod) []string {
	if !Alive(pod) || pod.Status.PodIP == "" {
		return nil
	}
	addresses := []string{pod.Status.PodIP}
	if host := pod.Status.HostIP; host != "" && host != pod.Status.PodIP && hasHostPort(pod) {
		addresses = append(addresses, host)
	}
	return addresses
}

func hasHostPort(pod *corev1.Pod) bool {
	for container := range containers(pod) {
		if slices.ContainsFunc(container.Ports, func(p corev1.ContainerPort) bool { return p.HostPort != 0 }) {
			return true
		}
	}
	return false
}

// Pod is the one of that name, or nil.
func (s *Set) Pod(namespace, podName string) *corev1.Pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.byName[name{namespace, podName}]
}

// Has says whether the very pod is still there.
func (s *Set) Has(pod *corev1.Pod) bool {
	current := s.Pod(pod.Namespace, pod.Name)
	return current != nil && current.UID == pod.UID
}

// All are the pods of all nodes.
func (s *Set) All() []*corev1.Pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Values(s.byName))
}

// OfNode are the pods of a node, by namespace and name.
func (s *Set) OfNode(node string) []*corev1.Pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sorted(s.byNode[node])
}

// At are the pods that may be reached at an address, by namespace and name.
func (s *Set) At(address string) []*corev1.Pod {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return sorted(s.byAddr[address])
}

func sorted(pods []*corev1.Pod) []*corev1.Pod {
	list := slices.Clone(pods)
	slices.SortFunc(list, func(a, b *corev1.Pod) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return list
}

// Alive says whether a pod may run something: it has not ended for good.
func Alive(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// Holder is the pod to which a TCP port of an address belongs, and the port of its containers; nil where no pod has the
// address. Pods of the host's network share their node's address, and each has only the ports that its containers
// declare: else one could take what is sent to another. Where two claim the same port, as no kubelet lets them, neither
// has it.
func (s *Set) Holder(address string, port int) (pod *corev1.Pod, containerPort int, err error) {
	return Holder(s.At(address), address, port)
}

// Holder is Set.Holder among given pods.
func Holder(pods []*corev1.Pod, address string, port int) (pod *corev1.Pod, containerPort int, err error) {
	var other *corev1.Pod
	for _, candidate := range pods {
		at, mine := portAt(candidate, address, port)
		switch {
		case !Alive(candidate) || candidate.Status.PodIP != address && candidate.Status.HostIP != address:
		case !mine:
			other = candidate
		case pod != nil:
			return nil, 0, fmt.Errorf("pods %s/%s and %s/%s both claim the port", pod.Namespace, pod.Name,
				candidate.Namespace, candidate.Name)
		default:
			pod, containerPort = candidate, at
		}
	}
	if pod == nil && other != nil {
		return nil, 0, fmt.Errorf("it is a node's address, and no pod of the host's network there (%s/%s, ...) declares the "+
			"port as a container's", other.Namespace, other.Name)
	}
	return pod, containerPort, nil
}

// portAt translates a port of an address into one of the pod's containers; false: it belongs to others.
func portAt(pod *corev1.Pod, address string, port int) (int, bool) {
	if pod.Status.PodIP == address && !pod.Spec.HostNetwork {
		return port, true
	}
	for container := range containers(pod) {
		for _, p := range container.Ports {
			if !isTCP(p) {
				continue
			}
			if pod.Spec.HostNetwork && int(p.ContainerPort) == port || !pod.Spec.HostNetwork && int(p.HostPort) == port {
				return int(p.ContainerPort), true
			}
		}
	}
	return 0, false
}
