package kubeletapi

import (
	"errors"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/nodes/podset"
)

// environment is a container's, as NAME=value, as far as a kubelet could make it without asking for anything: plain
// values, fields and resources, but no keys of ConfigMaps and Secrets.
func environment(n Node, pod *corev1.Pod, c *corev1.Container) []string {
	list := []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOSTNAME=" + podset.Hostname(pod),
		"HOME=/root", "KUBERNETES_SERVICE_HOST=10.100.0.1", "KUBERNETES_SERVICE_PORT=443"}
	if dns, ok := strings.CutSuffix(n.dns(), ".10"); ok {
		list[3] = "KUBERNETES_SERVICE_HOST=" + dns + ".1"
	}
	known := map[string]string{}
	for _, e := range c.Env {
		value, err := expansion.Expand(e.Value, expansion.MappingFuncFor(known)), error(nil)
		if e.ValueFrom != nil {
			value, err = valueFrom(n, pod, c, e.ValueFrom)
		}
		if err == nil {
			known[e.Name] = value
			list = append(list, e.Name+"="+value)
		}
	}
	return list
}

// valueFrom is the value of a field or a resource.
func valueFrom(n Node, pod *corev1.Pod, c *corev1.Container, source *corev1.EnvVarSource) (value string, err error) {
	switch {
	case source.FieldRef != nil:
		return podset.Field(pod, &pod.Status, source.FieldRef.FieldPath)
	case source.ResourceFieldRef != nil:
		return podset.Resource(pod, c, source.ResourceFieldRef, func() (corev1.ResourceList, error) { return n.Allocatable, nil })
	}
	return "", errElsewhere
}

// errElsewhere is why a variable has no value here: it is of an object that would have to be asked for.
var errElsewhere = errors.New("not known without asking")

// file is the content of the few files that a container of a simulated pod has.
func file(n Node, pod *corev1.Pod, name string) (string, bool) {
	switch name {
	case "/etc/hostname":
		return podset.Hostname(pod) + "\n", true
	case "/etc/hosts":
		return "# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n" + pod.Status.PodIP + "\t" + podset.Hostname(pod) + "\n", true
	case "/etc/resolv.conf":
		return "search " + pod.Namespace + ".svc.cluster.local svc.cluster.local cluster.local\nnameserver " + n.dns() +
			"\noptions ndots:5\n", true
	case "/dev/null":
		return "", true
	}
	return "", false
}
