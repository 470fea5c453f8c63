package kubestate

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

type (
	deployment  = appsv1.Deployment
	replicaSet  = appsv1.ReplicaSet
	statefulSet = appsv1.StatefulSet
	daemonSet   = appsv1.DaemonSet
)

// deploymentReasons are those of Kubernetes' deployment controller. Others are unknown.
var deploymentReasons = map[string]bool{"ReplicaSetUpdated": true, "ReplicaSetCreateError": true, "NewReplicaSetCreated": true,
	"FoundNewReplicaSet": true, "NewReplicaSetAvailable": true, "ProgressDeadlineExceeded": true, "DeploymentPaused": true,
	"DeploymentResumed": true, "MinimumReplicasAvailable": true, "MinimumReplicasUnavailable": true, "": true}

var deployments = kind[deployment, *deployment]{
	name: "deployments",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AppsV1().Deployments("").List(ctx, o)
	},
	labels: namespaced[*deployment]("deployment"),
	families: []family[deployment]{
		owners[deployment]("kube_deployment", "Information about the Deployment's owner.", false),
		created[deployment]("kube_deployment"),
		deleted[deployment]("kube_deployment"),
		count("kube_deployment_status_replicas", "The number of replicas per deployment.",
			func(d *deployment) int32 { return d.Status.Replicas }),
		count("kube_deployment_status_replicas_ready", "The number of ready replicas per deployment.",
			func(d *deployment) int32 { return d.Status.ReadyReplicas }),
		count("kube_deployment_status_replicas_available", "The number of available replicas per deployment.",
			func(d *deployment) int32 { return d.Status.AvailableReplicas }),
		count("kube_deployment_status_replicas_unavailable", "The number of unavailable replicas per deployment.",
			func(d *deployment) int32 { return d.Status.UnavailableReplicas }),
		count("kube_deployment_status_replicas_updated", "The number of updated replicas per deployment.",
			func(d *deployment) int32 { return d.Status.UpdatedReplicas }),
		perhaps("kube_deployment_status_terminating_replicas", "The number of terminating replicas per deployment.",
			func(d *deployment) *int32 { return d.Status.TerminatingReplicas }),
		count("kube_deployment_status_observed_generation", "The generation observed by the deployment controller.",
			func(d *deployment) int64 { return d.Status.ObservedGeneration }),
		several("kube_deployment_status_condition", "The current status conditions of a deployment.", func(d *deployment, s *series) {
			for _, c := range d.Status.Conditions {
				reason := c.Reason
				if !deploymentReasons[reason] {
					reason = "unknown"
				}
				s.condition(c.Status, "status", "reason", reason, "condition", string(c.Type))
			}
		}),
		perhaps("kube_deployment_spec_replicas", "Number of desired pods for a deployment.",
			func(d *deployment) *int32 { return d.Spec.Replicas }),
		several("kube_deployment_spec_paused", "Whether the deployment is paused and will not be processed by the deployment controller.",
			func(d *deployment, s *series) { s.is(d.Spec.Paused) }),
		rolling("max_unavailable", "Maximum number of unavailable replicas during a rolling update of a deployment.", false,
			func(r *appsv1.RollingUpdateDeployment) *intstr.IntOrString { return r.MaxUnavailable }),
		rolling("max_surge",
			"Maximum number of replicas that can be scheduled above the desired number of replicas during a rolling update of a deployment.",
			true, func(r *appsv1.RollingUpdateDeployment) *intstr.IntOrString { return r.MaxSurge }),
		generation[deployment]("kube_deployment", "Sequence number representing a specific generation of the desired state."),
	},
}

// rolling is a family of how far an update may go, which may be a part of the replicas.
func rolling(name, help string, up bool, field func(*appsv1.RollingUpdateDeployment) *intstr.IntOrString) family[deployment] {
	return several("kube_deployment_spec_strategy_rollingupdate_"+name, help, func(d *deployment, s *series) {
		if d.Spec.Strategy.RollingUpdate == nil || d.Spec.Replicas == nil {
			return
		}
		n, err := intstr.GetScaledValueFromIntOrPercent(field(d.Spec.Strategy.RollingUpdate), int(*d.Spec.Replicas), up)
		if err == nil {
			s.add(float64(n))
		}
	})
}

var replicaSets = kind[replicaSet, *replicaSet]{
	name: "replicasets",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AppsV1().ReplicaSets("").List(ctx, o)
	},
	labels: namespaced[*replicaSet]("replicaset"),
	families: []family[replicaSet]{
		created[replicaSet]("kube_replicaset"),
		count("kube_replicaset_status_replicas", "The number of replicas per ReplicaSet.",
			func(r *replicaSet) int32 { return r.Status.Replicas }),
		count("kube_replicaset_status_fully_labeled_replicas", "The number of fully labeled replicas per ReplicaSet.",
			func(r *replicaSet) int32 { return r.Status.FullyLabeledReplicas }),
		count("kube_replicaset_status_ready_replicas", "The number of ready replicas per ReplicaSet.",
			func(r *replicaSet) int32 { return r.Status.ReadyReplicas }),
		perhaps("kube_replicaset_status_terminating_replicas", "The number of terminating replicas per ReplicaSet.",
			func(r *replicaSet) *int32 { return r.Status.TerminatingReplicas }),
		count("kube_replicaset_status_observed_generation", "The generation observed by the ReplicaSet controller.",
			func(r *replicaSet) int64 { return r.Status.ObservedGeneration }),
		perhaps("kube_replicaset_spec_replicas", "Number of desired pods for a ReplicaSet.",
			func(r *replicaSet) *int32 { return r.Spec.Replicas }),
		generation[replicaSet]("kube_replicaset", "Sequence number representing a specific generation of the desired state."),
		owners[replicaSet]("kube_replicaset", "Information about the ReplicaSet's owner.", true),
	},
}

var statefulSets = kind[statefulSet, *statefulSet]{
	name: "statefulsets",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AppsV1().StatefulSets("").List(ctx, o)
	},
	labels: namespaced[*statefulSet]("statefulset"),
	families: []family[statefulSet]{
		created[statefulSet]("kube_statefulset"),
		deleted[statefulSet]("kube_statefulset"),
		count("kube_statefulset_status_replicas", "The number of replicas per StatefulSet.",
			func(r *statefulSet) int32 { return r.Status.Replicas }),
		count("kube_statefulset_status_replicas_available", "The number of available replicas per StatefulSet.",
			func(r *statefulSet) int32 { return r.Status.AvailableReplicas }),
		count("kube_statefulset_status_replicas_current", "The number of current replicas per StatefulSet.",
			func(r *statefulSet) int32 { return r.Status.CurrentReplicas }),
		count("kube_statefulset_status_replicas_ready", "The number of ready replicas per StatefulSet.",
			func(r *statefulSet) int32 { return r.Status.ReadyReplicas }),
		count("kube_statefulset_status_replicas_updated", "The number of updated replicas per StatefulSet.",
			func(r *statefulSet) int32 { return r.Status.UpdatedReplicas }),
		count("kube_statefulset_status_observed_generation", "The generation observed by the StatefulSet controller.",
			func(r *statefulSet) int64 { return r.Status.ObservedGeneration }),
		perhaps("kube_statefulset_replicas", "Number of desired pods for a StatefulSet.",
			func(r *statefulSet) *int32 { return r.Spec.Replicas }),
		several("kube_statefulset_ordinals_start", "Start ordinal of the StatefulSet.", func(r *statefulSet, s *series) {
			if r.Spec.Ordinals != nil {
				s.add(float64(r.Spec.Ordinals.Start))
			}
		}),
		generation[statefulSet]("kube_statefulset",
			"Sequence number representing a specific generation of the desired state for the StatefulSet."),
		several("kube_statefulset_persistentvolumeclaim_retention_policy", "Count of retention policy for StatefulSet template PVCs",
			func(r *statefulSet, s *series) {
				p := r.Spec.PersistentVolumeClaimRetentionPolicy
				if p != nil && (p.WhenDeleted != "" || p.WhenScaled != "") {
					s.add(1, "when_deleted", string(p.WhenDeleted), "when_scaled", string(p.WhenScaled))
				}
			}),
		info("kube_statefulset_status_current_revision",
			"Indicates the version of the StatefulSet used to generate Pods in the sequence [0,currentReplicas).",
			func(r *statefulSet) []string { return []string{"revision", r.Status.CurrentRevision} }),
		info("kube_statefulset_status_update_revision",
			"Indicates the version of the StatefulSet used to generate Pods in the sequence [replicas-updatedReplicas,replicas)",
			func(r *statefulSet) []string { return []string{"revision", r.Status.UpdateRevision} }),
	},
}

var daemonSets = kind[daemonSet, *daemonSet]{
	name: "daemonsets",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AppsV1().DaemonSets("").List(ctx, o)
	},
	labels: namespaced[*daemonSet]("daemonset"),
	families: []family[daemonSet]{
		created[daemonSet]("kube_daemonset"),
		deleted[daemonSet]("kube_daemonset"),
		count("kube_daemonset_status_current_number_scheduled",
			"The number of nodes running at least one daemon pod and are supposed to.",
			func(d *daemonSet) int32 { return d.Status.CurrentNumberScheduled }),
		count("kube_daemonset_status_desired_number_scheduled", "The number of nodes that should be running the daemon pod.",
			func(d *daemonSet) int32 { return d.Status.DesiredNumberScheduled }),
		count("kube_daemonset_status_number_available",
			"The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and available",
			func(d *daemonSet) int32 { return d.Status.NumberAvailable }),
		count("kube_daemonset_status_number_misscheduled", "The number of nodes running a daemon pod but are not supposed to.",
			func(d *daemonSet) int32 { return d.Status.NumberMisscheduled }),
		count("kube_daemonset_status_number_ready",
			"The number of nodes that should be running the daemon pod and have one or more of the daemon pod running and ready.",
			func(d *daemonSet) int32 { return d.Status.NumberReady }),
		count("kube_daemonset_status_number_unavailable",
			"The number of nodes that should be running the daemon pod and have none of the daemon pod running and available",
			func(d *daemonSet) int32 { return d.Status.NumberUnavailable }),
		count("kube_daemonset_status_observed_generation", "The most recent generation observed by the daemon set controller.",
			func(d *daemonSet) int64 { return d.Status.ObservedGeneration }),
		count("kube_daemonset_status_updated_number_scheduled", "The total number of nodes that are running updated daemon pod",
			func(d *daemonSet) int32 { return d.Status.UpdatedNumberScheduled }),
		generation[daemonSet]("kube_daemonset", "Sequence number representing a specific generation of the desired state."),
	},
}
