package kubestate

import (
	"context"
	"net/netip"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// The reasons that are told of by their names. Others are Other.
var (
	statusReasons = []string{"Evicted", "NodeAffinity", "NodeLost", "PreemptionByScheduler", "SchedulingGated", "Shutdown",
		"TerminationByKubelet", "UnexpectedAdmissionError"}
	disruptionReasons = []string{"PreemptionByScheduler", "DeletionByTaintManager", "EvictionByEvictionAPI", "DeletionByPodGC",
		"TerminationByKubelet"}
)

type pod = corev1.Pod

var pods = kind[pod, *pod]{
	name: "pods",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().Pods("").List(ctx, o)
	},
	labels:   identified[*pod]("pod"),
	families: slices.Concat(podSpecs, podStatuses, containers, initContainers),
}

var podSpecs = []family[pod]{
	info("kube_pod_info", "Information about pod.", func(p *pod) []string {
		kind, name := "", ""
		if owner := metav1.GetControllerOf(p); owner != nil {
			kind, name = owner.Kind, owner.Name
		}
		return []string{"host_ip", p.Status.HostIP, "pod_ip", p.Status.PodIP, "node", p.Spec.NodeName, "created_by_kind", kind,
			"created_by_name", name, "priority_class", p.Spec.PriorityClassName, "host_network", word(p.Spec.HostNetwork)}
	}),
	owners[pod]("kube_pod", "Information about the Pod's owner.", true),
	created[pod]("kube_pod"),
	deleted[pod]("kube_pod"),
	info("kube_pod_restart_policy", "Describes the restart policy in use by this pod.",
		func(p *pod) []string { return []string{"type", string(p.Spec.RestartPolicy)} }),
	info("kube_pod_service_account", "The service account for a pod.",
		func(p *pod) []string { return []string{"service_account", p.Spec.ServiceAccountName} }),
	info("kube_pod_scheduler", "The scheduler for a pod.", func(p *pod) []string { return []string{"name", p.Spec.SchedulerName} }),
	several("kube_pod_runtimeclass_name_info", "The runtimeclass associated with the pod.", func(p *pod, s *series) {
		if p.Spec.RuntimeClassName != nil {
			s.add(1, "runtimeclass_name", *p.Spec.RuntimeClassName)
		}
	}),
	several("kube_pod_tolerations", "Information about the pod tolerations", tolerations),
	several("kube_pod_overhead_cpu_cores", "The pod overhead in regards to cpu cores associated with running a pod.",
		func(p *pod, s *series) {
			if q, found := p.Spec.Overhead[corev1.ResourceCPU]; found {
				s.add(value(q))
			}
		}),
	several("kube_pod_overhead_memory_bytes", "The pod overhead in regards to memory associated with running a pod.",
		func(p *pod, s *series) {
			if q, found := p.Spec.Overhead[corev1.ResourceMemory]; found {
				s.add(value(q))
			}
		}),
	several("kube_pod_spec_volumes_persistentvolumeclaims_info",
		"Information about persistentvolumeclaim and ephemeral volumes in a pod.",
		func(p *pod, s *series) { eachClaim(p, func(_ bool, labels ...string) { s.add(1, labels...) }) }),
	several("kube_pod_spec_volumes_persistentvolumeclaims_readonly",
		"Describes whether a persistentvolumeclaim is mounted read only. Ephemeral volumes always report 0 since the ephemeral volume "+
			"source does not support a read-only flag.",
		func(p *pod, s *series) { eachClaim(p, s.is) }),
	several("kube_pod_resourceclaim_info",
		"Information about a DRA ResourceClaim referenced by a pod, one series per pod.spec.resourceClaims entry; claim_name is the "+
			"pod-local reference and resourceclaim_name is the resolved ResourceClaim object name.", resourceClaims),
}

func tolerations(p *pod, s *series) {
	seen := map[[5]string]bool{}
	for _, t := range p.Spec.Tolerations {
		seconds := ""
		if t.TolerationSeconds != nil {
			seconds = strconv.FormatInt(*t.TolerationSeconds, 10)
		}
		is := [5]string{t.Key, string(t.Operator), t.Value, string(t.Effect), seconds}
		if !seen[is] {
			s.add(1, "key", is[0], "operator", is[1], "value", is[2], "effect", is[3], "toleration_seconds", is[4])
		}
		seen[is] = true
	}
}

func eachClaim(p *pod, tell func(readOnly bool, labels ...string)) {
	for _, v := range p.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			tell(v.PersistentVolumeClaim.ReadOnly, "volume", v.Name, "persistentvolumeclaim", v.PersistentVolumeClaim.ClaimName,
				"ephemeral", "false")
		case v.Ephemeral != nil:
			tell(false, "volume", v.Name, "persistentvolumeclaim", p.Name+"-"+v.Name, "ephemeral", "true")
		}
	}
}

func resourceClaims(p *pod, s *series) {
	for _, claim := range p.Spec.ResourceClaims {
		if claim.ResourceClaimName == nil && claim.ResourceClaimTemplateName == nil {
			continue
		}
		name := said(claim.ResourceClaimName)
		for _, made := range p.Status.ResourceClaimStatuses {
			if claim.ResourceClaimName == nil && made.Name == claim.Name {
				name = said(made.ResourceClaimName)
			}
		}
		s.add(1, "claim_name", claim.Name, "resourceclaim_name", name, "resourceclaim_template_name",
			said(claim.ResourceClaimTemplateName))
	}
}

var podStatuses = []family[pod]{
	several("kube_pod_ips", "Pod IP addresses", func(p *pod, s *series) {
		for _, ip := range p.Status.PodIPs {
			address, err := netip.ParseAddr(ip.IP)
			if err != nil {
				continue
			}
			is := "6"
			if address.Unmap().Is4() {
				is = "4"
			}
			s.add(1, "ip", ip.IP, "ip_family", is)
		}
	}),
	several("kube_pod_start_time", "Start time in unix timestamp for a pod.", func(p *pod, s *series) { s.time(p.Status.StartTime) }),
	several("kube_pod_completion_time", "Completion time in unix timestamp for a pod.", func(p *pod, s *series) {
		last := metav1.Time{}
		for _, c := range p.Status.ContainerStatuses {
			if t := c.State.Terminated; t != nil && last.Before(&t.FinishedAt) {
				last = t.FinishedAt
			}
		}
		s.time(&last)
	}),
	several("kube_pod_status_phase", "The pods current phase.", func(p *pod, s *series) {
		if p.Status.Phase != "" {
			oneOf(s, p.Status.Phase, "phase", corev1.PodPending, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown,
				corev1.PodRunning)
		}
	}),
	several("kube_pod_status_qos_class", "The pods current qosClass.", func(p *pod, s *series) {
		if p.Status.QOSClass != "" {
			oneOf(s, p.Status.QOSClass, "qos_class", corev1.PodQOSBestEffort, corev1.PodQOSBurstable, corev1.PodQOSGuaranteed)
		}
	}),
	several("kube_pod_status_ready", "Describes whether the pod is ready to serve requests.", statusOf(corev1.PodReady)),
	several("kube_pod_status_scheduled", "Describes the status of the scheduling process for the pod.", statusOf(corev1.PodScheduled)),
	since("kube_pod_status_initialized_time", "Initialized time in unix timestamp for a pod.", corev1.PodInitialized,
		corev1.ConditionTrue),
	since("kube_pod_status_container_ready_time", "Readiness achieved time in unix timestamp for a pod containers.",
		corev1.ContainersReady, corev1.ConditionTrue),
	since("kube_pod_status_ready_time", "Readiness achieved time in unix timestamp for a pod.", corev1.PodReady, corev1.ConditionTrue),
	since("kube_pod_status_scheduled_time", "Unix timestamp when pod moved into scheduled status", corev1.PodScheduled,
		corev1.ConditionTrue),
	since("kube_pod_status_unscheduled_time", "Unix timestamp when pod moved into unscheduled status", corev1.PodScheduled,
		corev1.ConditionFalse),
	several("kube_pod_status_unschedulable", "Describes the unschedulable status for the pod.", func(p *pod, s *series) {
		for range conditions(p, corev1.PodScheduled, corev1.ConditionFalse) {
			s.add(1)
		}
	}),
	several("kube_pod_status_reason", "The pod status reasons", func(p *pod, s *series) {
		for _, reason := range statusReasons {
			if hasReason(p, reason) {
				s.add(1, "reason", reason)
			}
		}
		if p.Status.Reason != "" && !slices.Contains(statusReasons, p.Status.Reason) {
			s.add(1, "reason", "Other")
		}
	}),
	several("kube_pod_status_disruption_reason", "The pod disruption condition reason", func(p *pod, s *series) {
		for c := range conditions(p, corev1.DisruptionTarget, "") {
			reason := c.Reason
			if !slices.Contains(disruptionReasons, reason) {
				reason = "Other"
			}
			s.add(1, "reason", reason)
		}
	}),
}

// conditions are those of a type, and of a status where that is not empty.
func conditions(p *pod, kind corev1.PodConditionType, status corev1.ConditionStatus) func(yield func(*corev1.PodCondition) bool) {
	return func(yield func(*corev1.PodCondition) bool) {
		for i := range p.Status.Conditions {
			c := &p.Status.Conditions[i]
			if c.Type == kind && (status == "" || c.Status == status) && !yield(c) {
				return
			}
		}
	}
}

func statusOf(kind corev1.PodConditionType) func(*pod, *series) {
	return func(p *pod, s *series) {
		for c := range conditions(p, kind, "") {
			s.condition(c.Status, "condition")
		}
	}
}

// since is a family of the times at which a condition came to have a status.
func since(name, help string, kind corev1.PodConditionType, status corev1.ConditionStatus) family[pod] {
	return several(name, help, func(p *pod, s *series) {
		for c := range conditions(p, kind, status) {
			s.add(float64(c.LastTransitionTime.Unix()))
		}
	})
}

func hasReason(p *pod, reason string) bool {
	return p.Status.Reason == reason ||
		slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool { return c.Reason == reason }) ||
		slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
			return c.State.Terminated != nil && c.State.Terminated.Reason == reason
		})
}
