package fargate

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/object"
)

// Names that EKS gives its pods and nodes on Fargate.
const (
	// SchedulerName is Fargate's scheduler.
	SchedulerName = "fargate-scheduler"
	// ProfileLabel names a pod's profile. Who sets it chooses among those that match.
	ProfileLabel = "eks.amazonaws.com/fargate-profile"
	// ComputeType is the label and the taint of Fargate's nodes, and the annotation by which pods stay away from them.
	ComputeType = "eks.amazonaws.com/compute-type"

	fargateCompute = "fargate"
)

// ProfileOf is the profile that a new pod of a namespace falls to, where profiles are in the order of their names; empty:
// it is none of Fargate's. The first one that matches counts, or that which the pod's label names ("Define which Pods use
// AWS Fargate when launched" in the EKS user guide). Pods that say themselves where they run, and those of DaemonSets, are
// left alone.
func ProfileOf(pod *corev1.Pod, namespace string, profiles []object.FargateProfile) string {
	if chosenElsewhere(pod) {
		return ""
	}
	wanted, named := pod.Labels[ProfileLabel]
	for _, p := range profiles {
		if named && p.Name != wanted {
			continue
		}
		for _, s := range p.Selectors {
			if selects(s, namespace, pod.Labels) {
				return p.Name
			}
		}
	}
	return ""
}

// chosenElsewhere says whether something of the pod says that it is not for Fargate: its own scheduler, node or selector of
// nodes, a DaemonSet that made it, or the annotation that EKS gives coredns.
func chosenElsewhere(pod *corev1.Pod) bool {
	owner := metav1.GetControllerOf(pod)
	compute, says := pod.Annotations[ComputeType]
	return pod.Spec.SchedulerName != "" && pod.Spec.SchedulerName != corev1.DefaultSchedulerName ||
		pod.Spec.NodeName != "" || len(pod.Spec.NodeSelector) > 0 || owner != nil && owner.Kind == "DaemonSet" ||
		says && compute != fargateCompute
}

// selects says whether a selector means pods of the namespace with these labels.
func selects(s object.FargateSelector, namespace string, labels map[string]string) bool {
	if !wild(s.Namespace, namespace) {
		return false
	}
	for key, pattern := range s.Labels {
		if !hasLabel(labels, key, pattern) {
			return false
		}
	}
	return true
}

// hasLabel says whether one of the labels is as the selector has it: its key may have wildcards too.
func hasLabel(labels map[string]string, key, pattern string) bool {
	if value, found := labels[key]; found && wild(pattern, value) {
		return true
	}
	for k, value := range labels {
		if wild(key, k) && wild(pattern, value) {
			return true
		}
	}
	return false
}

// wild says whether a text is as a pattern has it: * is any text, ? any one byte. It takes time in proportion to the product
// of their lengths at most.
func wild(pattern, text string) bool {
	p, star, after := 0, -1, 0 // star is the last * met, and after where its text ends so far
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, after, p = p, t, p+1
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			after++
			p, t = star+1, after
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
