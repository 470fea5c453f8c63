package podidentity

import (
	"context"
	"encoding/json"
	"time"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/internal/sleep"
)

const (
	configurationName = "pod-identity-webhook"
	// fieldManager is EKS's own, as that of the add-ons.
	fieldManager = "eks"
)

// configuration is the webhook's, with the names that EKS gives it.
func (w *Webhook) configuration() *admissionv1.MutatingWebhookConfiguration {
	ignore, none, equivalent, again := admissionv1.Ignore, admissionv1.SideEffectClassNone, admissionv1.Equivalent,
		admissionv1.IfNeededReinvocationPolicy
	anywhere, seconds := admissionv1.AllScopes, int32(10)
	return &admissionv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: configurationName},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name:         "iam-for-pods.amazonaws.com",
			ClientConfig: admissionv1.WebhookClientConfig{URL: &w.config.URL, CABundle: w.config.CA},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
					Scope: &anywhere},
			}},
			FailurePolicy: &ignore, MatchPolicy: &equivalent, ReinvocationPolicy: &again, SideEffects: &none,
			TimeoutSeconds: &seconds,
			ObjectSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
				{Key: annotationDomain + "skip-pod-identity-webhook", Operator: metav1.LabelSelectorOpDoesNotExist},
			}},
			AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

// register writes the configuration, whatever stands there, until it is written or ctx ends. Zones write the same.
func (w *Webhook) register(ctx context.Context) {
	text, err := json.Marshal(w.configuration())
	if err != nil {
		w.config.Logger.Error("register the pod identity webhook", "error", err)
		return
	}
	force := true
	client := w.accounts.client.AdmissionregistrationV1().MutatingWebhookConfigurations()
	for pause := 100 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		_, err := client.Patch(ctx, configurationName, types.ApplyPatchType, text,
			metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
		if err == nil {
			return
		}
		w.config.Logger.Debug("register the pod identity webhook", "error", err)
		sleep.For(ctx, pause)
	}
}
