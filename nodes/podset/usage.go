package podset

import (
	"math"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/curve"
)

// Annotations on a pod that say what its containers use, as package curve reads it: quantities that the containers share, or
// shares of what each has requested. With "." and a container's name behind it, one is for that container alone and comes
// before the general one.
const (
	CPUAnnotation    = "tripod.internal/cpu"
	MemoryAnnotation = "tripod.internal/memory"
)

// Annotations of KWOK's configuration "usage from annotation", which say what each of the pod's containers uses.
const (
	KWOKCPUAnnotation    = "kwok.x-k8s.io/usage-cpu"
	KWOKMemoryAnnotation = "kwok.x-k8s.io/usage-memory"
)

// What containers use that say nothing: a share of their requests, and of those that request nothing a little.
const (
	defaultCPUShare    = 0.10
	defaultMemoryShare = 0.50
	idleCPU            = 0.001    // cores
	idleMemory         = 16 << 20 // bytes
	smallestMemory     = 1 << 20
)

// MemoryUsage is how many bytes a container uses at a time by its pod's annotations, or else by its request, and no more
// than its limit. The kubelets' choice of whom to evict goes by it.
func MemoryUsage(pod *corev1.Pod, c *corev1.Container, at time.Time) uint64 {
	declared, said := Declared(pod, c, corev1.ResourceMemory)
	if !said {
		declared = Usual(c, corev1.ResourceMemory)
	}
	return Memory(c, declared.At(at))
}

// Memory is what a container uses that declares so many bytes.
func Memory(c *corev1.Container, declared float64) uint64 {
	used := uint64(max(smallestMemory, declared))
	if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
		used = min(used, uint64(limit.Value()))
	}
	return used
}

// Usual is what a container uses of which nothing is said: cores or bytes.
func Usual(c *corev1.Container, name corev1.ResourceName) curve.Curve {
	request, has := c.Resources.Requests[name]
	switch {
	case name == corev1.ResourceCPU && has:
		return curve.Constant(request.AsApproximateFloat64() * defaultCPUShare)
	case name == corev1.ResourceCPU:
		return curve.Constant(idleCPU)
	case has:
		return curve.Constant(request.AsApproximateFloat64() * defaultMemoryShare)
	}
	return curve.Constant(idleMemory)
}

// Declared is what the annotations of its pod say that a container uses: cores or bytes; false: nothing that can be read, or
// a share of a request that it has not.
func Declared(pod *corev1.Pod, c *corev1.Container, name corev1.ResourceName) (curve.Curve, bool) {
	annotation, kwok := CPUAnnotation, KWOKCPUAnnotation
	if name == corev1.ResourceMemory {
		annotation, kwok = MemoryAnnotation, KWOKMemoryAnnotation
	}
	text, own := pod.Annotations[annotation+"."+c.Name]
	if !own {
		text = pod.Annotations[annotation]
	}
	if declared, ok := read(pod, c, text, name, func() float64 {
		if own {
			return 1
		}
		return part(pod, c, annotation, name)
	}); ok {
		return declared, true
	}
	return read(pod, c, pod.Annotations[kwok], name, func() float64 { return 1 })
}

// read reads a curve, of whose quantities the container has a part.
func read(pod *corev1.Pod, c *corev1.Container, text string, name corev1.ResourceName, part func() float64) (curve.Curve, bool) {
	if text == "" {
		return curve.Curve{}, false
	}
	declared, err := curve.Parse(text)
	if err != nil {
		return curve.Curve{}, false
	}
	declared = declared.Of(pod.Namespace + "/" + pod.Name + "/" + c.Name)
	if !declared.Share() {
		return declared.Scale(part()), true
	}
	request, has := c.Resources.Requests[name]
	return declared.Scale(request.AsApproximateFloat64()), has
}

// Limit is how much of a resource a container may use; infinite where it has no limit.
func Limit(c *corev1.Container, name corev1.ResourceName) float64 {
	if limit, ok := c.Resources.Limits[name]; ok {
		return limit.AsApproximateFloat64()
	}
	return math.Inf(1)
}

// part is a container's of what the pod's containers use together: by their requests where all have one, else evenly.
// Containers that have an annotation of their own, and those that only run before the others, have no part.
func part(pod *corev1.Pod, c *corev1.Container, annotation string, name corev1.ResourceName) float64 {
	sum, own, count, all := 0.0, 0.0, 0, true
	for i := range pod.Spec.Containers {
		other := &pod.Spec.Containers[i]
		if _, alone := pod.Annotations[annotation+"."+other.Name]; alone {
			continue
		}
		q, ok := other.Resources.Requests[name]
		all = all && ok && q.Sign() > 0
		sum += q.AsApproximateFloat64()
		count++
		if other.Name == c.Name {
			own = q.AsApproximateFloat64()
		}
	}
	switch {
	case count == 0 || !isMain(pod, c.Name):
		return 0
	case all:
		return own / sum
	}
	return 1 / float64(count)
}

func isMain(pod *corev1.Pod, name string) bool {
	for i := range pod.Spec.Containers {
		if pod.Spec.Containers[i].Name == name {
			return true
		}
	}
	return false
}
