package kubestate

import (
	"context"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"
	apiresource "k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type (
	autoscaler = autoscalingv2.HorizontalPodAutoscaler
	budget     = policyv1.PodDisruptionBudget
)

var autoscalers = kind[autoscaler, *autoscaler]{
	name: "horizontalpodautoscalers",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AutoscalingV2().HorizontalPodAutoscalers("").List(ctx, o)
	},
	labels: namespaced[*autoscaler]("horizontalpodautoscaler"),
	families: []family[autoscaler]{
		info("kube_horizontalpodautoscaler_info", "Information about this autoscaler.", func(a *autoscaler) []string {
			to := a.Spec.ScaleTargetRef
			labels := []string{"scaletargetref_kind", to.Kind, "scaletargetref_name", to.Name}
			if to.APIVersion != "" {
				labels = append([]string{"scaletargetref_api_version", to.APIVersion}, labels...)
			}
			return labels
		}),
		created[autoscaler]("kube_horizontalpodautoscaler"),
		deleted[autoscaler]("kube_horizontalpodautoscaler"),
		generation[autoscaler]("kube_horizontalpodautoscaler", "The generation observed by the HorizontalPodAutoscaler controller."),
		count("kube_horizontalpodautoscaler_spec_max_replicas",
			"Upper limit for the number of pods that can be set by the autoscaler; cannot be smaller than MinReplicas.",
			func(a *autoscaler) int32 { return a.Spec.MaxReplicas }),
		gauge("kube_horizontalpodautoscaler_spec_min_replicas",
			"Lower limit for the number of pods that can be set by the autoscaler, default 1.", func(a *autoscaler) float64 {
				if a.Spec.MinReplicas == nil {
					return 1
				}
				return float64(*a.Spec.MinReplicas)
			}),
		several("kube_horizontalpodautoscaler_spec_target_metric",
			"The metric specifications used by this autoscaler when calculating the desired replica count.",
			func(a *autoscaler, s *series) {
				for _, m := range a.Spec.Metrics {
					if name, container, target := targetOf(m); target != nil {
						amounts(s, name, container, target.Value, target.AverageValue, target.AverageUtilization)
					}
				}
			}),
		several("kube_horizontalpodautoscaler_status_target_metric",
			"The current metric status used by this autoscaler when calculating the desired replica count.",
			func(a *autoscaler, s *series) {
				for _, m := range a.Status.CurrentMetrics {
					if name, container, is := currentOf(m); is != nil {
						amounts(s, name, container, is.Value, is.AverageValue, is.AverageUtilization)
					}
				}
			}),
		several("kube_horizontalpodautoscaler_spec_behavior_scale_up_tolerance",
			"The tolerance on the ratio between the current and desired metric value below which no scale up occurs.",
			func(a *autoscaler, s *series) {
				if a.Spec.Behavior != nil {
					tolerance(s, a.Spec.Behavior.ScaleUp)
				}
			}),
		several("kube_horizontalpodautoscaler_spec_behavior_scale_down_tolerance",
			"The tolerance on the ratio between the current and desired metric value below which no scale down occurs.",
			func(a *autoscaler, s *series) {
				if a.Spec.Behavior != nil {
					tolerance(s, a.Spec.Behavior.ScaleDown)
				}
			}),
		count("kube_horizontalpodautoscaler_status_current_replicas",
			"Current number of replicas of pods managed by this autoscaler.",
			func(a *autoscaler) int32 { return a.Status.CurrentReplicas }),
		count("kube_horizontalpodautoscaler_status_desired_replicas",
			"Desired number of replicas of pods managed by this autoscaler.",
			func(a *autoscaler) int32 { return a.Status.DesiredReplicas }),
		several("kube_horizontalpodautoscaler_status_condition", "The condition of this autoscaler.", func(a *autoscaler, s *series) {
			for _, c := range a.Status.Conditions {
				s.condition(c.Status, "status", "condition", string(c.Type))
			}
		}),
	},
}

func tolerance(s *series, rules *autoscalingv2.HPAScalingRules) {
	if rules != nil && rules.Tolerance != nil {
		s.add(rules.Tolerance.AsApproximateFloat64())
	}
}

// amounts adds those of a metric's three forms that are there.
func amounts(s *series, name, container string, total, average *apiresource.Quantity, utilization *int32) {
	add := func(kind string, n float64) {
		s.add(n, "metric_name", name, "metric_target_type", kind, "container", container)
	}
	if total != nil {
		add("value", value(*total))
	}
	if average != nil {
		add("average", value(*average))
	}
	if utilization != nil {
		add("utilization", float64(*utilization))
	}
}

// targetOf is what a metric is to be; nil: its type is not known here, or it has nothing of it.
func targetOf(m autoscalingv2.MetricSpec) (name, container string, target *autoscalingv2.MetricTarget) {
	switch {
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		return m.Object.Metric.Name, "", &m.Object.Target
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		return m.Pods.Metric.Name, "", &m.Pods.Target
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		return string(m.Resource.Name), "", &m.Resource.Target
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		return string(m.ContainerResource.Name), m.ContainerResource.Container, &m.ContainerResource.Target
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		return m.External.Metric.Name, "", &m.External.Target
	}
	return "", "", nil
}

// currentOf is targetOf for what a metric is.
func currentOf(m autoscalingv2.MetricStatus) (name, container string, is *autoscalingv2.MetricValueStatus) {
	switch {
	case m.Type == autoscalingv2.ObjectMetricSourceType && m.Object != nil:
		return m.Object.Metric.Name, "", &m.Object.Current
	case m.Type == autoscalingv2.PodsMetricSourceType && m.Pods != nil:
		return m.Pods.Metric.Name, "", &m.Pods.Current
	case m.Type == autoscalingv2.ResourceMetricSourceType && m.Resource != nil:
		return string(m.Resource.Name), "", &m.Resource.Current
	case m.Type == autoscalingv2.ContainerResourceMetricSourceType && m.ContainerResource != nil:
		return string(m.ContainerResource.Name), m.ContainerResource.Container, &m.ContainerResource.Current
	case m.Type == autoscalingv2.ExternalMetricSourceType && m.External != nil:
		return m.External.Metric.Name, "", &m.External.Current
	}
	return "", "", nil
}

var budgets = kind[budget, *budget]{
	name: "poddisruptionbudgets",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.PolicyV1().PodDisruptionBudgets("").List(ctx, o)
	},
	labels: namespaced[*budget]("poddisruptionbudget"),
	families: []family[budget]{
		created[budget]("kube_poddisruptionbudget"),
		deleted[budget]("kube_poddisruptionbudget"),
		count("kube_poddisruptionbudget_status_current_healthy", "Current number of healthy pods",
			func(b *budget) int32 { return b.Status.CurrentHealthy }),
		count("kube_poddisruptionbudget_status_desired_healthy", "Minimum desired number of healthy pods",
			func(b *budget) int32 { return b.Status.DesiredHealthy }),
		count("kube_poddisruptionbudget_status_pod_disruptions_allowed", "Number of pod disruptions that are currently allowed",
			func(b *budget) int32 { return b.Status.DisruptionsAllowed }),
		count("kube_poddisruptionbudget_status_expected_pods", "Total number of pods counted by this disruption budget",
			func(b *budget) int32 { return b.Status.ExpectedPods }),
		count("kube_poddisruptionbudget_status_observed_generation", "Most recent generation observed when updating this PDB status",
			func(b *budget) int64 { return b.Status.ObservedGeneration }),
	},
}
