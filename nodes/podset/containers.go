package podset

import (
	"iter"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// containers are all of a pod's that may have ports, the ordinary ones first.
func containers(pod *corev1.Pod) iter.Seq[*corev1.Container] {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// Hostname of a pod's containers.
func Hostname(pod *corev1.Pod) string {
	name, domain := HostAndDomain(pod)
	if fqdn := pod.Spec.SetHostnameAsFQDN; fqdn != nil && *fqdn && domain != "" && !pod.Spec.HostNetwork {
		return name + "." + domain
	}
	return name
}

// HostAndDomain is a pod's own name, and the domain that it is in; "": it is in none.
func HostAndDomain(pod *corev1.Pod) (name, domain string) {
	if pod.Spec.HostnameOverride != nil {
		return *pod.Spec.HostnameOverride, ""
	}
	if pod.Spec.Subdomain != "" {
		domain = pod.Spec.Subdomain + "." + pod.Namespace + ".svc.cluster.local"
	}
	return hostname(pod), domain
}

func hostname(pod *corev1.Pod) string {
	switch {
	case pod.Spec.HostNetwork:
		return pod.Spec.NodeName
	case pod.Spec.Hostname != "":
		return pod.Spec.Hostname
	}
	return pod.Name[:min(len(pod.Name), 63)]
}

// User is who a container runs as, by what its pod says of it: a user, its group, and the groups beside that. What an
// image says is not known; most say root.
func User(pod *corev1.Pod, c *corev1.Container) (uid, gid int64, groups []int64) {
	set := func(user, group *int64) {
		if user != nil {
			uid = *user
		}
		if group != nil {
			gid = *group
		}
	}
	if s := pod.Spec.SecurityContext; s != nil {
		set(s.RunAsUser, s.RunAsGroup)
		if groups = slices.Clone(s.SupplementalGroups); s.FSGroup != nil {
			groups = append(groups, *s.FSGroup)
		}
	}
	if s := c.SecurityContext; s != nil {
		set(s.RunAsUser, s.RunAsGroup)
	}
	return uid, gid, groups
}

// Container is the spec of any of a pod's containers, ephemeral ones too; nil: it has none of that name.
func Container(pod *corev1.Pod, container string) *corev1.Container {
	for c := range containers(pod) {
		if c.Name == container {
			return c
		}
	}
	for i := range pod.Spec.EphemeralContainers {
		if c := &pod.Spec.EphemeralContainers[i]; c.Name == container {
			common := corev1.Container(c.EphemeralContainerCommon)
			return &common
		}
	}
	return nil
}

// Status is that of any of a pod's containers; nil: the kubelet has not told of it yet.
func Status(pod *corev1.Pod, container string) *corev1.ContainerStatus {
	for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses,
		pod.Status.EphemeralContainerStatuses} {
		for i := range list {
			if list[i].Name == container {
				return &list[i]
			}
		}
	}
	return nil
}

// Running are the statuses of the containers that run, in the order of the status.
func Running(pod *corev1.Pod) iter.Seq[*corev1.ContainerStatus] {
	return func(yield func(*corev1.ContainerStatus) bool) {
		for _, list := range [][]corev1.ContainerStatus{pod.Status.ContainerStatuses, pod.Status.InitContainerStatuses,
			pod.Status.EphemeralContainerStatuses} {
			for i := range list {
				if list[i].State.Running != nil && !yield(&list[i]) {
					return
				}
			}
		}
	}
}

// Ready says what the pod's condition Ready does.
func Ready(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

func isTCP(p corev1.ContainerPort) bool { return p.Protocol == "" || p.Protocol == corev1.ProtocolTCP }

// Listener is the container that listens on a TCP port: the one that declares it, by its ports or by a probe that asks
// there; nil: none does.
func Listener(pod *corev1.Pod, port int) *corev1.Container {
	for c := range containers(pod) {
		if slices.Contains(Ports(c), port) {
			return c
		}
	}
	return nil
}

// Ports are the TCP ports on which a container says that it listens.
func Ports(c *corev1.Container) []int {
	var ports []int
	for _, p := range c.Ports {
		if isTCP(p) {
			ports = append(ports, int(p.ContainerPort))
		}
	}
	for _, probe := range []*corev1.Probe{c.ReadinessProbe, c.LivenessProbe, c.StartupProbe} {
		switch {
		case probe == nil:
		case probe.HTTPGet != nil && probe.HTTPGet.Port.Type == intstr.Int:
			ports = append(ports, probe.HTTPGet.Port.IntValue())
		case probe.TCPSocket != nil && probe.TCPSocket.Port.Type == intstr.Int:
			ports = append(ports, probe.TCPSocket.Port.IntValue())
		}
	}
	return ports
}
