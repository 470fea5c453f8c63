package kubestate

import (
	"context"
	"maps"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

type (
	namespace  = corev1.Namespace
	quota      = corev1.ResourceQuota
	limitRange = corev1.LimitRange
	lease      = coordinationv1.Lease
	request    = certificatesv1.CertificateSigningRequest
	validating = admissionv1.ValidatingWebhookConfiguration
	mutating   = admissionv1.MutatingWebhookConfiguration
	// metadata is of objects whose content is nobody's business.
	metadata = metav1.PartialObjectMetadata
)

var namespaces = kind[namespace, *namespace]{
	name: "namespaces",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().Namespaces().List(ctx, o)
	},
	labels: named[*namespace]("namespace"),
	families: []family[namespace]{
		created[namespace]("kube_namespace"),
		several("kube_namespace_status_phase", "kubernetes namespace status phase.", func(n *namespace, s *series) {
			oneOf(s, n.Status.Phase, "phase", corev1.NamespaceActive, corev1.NamespaceTerminating)
		}),
		several("kube_namespace_status_condition", "The condition of a namespace.", func(n *namespace, s *series) {
			for _, c := range n.Status.Conditions {
				s.condition(c.Status, "status", "condition", string(c.Type))
			}
		}),
	},
}

var quotas = kind[quota, *quota]{
	name: "resourcequotas",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().ResourceQuotas("").List(ctx, o)
	},
	labels: namespaced[*quota]("resourcequota"),
	families: []family[quota]{
		created[quota]("kube_resourcequota"),
		several("kube_resourcequota", "Information about resource quota.", func(q *quota, s *series) {
			s.limits(q.Status.Hard, func(name string) []string { return []string{"resource", name, "type", "hard"} })
			s.limits(q.Status.Used, func(name string) []string { return []string{"resource", name, "type", "used"} })
		}),
	},
}

var limitRanges = kind[limitRange, *limitRange]{
	name: "limitranges",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoreV1().LimitRanges("").List(ctx, o)
	},
	labels: namespaced[*limitRange]("limitrange"),
	families: []family[limitRange]{
		several("kube_limitrange", "Information about limit range.", func(l *limitRange, s *series) {
			for _, item := range l.Spec.Limits {
				of := map[string]corev1.ResourceList{"min": item.Min, "max": item.Max, "default": item.Default,
					"defaultRequest": item.DefaultRequest, "maxLimitRequestRatio": item.MaxLimitRequestRatio}
				for _, constraint := range slices.Sorted(maps.Keys(of)) {
					s.limits(of[constraint], func(name string) []string {
						return []string{"resource", name, "type", string(item.Type), "constraint", constraint}
					})
				}
			}
		}),
		created[limitRange]("kube_limitrange"),
	},
}

var leases = kind[lease, *lease]{
	name: "leases",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CoordinationV1().Leases("").List(ctx, o)
	},
	labels: func(l *lease) []string { return []string{"lease", l.Name} },
	families: []family[lease]{
		several("kube_lease_owner", "Information about the Lease's owner.", func(l *lease, s *series) {
			add := func(kind, name string) {
				s.add(1, "owner_kind", kind, "owner_name", name, "namespace", l.Namespace, "lease_holder", said(l.Spec.HolderIdentity))
			}
			for _, owner := range l.OwnerReferences {
				add(owner.Kind, owner.Name)
			}
			if len(l.OwnerReferences) == 0 {
				add("", "")
			}
		}),
		several("kube_lease_renew_time", "Kube lease renew time.", func(l *lease, s *series) {
			if !l.Spec.RenewTime.IsZero() {
				s.add(float64(l.Spec.RenewTime.Unix()), "namespace", l.Namespace)
			}
		}),
	},
}

var requests = kind[request, *request]{
	name: "certificatesigningrequests",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.CertificatesV1().CertificateSigningRequests().List(ctx, o)
	},
	labels: func(r *request) []string {
		return []string{"certificatesigningrequest", r.Name, "signer_name", r.Spec.SignerName}
	},
	families: []family[request]{
		created[request]("kube_certificatesigningrequest"),
		several("kube_certificatesigningrequest_condition", "The number of each certificatesigningrequest condition",
			func(r *request, s *series) {
				n := map[certificatesv1.RequestConditionType]float64{}
				for _, c := range r.Status.Conditions {
					n[c.Type]++
				}
				s.add(n[certificatesv1.CertificateApproved], "condition", "approved")
				s.add(n[certificatesv1.CertificateDenied], "condition", "denied")
				s.add(n[certificatesv1.CertificateFailed], "condition", "failed")
			}),
		count("kube_certificatesigningrequest_cert_length", "Length of the issued cert",
			func(r *request) int { return len(r.Status.Certificate) }),
	},
}

var validatingWebhooks = kind[validating, *validating]{
	name: "validatingwebhookconfigurations",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, o)
	},
	labels: namespaced[*validating]("validatingwebhookconfiguration"),
	families: webhooks("kube_validatingwebhookconfiguration", "ValidatingWebhookConfiguration", "validating",
		func(v *validating, tell func(string, admissionv1.WebhookClientConfig)) {
			for _, w := range v.Webhooks {
				tell(w.Name, w.ClientConfig)
			}
		}),
}

var mutatingWebhooks = kind[mutating, *mutating]{
	name: "mutatingwebhookconfigurations",
	list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
		return c.Objects.AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, o)
	},
	labels: namespaced[*mutating]("mutatingwebhookconfiguration"),
	families: webhooks("kube_mutatingwebhookconfiguration", "MutatingWebhookConfiguration", "mutating",
		func(m *mutating, tell func(string, admissionv1.WebhookClientConfig)) {
			for _, w := range m.Webhooks {
				tell(w.Name, w.ClientConfig)
			}
		}),
}

func webhooks[T any, P object[T]](prefix, kind, verb string, each func(*T, func(string, admissionv1.WebhookClientConfig))) []family[T] {
	made := created[T, P](prefix)
	made.help += "."
	return []family[T]{
		exists[T](prefix+"_info", "Information about the "+kind+"."),
		made,
		version[T, P](prefix, "Resource version representing a specific version of the "+kind+"."),
		several(prefix+"_webhook_clientconfig_service", "Service used by the apiserver to connect to a "+verb+" webhook.",
			func(o *T, s *series) {
				each(o, func(name string, config admissionv1.WebhookClientConfig) {
					to := admissionv1.ServiceReference{}
					if config.Service != nil {
						to = *config.Service
					}
					s.add(1, "webhook_name", name, "service_name", to.Name, "service_namespace", to.Namespace)
				})
			}),
	}
}

// configMaps and secrets are told of by their names: what they hold is never asked for, nor is a secret's type, which stands
// beside it.
var (
	configMaps = kind[metadata, *metadata]{
		name: "configmaps",
		list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
			return c.Metadata.Resource(corev1.SchemeGroupVersion.WithResource("configmaps")).List(ctx, o)
		},
		labels:   namespaced[*metadata]("configmap"),
		families: held("kube_configmap", "configmap", "the configmap"),
	}
	secrets = kind[metadata, *metadata]{
		name: "secrets",
		list: func(ctx context.Context, c Clients, o metav1.ListOptions) (runtime.Object, error) {
			return c.Metadata.Resource(corev1.SchemeGroupVersion.WithResource("secrets")).List(ctx, o)
		},
		labels: namespaced[*metadata]("secret"),
		families: append(held("kube_secret", "secret", "secret"),
			owners[metadata]("kube_secret", "Information about the Secret's owner.", true)),
	}
)

func held(prefix, what, whose string) []family[metadata] {
	return []family[metadata]{
		exists[metadata](prefix+"_info", "Information about "+what+"."),
		created[metadata](prefix),
		version[metadata](prefix, "Resource version representing a specific version of "+whose+"."),
	}
}
