package podset

import (
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// MemoryAnnotation is a quantity, "300Mi", that a pod's containers use together, or a share of what each has requested,
// "50%". With "." and a container's name behind it, it is for that container alone and comes before the general one.
const MemoryAnnotation = "tripod.internal/memory"

// What containers use that say nothing: a share of their requests, and of those that request nothing a little.
const (
	defaultMemoryShare = 0.50
	idleMemory         = 16 << 20 // bytes
	smallestMemory     = 1 << 20
)

// MemoryUsage is how many bytes a container uses: what its pod says, or half of what it requests, and no more than its
// limit. The kubelets' statistics and their choice of whom to evict go by it.
func MemoryUsage(pod *corev1.Pod, c *corev1.Container) uint64 {
	used := uint64(idleMemory)
	if declared := Declared(pod, c, MemoryAnnotation, corev1.ResourceMemory, defaultMemoryShare); declared >= 0 {
		used = max(smallestMemory, uint64(declared))
	}
	if limit, ok := c.Resources.Limits[corev1.ResourceMemory]; ok {
		used = min(used, uint64(limit.Value()))
	}
	return used
}

// Declared is an annotation's value for a container, or a share of its request; negative: nothing is said.
func Declared(pod *corev1.Pod, c *corev1.Container, annotation string, name corev1.ResourceName, share float64) float64 {
	request := -1.0
	if q, ok := c.Resources.Requests[name]; ok {
		request = q.AsApproximateFloat64()
	}
	value, own := pod.Annotations[annotation+"."+c.Name]
	if !own {
		value = pod.Annotations[annotation]
	}
	if percent, ok := strings.CutSuffix(value, "%"); ok {
		if n, err := strconv.ParseFloat(percent, 64); err == nil && n >= 0 && n < 1e6 {
			return request * n / 100
		}
	} else if q, err := resource.ParseQuantity(value); err == nil && q.Sign() >= 0 {
		if own {
			return q.AsApproximateFloat64()
		}
		return q.AsApproximateFloat64() * part(pod, c, annotation, name)
	}
	return request * share
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
