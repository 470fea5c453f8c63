package kubeletapi

import (
	"math"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"tripod/nodes/podset"
)

// environment is a container's, as NAME=value, as far as a kubelet could make it without asking for anything: plain
// values, fields and resources; keys of ConfigMaps and Secrets where Config.Value knows them.
func (a *API) environment(n Node, pod *corev1.Pod, c *corev1.Container) []string {
	list := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + hostname(pod),
		"HOME=/root", "KUBERNETES_SERVICE_HOST=10.100.0.1", "KUBERNETES_SERVICE_PORT=443"}
	if dns, ok := strings.CutSuffix(n.dns(), ".10"); ok {
		list[3] = "KUBERNETES_SERVICE_HOST=" + dns + ".1"
	}
	known := map[string]string{}
	for _, e := range c.Env {
		value, ok := expand(e.Value, known), true
		if e.ValueFrom != nil {
			value, ok = a.valueFrom(n, pod, c, e.ValueFrom)
		}
		if ok {
			known[e.Name] = value
			list = append(list, e.Name+"="+value)
		}
	}
	return list
}

func (a *API) valueFrom(n Node, pod *corev1.Pod, c *corev1.Container, source *corev1.EnvVarSource) (string, bool) {
	switch {
	case source.FieldRef != nil:
		return field(pod, source.FieldRef.FieldPath)
	case source.ResourceFieldRef != nil:
		if other := source.ResourceFieldRef.ContainerName; other != "" {
			if c = podset.Container(pod, other); c == nil {
				return "", false
			}
		}
		return resourceField(n, c, source.ResourceFieldRef)
	case a.conf.Value != nil:
		return a.conf.Value(pod.Namespace, source)
	}
	return "", false
}

// field is what the downward API gives for a path.
func field(pod *corev1.Pod, path string) (string, bool) {
	if name, rest, ok := strings.Cut(path, "['"); ok {
		values := map[string]map[string]string{"metadata.labels": pod.Labels, "metadata.annotations": pod.Annotations}[name]
		value, found := values[strings.TrimSuffix(rest, "']")]
		return value, found
	}
	addresses := func(list []string) string { return strings.Join(list, ",") }
	var podIPs, hostIPs []string
	for _, ip := range pod.Status.PodIPs {
		podIPs = append(podIPs, ip.IP)
	}
	for _, ip := range pod.Status.HostIPs {
		hostIPs = append(hostIPs, ip.IP)
	}
	value, found := map[string]string{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": string(pod.UID),
		"spec.nodeName": pod.Spec.NodeName, "spec.serviceAccountName": pod.Spec.ServiceAccountName,
		"status.hostIP": pod.Status.HostIP, "status.podIP": pod.Status.PodIP,
		"status.podIPs": addresses(podIPs), "status.hostIPs": addresses(hostIPs),
	}[path]
	return value, found
}

// resourceField is a request or limit in units of the divisor, rounded up; without a limit it is what the node can give.
func resourceField(n Node, c *corev1.Container, ref *corev1.ResourceFieldSelector) (string, bool) {
	kind, name, _ := strings.Cut(ref.Resource, ".")
	list := map[string]corev1.ResourceList{"limits": c.Resources.Limits, "requests": c.Resources.Requests}[kind]
	value, found := list[corev1.ResourceName(name)]
	if !found && kind == "limits" {
		value, found = n.Allocatable[corev1.ResourceName(name)]
	}
	if !found && kind == "requests" {
		found = true // zero
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	units := math.Ceil(value.AsApproximateFloat64() / divisor.AsApproximateFloat64())
	return strconv.FormatFloat(units, 'f', -1, 64), found && kind != ""
}

// expand replaces $(NAME) of known variables, and $$ by $, as a kubelet does in commands, arguments and values.
func expand(s string, known map[string]string) string {
	var b strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, "$")
		b.WriteString(before)
		if !found {
			break
		}
		if rest, ok := strings.CutPrefix(after, "$"); ok {
			b.WriteByte('$')
			s = rest
			continue
		}
		if name, rest, ok := strings.Cut(strings.TrimPrefix(after, "("), ")"); ok && strings.HasPrefix(after, "(") {
			if value, set := known[name]; set {
				b.WriteString(value)
				s = rest
				continue
			}
		}
		b.WriteByte('$')
		s = after
	}
	return b.String()
}

// hostname of a pod's containers.
func hostname(pod *corev1.Pod) string {
	switch {
	case pod.Spec.HostNetwork:
		return pod.Spec.NodeName
	case pod.Spec.Hostname != "":
		return pod.Spec.Hostname
	}
	return pod.Name[:min(len(pod.Name), 63)]
}

// file is the content of the few files that a container of a simulated pod has.
func file(n Node, pod *corev1.Pod, name string) (string, bool) {
	switch name {
	case "/etc/hostname":
		return hostname(pod) + "\n", true
	case "/etc/hosts":
		return "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n" + pod.Status.PodIP + "\t" + hostname(pod) + "\n", true
	case "/etc/resolv.conf":
		return "search " + pod.Namespace + ".svc.cluster.local svc.cluster.local cluster.local\nnameserver " + n.dns() +
			"\noptions ndots:5\n", true
	case "/dev/null":
		return "", true
	}
	return "", false
}
