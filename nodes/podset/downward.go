package podset

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/kubectl/pkg/util/fieldpath"
	"k8s.io/kubectl/pkg/util/resource"
)

// Field is what the downward API says of a pod with a status, which may be newer than the pod's: the kubelet's
// podFieldSelectorRuntimeValue.
func Field(pod *corev1.Pod, status *corev1.PodStatus, path string) (string, error) {
	switch path {
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP":
		return status.HostIP, nil
	case "status.hostIPs":
		var addresses []string
		for _, ip := range status.HostIPs {
			addresses = append(addresses, ip.IP)
		}
		return strings.Join(addresses, ","), nil
	case "status.podIP":
		return status.PodIP, nil
	case "status.podIPs":
		var addresses []string
		for _, ip := range status.PodIPs {
			addresses = append(addresses, ip.IP)
		}
		return strings.Join(addresses, ","), nil
	}
	return fieldpath.ExtractFieldPathAsString(pod, path)
}

// Resource is a request or a limit of a container, or of another one that ref names, in units of the divisor and rounded
// up. One without a limit may have all that its pod may, or its node has to give, which is asked for only then: the
// kubelet's defaultPodLimitsForDownwardAPI.
func Resource(pod *corev1.Pod, container *corev1.Container, ref *corev1.ResourceFieldSelector,
	allocatable func() (corev1.ResourceList, error)) (string, error) {
	if ref.ContainerName != "" {
		if container = Container(pod, ref.ContainerName); container == nil {
			return "", fmt.Errorf("there is no container %s", ref.ContainerName)
		}
	}
	container = container.DeepCopy()
	if name, ok := strings.CutPrefix(ref.Resource, "limits."); ok {
		if err := defaultLimit(pod, container, corev1.ResourceName(name), allocatable); err != nil {
			return "", err
		}
	}
	return resource.ExtractContainerResourceValue(ref, container)
}

func defaultLimit(pod *corev1.Pod, container *corev1.Container, name corev1.ResourceName,
	allocatable func() (corev1.ResourceList, error)) error {
	// huge pages are never overcommitted
	if limit := container.Resources.Limits[name]; !limit.IsZero() || resource.IsHugePageResourceName(name) {
		return nil
	}
	all, err := allocatable()
	if err != nil {
		return err
	}
	limit, ok := all[name]
	if !ok {
		return nil
	}
	if resourcehelper.IsPodLevelLimitsSet(pod) && resourcehelper.IsSupportedPodLevelResource(name) {
		if ofPod := pod.Spec.Resources.Limits[name]; !ofPod.IsZero() {
			limit = ofPod
		}
	}
	if container.Resources.Limits == nil {
		container.Resources.Limits = corev1.ResourceList{}
	}
	container.Resources.Limits[name] = limit
	return nil
}
