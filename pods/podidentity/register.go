package podidentity

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/internal/admission"
)

// hook is the webhook's configuration, with the names that EKS gives it.
func (w *Webhook) hook() admission.Hook {
	return admission.Hook{
		Configuration: "pod-identity-webhook", Name: "iam-for-pods.amazonaws.com", URL: w.config.URL, CA: w.config.CA,
		Objects: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: annotationDomain + "skip-pod-identity-webhook", Operator: metav1.LabelSelectorOpDoesNotExist},
		}},
	}
}
