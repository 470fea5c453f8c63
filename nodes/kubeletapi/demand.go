package kubeletapi

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"tripod/nodes/curve"
	"tripod/nodes/kwokusage"
	"tripod/nodes/podlife"
	"tripod/nodes/podset"
)

// Annotations on a pod that say what its containers use, beside those of package podset.
const (
	// RequestCPUAnnotation is the CPU that a request per second costs: "5m" are 5 ms of a core each.
	RequestCPUAnnotation = "tripod.internal/cpu-per-request"
	// RequestMemoryAnnotation is the memory that each request of the last second takes beside it: "1Mi".
	RequestMemoryAnnotation = "tripod.internal/memory-per-request"
)

const (
	// startCPU is the core-nanoseconds that starting takes: whoever reads a zero thinks that nothing is there.
	startCPU = 20e6
	// slot is for how long the value of an expression that moves is held, and most are looked back over at most.
	slot      = 15 * time.Second
	mostSlots = 240
	// quotaPeriod is that of the kernel's CPU bandwidth control: a container that wants more than its limit is throttled in
	// each.
	quotaPeriod = 100 * time.Millisecond
)

// demand is what a container wants.
type demand struct {
	cpu         curve.Curve       // cores
	amount      *kwokusage.Amount // of cores, in the place of cpu; nil: there is none
	least       float64           // cores that it uses at least
	limit       float64           // cores that it may use
	memory      func(t time.Time) uint64
	eachRequest float64 // core-nanoseconds
	eachMemory  float64 // bytes of each request of the last second
}

// demandOf is what a container of a pod wants by what is declared, or by its requests. What cannot be read counts as not
// said. stress is the pod's, capacity the node's.
func (a *accounts) demandOf(pod *corev1.Pod, c *corev1.Container, stress podlife.Stress, capacity corev1.ResourceList) demand {
	d := demand{limit: podset.Limit(c, corev1.ResourceCPU), least: stress.CPU * mayUse(c, capacity, corev1.ResourceCPU)}
	d.cpu, d.amount = a.declared(pod, c, corev1.ResourceCPU)
	memory, amount := a.declared(pod, c, corev1.ResourceMemory)
	leastMemory := stress.Memory * mayUse(c, capacity, corev1.ResourceMemory)
	d.memory = func(t time.Time) uint64 {
		bytes := memory.At(t)
		if amount != nil {
			bytes = a.amountAt(amount, pod, c, t, podset.Usual(c, corev1.ResourceMemory))
		}
		return max(podset.Memory(c, bytes), uint64(leastMemory))
	}
	if listens := len(pod.Spec.Containers) > 0 && c.Name == serving(pod); listens {
		d.eachRequest = quantity(pod.Annotations[RequestCPUAnnotation]) * 1e9
		d.eachMemory = quantity(pod.Annotations[RequestMemoryAnnotation])
	}
	return d
}

func quantity(text string) float64 {
	if text == "" {
		return 0
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return max(0, q.AsApproximateFloat64())
}

// declared is what is declared of a container's use: by annotations, by KWOK's objects (the amount), or by its request.
func (a *accounts) declared(pod *corev1.Pod, c *corev1.Container, name corev1.ResourceName) (curve.Curve, *kwokusage.Amount) {
	if declared, said := podset.Declared(pod, c, name); said {
		return declared, nil
	}
	if amount := a.kwok.Find(pod, c.Name, string(name)); amount != nil {
		return curve.Curve{}, amount
	}
	return podset.Usual(c, name), nil
}

// amountAt is an amount of KWOK's objects in the slot of a time, or what is usual where it cannot be told.
func (a *accounts) amountAt(amount *kwokusage.Amount, pod *corev1.Pod, c *corev1.Container, t time.Time, usual curve.Curve) float64 {
	about := kwokusage.Subject{Node: a.node(pod.Spec.NodeName), Pod: pod, Container: c,
		At: maxTime(t.Truncate(slot), pod.CreationTimestamp.Time)}
	about.Uses = func(q kwokusage.Question) (float64, error) { return a.within(q, about) }
	if n, ok := a.kwok.At(amount, about); ok {
		return n
	}
	return usual.At(t)
}

// within answers what an expression about a pod's use asks, which can only be about other things that are declared of the
// pod.
func (a *accounts) within(q kwokusage.Question, about kwokusage.Subject) (sum float64, err error) {
	if q.Cumulative || q.Pod == nil || q.Pod.Namespace != about.Pod.Namespace || q.Pod.Name != about.Pod.Name {
		return 0, errors.New("in an object that says what a pod uses, only that pod's Usage is known")
	}
	for i := range about.Pod.Spec.Containers {
		c := &about.Pod.Spec.Containers[i]
		if q.Container != "" && q.Container != c.Name {
			continue
		}
		name := corev1.ResourceName(q.Resource)
		amount := a.kwok.Find(about.Pod, c.Name, q.Resource)
		if name == corev1.ResourceCPU || name == corev1.ResourceMemory {
			var declared curve.Curve
			if declared, amount = a.declared(about.Pod, c, name); amount == nil {
				sum += declared.At(about.At)
			}
		}
		if amount == nil {
			continue
		}
		inner := about
		inner.Container = c
		n, ok := a.kwok.Within(amount, inner)
		if !ok {
			return 0, fmt.Errorf("the use of %s by container %s cannot be told", q.Resource, c.Name)
		}
		sum += n
	}
	return sum, nil
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

// usagePrefixes are those of all annotations about use; some are of containers, too.
var usagePrefixes = []string{podset.CPUAnnotation, podset.MemoryAnnotation, podset.KWOKCPUAnnotation, podset.KWOKMemoryAnnotation}

func usageAnnotations(pod *corev1.Pod) map[string]string {
	found := map[string]string{}
	for name, value := range pod.Annotations {
		for _, prefix := range usagePrefixes {
			if strings.HasPrefix(name, prefix) {
				found[name] = value
			}
		}
	}
	return found
}

// usageError says in one sentence what is wrong with a pod's annotations about its use; nil: nothing.
func usageError(pod *corev1.Pod) error {
	annotations := usageAnnotations(pod)
	for _, name := range slices.Sorted(maps.Keys(annotations)) {
		fail := func(what string, err error) error {
			return fmt.Errorf("pod %s/%s: annotation %s must be %s: %w", pod.Namespace, pod.Name, name, what, err)
		}
		if name == RequestCPUAnnotation || name == RequestMemoryAnnotation {
			if q, err := resource.ParseQuantity(annotations[name]); err != nil || q.Sign() < 0 {
				return fail("a quantity like 5m or 1Mi", fmt.Errorf("%q is none", annotations[name]))
			}
			continue
		}
		if _, err := curve.Parse(annotations[name]); err != nil {
			return fail(curve.Forms, err)
		}
	}
	return nil
}
