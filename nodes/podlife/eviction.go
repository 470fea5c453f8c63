package podlife

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"tripod/nodes/podset"
)

// Starved is what a node under pressure is low on.
func Starved(condition corev1.NodeConditionType) corev1.ResourceName {
	switch condition {
	case corev1.NodeDiskPressure:
		return corev1.ResourceEphemeralStorage
	case corev1.NodePIDPressure:
		return "pids"
	}
	return corev1.ResourceMemory
}

// Victim is the pod that a kubelet evicts first when its node is low on something, or nil: of the pods that run and are
// not critical, those that use more than they asked for come first, then those of the lowest priority, then those that
// exceed their requests the most (pkg/kubelet/eviction/helpers.go).
func Victim(pods []*corev1.Pod, starved corev1.ResourceName, now time.Time) *corev1.Pod {
	var ranked []*corev1.Pod
	for _, pod := range pods {
		if Active(pod) && pod.DeletionTimestamp == nil && !Critical(pod) {
			ranked = append(ranked, pod)
		}
	}
	if len(ranked) == 0 {
		return nil
	}
	return slices.MinFunc(ranked, func(a, b *corev1.Pod) int {
		overA, overB := excess(a, starved, now), excess(b, starved, now)
		return cmp.Or(
			compareBool(overB > 0, overA > 0),
			cmp.Compare(priority(a), priority(b)),
			cmp.Compare(overB, overA),
			cmp.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name),
		)
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

func priority(pod *corev1.Pod) int32 {
	if pod.Spec.Priority == nil {
		return 0
	}
	return *pod.Spec.Priority
}

// excess is by how many bytes a pod uses more memory than it asked for. Of other things nothing is known.
func excess(pod *corev1.Pod, starved corev1.ResourceName, now time.Time) int64 {
	if starved != corev1.ResourceMemory {
		return 0
	}
	var over int64
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		over += int64(podset.MemoryUsage(pod, c, now)) - c.Resources.Requests.Memory().Value()
	}
	return over
}

// EvictionMessage is what a kubelet says to a pod that it evicts.
func EvictionMessage(pod *corev1.Pod, starved corev1.ResourceName, now time.Time) string {
	t := thresholds[starved]
	text := fmt.Sprintf("The node was low on resource: %s. Threshold quantity: %s, available: %s. ", starved, t[0].String(), t[1].String())
	if starved != corev1.ResourceMemory {
		return text
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		usage := resource.NewQuantity(int64(podset.MemoryUsage(pod, c, now)), resource.BinarySI)
		request := c.Resources.Requests[corev1.ResourceMemory]
		if usage.Cmp(request) > 0 {
			text += fmt.Sprintf("Container %s was using %s, request is %s, has larger consumption of %v. ",
				c.Name, usage.String(), request.String(), starved)
		}
	}
	return text
}
