package podexec

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	resourcehelper "k8s.io/component-helpers/resource"
	"k8s.io/kubectl/pkg/util/fieldpath"
	"k8s.io/kubectl/pkg/util/resource"
)

// field is what the downward API says of the pod, as the kubelet's podFieldSelectorRuntimeValue.
func (p *pod) field(name string) (string, error) {
	status := p.object.Status
	switch name {
	case "spec.nodeName":
		return p.object.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return p.object.Spec.ServiceAccountName, nil
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
	return fieldpath.ExtractFieldPathAsString(p.object, name)
}

// resource is a request or a limit of a container, in units of the divisor and rounded up. One without a limit may have
// all that its pod may, or its node has: the kubelet's defaultPodLimitsForDownwardAPI.
func (p *pod) resource(ctx context.Context, ref *corev1.ResourceFieldSelector) (string, error) {
	container := p.container
	if ref.ContainerName != "" {
		if container = p.containerNamed(ref.ContainerName); container == nil {
			return "", fmt.Errorf("there is no container %s", ref.ContainerName)
		}
	}
	container = container.DeepCopy()
	if name, ok := strings.CutPrefix(ref.Resource, "limits."); ok {
		if err := p.defaultLimit(ctx, container, corev1.ResourceName(name)); err != nil {
			return "", err
		}
	}
	return resource.ExtractContainerResourceValue(ref, container)
}

func (p *pod) defaultLimit(ctx context.Context, container *corev1.Container, name corev1.ResourceName) error {
	// huge pages are never overcommitted
	if limit := container.Resources.Limits[name]; !limit.IsZero() || resource.IsHugePageResourceName(name) {
		return nil
	}
	if p.object.Spec.NodeName == "" {
		return fmt.Errorf("container %s has no limit of %s, so that its node's counts, and the pod is on none yet",
			container.Name, name)
	}
	var node *corev1.Node
	err := again(ctx, func() (err error) {
		node, err = p.client.CoreV1().Nodes().Get(ctx, p.object.Spec.NodeName, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return fmt.Errorf("read Node %s: %w", p.object.Spec.NodeName, err)
	}
	limit, ok := node.Status.Allocatable[name]
	if !ok {
		return nil
	}
	if resourcehelper.IsPodLevelLimitsSet(p.object) && resourcehelper.IsSupportedPodLevelResource(name) {
		if ofPod := p.object.Spec.Resources.Limits[name]; !ofPod.IsZero() {
			limit = ofPod
		}
	}
	if container.Resources.Limits == nil {
		container.Resources.Limits = corev1.ResourceList{}
	}
	container.Resources.Limits[name] = limit
	return nil
}
