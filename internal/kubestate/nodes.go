package kubestate

import (
	"context"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type node = corev1.Node

var nodes = kind[node, *node]{
	name: "nodes",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().Nodes().List(ctx, o)
	},
	labels: named[*node]("node"),
	families: []family[node]{
		created[node]("kube_node"),
		deleted[node]("kube_node"),
		info("kube_node_info", "Information about a cluster node.", nodeInfo),
		// As with --metric-labels-allowlist=nodes=[*]: a node's zone and its node group stand there alone.
		info("kube_node_labels", "Kubernetes labels converted to Prometheus labels.",
			func(n *node) []string { return labelsOf("label", n.Labels) }),
		several("kube_node_role", "The role of a cluster node.", func(n *node, s *series) {
			for _, label := range slices.Sorted(maps.Keys(n.Labels)) {
				if role, is := strings.CutPrefix(label, "node-role.kubernetes.io/"); is {
					s.add(1, "role", role)
				}
			}
		}),
		several("kube_node_spec_pod_cidrs", "The pod CIDRs of a cluster node.", func(n *node, s *series) {
			for _, cidr := range n.Spec.PodCIDRs {
				s.add(1, "pod_cidr", cidr)
			}
		}),
		several("kube_node_spec_taint", "The taint of a cluster node.", func(n *node, s *series) {
			for _, t := range n.Spec.Taints {
				s.add(1, "key", t.Key, "value", t.Value, "effect", string(t.Effect))
			}
		}),
		several("kube_node_spec_unschedulable", "Whether a node can schedule new pods.",
			func(n *node, s *series) { s.is(n.Spec.Unschedulable) }),
		several("kube_node_status_addresses", "Node address information.", func(n *node, s *series) {
			for _, a := range n.Status.Addresses {
				s.add(1, "type", string(a.Type), "address", a.Address)
			}
		}),
		several("kube_node_status_allocatable",
			"The allocatable for different resources of a node that are available for scheduling.",
			func(n *node, s *series) { s.quantities(n.Status.Allocatable) }),
		several("kube_node_status_capacity", "The capacity for different resources of a node.",
			func(n *node, s *series) { s.quantities(n.Status.Capacity) }),
		several("kube_node_status_condition", "The condition of a cluster node.", func(n *node, s *series) {
			for _, c := range n.Status.Conditions {
				s.condition(c.Status, "status", "condition", string(c.Type))
			}
		}),
	},
}

func nodeInfo(n *node) []string {
	is := n.Status.NodeInfo
	internal := ""
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP {
			internal = a.Address
		}
	}
	return []string{"kernel_version", is.KernelVersion, "os_image", is.OSImage, "container_runtime_version", is.ContainerRuntimeVersion,
		"kubelet_version", is.KubeletVersion, "kubeproxy_version", "deprecated", "provider_id", n.Spec.ProviderID, "pod_cidr",
		n.Spec.PodCIDR, "system_uuid", is.SystemUUID, "internal_ip", internal}
}
