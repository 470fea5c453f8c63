package kubeletapi

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podhttp"
	"tripod/nodes/podlife"
	"tripod/nodes/podset"
)

// Annotations on a pod that say what its containers use. With "." and a container's name behind it, one is for that
// container alone and comes before the general one.
const (
	// CPUAnnotation is a quantity, "250m", that the pod's containers use together, or a share of what each has requested,
	// "80%".
	CPUAnnotation = "tripod.internal/cpu"
	// MemoryAnnotation is likewise for memory: "300Mi", "50%".
	MemoryAnnotation = podset.MemoryAnnotation
	// RequestCPUAnnotation is the CPU that a request per second costs beside it: "5m" are 5 ms of a core each.
	RequestCPUAnnotation = "tripod.internal/cpu-per-request"
)

// What containers use that say nothing: a share of their requests, and of those that request nothing a little.
const (
	defaultCPUShare = 0.10
	idleCPU         = 1e6  // cores × 1e9
	startCPU        = 20e6 // core-nanoseconds that starting takes: whoever reads a zero thinks that nothing is there
)

// demand is what a container uses now.
type demand struct {
	nanoCores   float64
	memory      uint64
	eachRequest float64 // core-nanoseconds
}

// demandOf is what a container of a pod uses by its annotations, requests and limits. What cannot be read counts as not
// said. stress is the pod's, capacity the node's.
func demandOf(pod *corev1.Pod, c *corev1.Container, stress podlife.Stress, capacity corev1.ResourceList) demand {
	d := demand{nanoCores: idleCPU, memory: podset.MemoryUsage(pod, c)}
	if cpu := podset.Declared(pod, c, CPUAnnotation, corev1.ResourceCPU, defaultCPUShare); cpu >= 0 {
		d.nanoCores = cpu * 1e9
	}
	d.nanoCores = max(d.nanoCores, stress.CPU*mayUse(c, capacity, corev1.ResourceCPU)*1e9)
	d.memory = max(d.memory, uint64(stress.Memory*mayUse(c, capacity, corev1.ResourceMemory)))
	if limit, ok := c.Resources.Limits[corev1.ResourceCPU]; ok {
		d.nanoCores = min(d.nanoCores, limit.AsApproximateFloat64()*1e9)
	}
	if listens := len(pod.Spec.Containers) > 0 && c.Name == serving(pod); listens {
		if q, err := resource.ParseQuantity(pod.Annotations[RequestCPUAnnotation]); err == nil && q.Sign() > 0 {
			d.eachRequest = q.AsApproximateFloat64() * 1e9
		}
	}
	return d
}

// mayUse is how much of a resource a container may use: its limit, or all of its node's.
func mayUse(c *corev1.Container, capacity corev1.ResourceList, name corev1.ResourceName) float64 {
	most, limited := c.Resources.Limits[name]
	if !limited {
		most = capacity[name]
	}
	return most.AsApproximateFloat64()
}

// serving is the container that bears the cost of requests: the first with ports.
func serving(pod *corev1.Pod) string {
	for i := range pod.Spec.Containers {
		if len(podset.Ports(&pod.Spec.Containers[i])) > 0 {
			return pod.Spec.Containers[i].Name
		}
	}
	return pod.Spec.Containers[0].Name
}

// use of a container, a pod or a node.
type use struct {
	coreNanos uint64 // since its start
	nanoCores uint64 // now
	memory    uint64 // bytes now
}

func (u use) add(other use) use {
	return use{u.coreNanos + other.coreNanos, u.nanoCores + other.nanoCores, u.memory + other.memory}
}

// accounts are how much CPU has been used. A container's is a function of time as long as its annotations stay the same;
// only when they change does it become an account, so that it grows on from where it is.
type accounts struct {
	traffic  func(types.UID, time.Time) podhttp.Traffic
	capacity func(node string) corev1.ResourceList

	mu   sync.Mutex
	pods map[types.UID]map[string]account // by container
	gone map[string]uint64                // core-nanoseconds of what has ended, by node
}

type account struct {
	at       time.Time
	used     float64 // core-nanoseconds until then
	requests uint64  // that were counted until then
}

func newAccounts(traffic func(types.UID, time.Time) podhttp.Traffic, capacity func(node string) corev1.ResourceList) *accounts {
	return &accounts{traffic: traffic, capacity: capacity, pods: map[types.UID]map[string]account{}, gone: map[string]uint64{}}
}

// of is the use of a running container.
func (a *accounts) of(pod *corev1.Pod, s *corev1.ContainerStatus, now time.Time) use {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.locked(pod, s, now)
}

func (a *accounts) locked(pod *corev1.Pod, s *corev1.ContainerStatus, now time.Time) use {
	c := podset.Container(pod, s.Name)
	if c == nil || s.State.Running == nil {
		return use{}
	}
	var capacity corev1.ResourceList
	stress := podlife.StressOf(pod)
	if stress != (podlife.Stress{}) { // else nobody asks
		capacity = a.capacity(pod.Spec.NodeName)
	}
	d := demandOf(pod, c, stress, capacity)
	since := account{at: s.State.Running.StartedAt.Time, used: startCPU}
	if known, ok := a.pods[pod.UID][s.Name]; ok && !known.at.Before(since.at) {
		since = known
	}
	total := since.used + d.nanoCores*max(0, now.Sub(since.at).Seconds())
	rate := d.nanoCores
	if d.eachRequest > 0 {
		t := a.traffic(pod.UID, now)
		total += d.eachRequest * float64(t.Requests-min(since.requests, t.Requests))
		rate += d.eachRequest * t.PerSecond
	}
	return use{uint64(total), uint64(rate), d.memory}
}

// changed keeps the books when a pod changes: old and current are as of podset.Set.OnChange.
func (a *accounts) changed(old, current *corev1.Pod, now time.Time) {
	if old == nil {
		return
	}
	if current != nil && maps.Equal(usageAnnotations(old), usageAnnotations(current)) && sameRuns(old, current) &&
		podlife.StressOf(old) == podlife.StressOf(current) &&
		maps.EqualFunc(requestsOf(old), requestsOf(current), sameResources) {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	books := map[string]account{}
	for s := range podset.Running(old) {
		used := a.locked(old, s, now)
		if current != nil {
			if after := podset.Status(current, s.Name); after != nil && after.State.Running != nil &&
				after.State.Running.StartedAt.Equal(&s.State.Running.StartedAt) {
				books[s.Name] = account{now, float64(used.coreNanos), a.traffic(old.UID, now).Requests}
				continue
			}
		}
		a.gone[old.Spec.NodeName] += used.coreNanos
	}
	if len(books) == 0 {
		delete(a.pods, old.UID)
		return
	}
	a.pods[old.UID] = books
}

func usageAnnotations(pod *corev1.Pod) map[string]string {
	found := map[string]string{}
	for name, value := range pod.Annotations {
		for _, prefix := range []string{CPUAnnotation, MemoryAnnotation} {
			if strings.HasPrefix(name, prefix) {
				found[name] = value
			}
		}
	}
	return found
}

// sameRuns says whether the same containers run since the same times.
func sameRuns(a, b *corev1.Pod) bool { return maps.Equal(runs(a), runs(b)) }

func runs(pod *corev1.Pod) map[string]int64 {
	found := map[string]int64{}
	for s := range podset.Running(pod) {
		found[s.Name] = s.State.Running.StartedAt.UnixNano()
	}
	return found
}

func requestsOf(pod *corev1.Pod) map[string]corev1.ResourceRequirements {
	found := map[string]corev1.ResourceRequirements{}
	for i := range pod.Spec.Containers {
		found[pod.Spec.Containers[i].Name] = pod.Spec.Containers[i].Resources
	}
	return found
}

func sameResources(a, b corev1.ResourceRequirements) bool {
	same := func(a, b corev1.ResourceList) bool {
		return maps.EqualFunc(a, b, func(a, b resource.Quantity) bool { return a.Cmp(b) == 0 })
	}
	return same(a.Requests, b.Requests) && same(a.Limits, b.Limits)
}

// forgetNode drops what a node has used that has gone.
func (a *accounts) forgetNode(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.gone, node)
}

// endedOn is what has been used on a node by what has ended there, in core-nanoseconds.
func (a *accounts) endedOn(node string) uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.gone[node]
}

// usageError says in one sentence what is wrong with a pod's annotations about its use; nil: nothing.
func usageError(pod *corev1.Pod) error {
	for name, value := range usageAnnotations(pod) {
		percent, isShare := strings.CutSuffix(value, "%")
		_, err := resource.ParseQuantity(value)
		if isShare {
			_, err = strconv.ParseFloat(percent, 64)
		}
		if err != nil {
			return fmt.Errorf("pod %s/%s: annotation %s must be a quantity like 250m or 300Mi, or a share of the request like "+
				"80%%, not %q", pod.Namespace, pod.Name, name, value)
		}
	}
	return nil
}
