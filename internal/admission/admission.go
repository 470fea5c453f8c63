// Package admission is what Tripod's webhooks for new pods share: how they read and answer the API server's reviews, and
// the configuration by which API servers ask them.
package admission

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	reviewv1 "k8s.io/api/admission/v1"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"tripod/internal/sleep"
)

// maxReview is the largest AdmissionReview in bytes: two objects of the API server's largest size.
const maxReview = 6 << 20

// fieldManager is EKS's own, as that of the add-ons.
const fieldManager = "eks"

// Operation is one of a JSON patch (RFC 6902).
type Operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// Patch decides about a new pod: the JSON patch that changes it, empty where it stays as it is.
type Patch func(ctx context.Context, request *reviewv1.AdmissionRequest) ([]byte, error)

// Serve answers an AdmissionReview of admission.k8s.io/v1. Every pod is allowed: one that cannot be decided about stays as
// it is, and the log says so, with without being what it lacks.
func Serve(rw http.ResponseWriter, r *http.Request, patch Patch, log *slog.Logger, without string) {
	var review reviewv1.AdmissionReview
	if err := json.NewDecoder(http.MaxBytesReader(rw, r.Body, maxReview)).Decode(&review); err != nil ||
		review.Request == nil {
		http.Error(rw, "the body is not the JSON of an AdmissionReview", http.StatusBadRequest)
		return
	}
	response := &reviewv1.AdmissionResponse{UID: review.Request.UID, Allowed: true}
	if changes, err := patch(r.Context(), review.Request); err != nil {
		log.Warn("a pod is left without "+without, "namespace", review.Request.Namespace, "error", err)
	} else if len(changes) > 0 {
		kind := reviewv1.PatchTypeJSONPatch
		response.Patch, response.PatchType = changes, &kind
	}
	rw.Header().Set("Content-Type", "application/json")
	// an error here is the API server's going away
	json.NewEncoder(rw).Encode(reviewv1.AdmissionReview{TypeMeta: review.TypeMeta, Response: response})
}

// Hook is a webhook for new pods, as API servers know it.
type Hook struct {
	// Configuration is the name of its object, and Name its own.
	Configuration, Name string
	URL                 string
	CA                  []byte // PEM
	Objects             *metav1.LabelSelector
}

// Object is the configuration: a pod that the webhook does not answer about is created as it is.
func (h Hook) Object() *admissionv1.MutatingWebhookConfiguration {
	ignore, none, equivalent, again := admissionv1.Ignore, admissionv1.SideEffectClassNone, admissionv1.Equivalent,
		admissionv1.IfNeededReinvocationPolicy
	anywhere, seconds := admissionv1.AllScopes, int32(10)
	return &admissionv1.MutatingWebhookConfiguration{
		TypeMeta:   metav1.TypeMeta{APIVersion: "admissionregistration.k8s.io/v1", Kind: "MutatingWebhookConfiguration"},
		ObjectMeta: metav1.ObjectMeta{Name: h.Configuration},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name:         h.Name,
			ClientConfig: admissionv1.WebhookClientConfig{URL: &h.URL, CABundle: h.CA},
			Rules: []admissionv1.RuleWithOperations{{
				Operations: []admissionv1.OperationType{admissionv1.Create},
				Rule: admissionv1.Rule{APIGroups: []string{""}, APIVersions: []string{"v1"}, Resources: []string{"pods"},
					Scope: &anywhere},
			}},
			FailurePolicy: &ignore, MatchPolicy: &equivalent, ReinvocationPolicy: &again, SideEffects: &none,
			TimeoutSeconds: &seconds, ObjectSelector: h.Objects, AdmissionReviewVersions: []string{"v1"},
		}},
	}
}

// Apply writes the configuration, whatever stands there. Zones write the same.
func (h Hook) Apply(ctx context.Context, client kubernetes.Interface) error {
	text, err := json.Marshal(h.Object())
	if err != nil {
		return err
	}
	force := true
	_, err = client.AdmissionregistrationV1().MutatingWebhookConfigurations().Patch(ctx, h.Configuration, types.ApplyPatchType,
		text, metav1.PatchOptions{FieldManager: fieldManager, Force: &force})
	return err
}

// Register applies the configuration until that is done or ctx ends.
func (h Hook) Register(ctx context.Context, client kubernetes.Interface, log *slog.Logger) {
	for pause := 100 * time.Millisecond; ctx.Err() == nil; pause = min(2*pause, 5*time.Second) {
		err := h.Apply(ctx, client)
		if err == nil {
			return
		}
		log.Debug("register the webhook "+h.Configuration, "error", err)
		sleep.For(ctx, pause)
	}
}
