// Package podidentity gives pods their AWS identity as EKS does at their creation: the admission webhook that writes
// the environment, the token's volume and its mounts for IRSA and for EKS Pod Identity into a pod's specification. What
// it writes, and in which order, follows aws/amazon-eks-pod-identity-webhook, which EKS runs for every cluster.
//
// Each zone's agent serves it to the API server of its own zone, so it needs no other zone. A pod that it cannot decide
// about is created without an identity, as in EKS: the webhook's failure policy is Ignore.
package podidentity

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/internal/admission"
)

// lookupTimeout bounds the question for a service account that the webhook has not heard of yet.
const lookupTimeout = time.Second

// Config says which cluster it is.
type Config struct {
	// Region is what pods get as AWS_REGION.
	Region string
	// Server is the URL of the zone's own API server; CA, ClientCert and ClientKey are in PEM.
	Server string
	// Dial connects to it; nil means a net.Dialer's.
	Dial                      func(ctx context.Context, network, address string) (net.Conn, error)
	CA, ClientCert, ClientKey []byte
	// URL is where API servers find the webhook.
	URL string
	// Associated says whether a service account has a pod identity association.
	Associated func(namespace, serviceAccount string) bool
	Logger     *slog.Logger
}

// Webhook answers the API server's AdmissionReviews about new pods.
type Webhook struct {
	config   Config
	accounts *accounts
	cancel   context.CancelFunc
	done     chan struct{} // closed when the follower has returned
}

// New returns a webhook that is not started.
func New(config Config) (*Webhook, error) {
	conf := &rest.Config{
		Host: config.Server, Dial: config.Dial, QPS: -1, UserAgent: "eks-pod-identity-webhook",
		TLSClientConfig: rest.TLSClientConfig{CAData: config.CA, CertData: config.ClientCert, KeyData: config.ClientKey},
		ContentConfig: rest.ContentConfig{AcceptContentTypes: "application/vnd.kubernetes.protobuf,application/json",
			ContentType: "application/json"},
	}
	client, err := kubernetes.NewForConfig(conf)
	if err != nil {
		return nil, err
	}
	return &Webhook{config: config, accounts: newAccounts(client)}, nil
}

// Start lets the webhook follow the cluster's service accounts, and register itself once the API server answers. It
// does not wait for that.
func (w *Webhook) Start(ctx context.Context) error {
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	w.cancel, w.done = cancel, make(chan struct{})
	go func() {
		defer close(w.done)
		w.accounts.follow(running, func() { w.hook().Register(running, w.accounts.client, w.config.Logger) })
	}()
	return nil
}

// Stop ends that.
func (w *Webhook) Stop(context.Context) error {
	if w.cancel != nil {
		w.cancel()
		<-w.done
	}
	return nil
}

// ServeHTTP answers an AdmissionReview of admission.k8s.io/v1. Every pod is allowed.
func (w *Webhook) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	admission.Serve(rw, r, w.patch, w.config.Logger, "its identity")
}

// patch is the JSON patch that gives the pod its identity; empty for one that has none.
func (w *Webhook) patch(ctx context.Context, request *admissionv1.AdmissionRequest) ([]byte, error) {
	// Most pods have no identity: of them no more is read than this.
	var brief struct {
		Spec struct {
			ServiceAccountName string `json:"serviceAccountName"`
		} `json:"spec"`
	}
	if err := json.Unmarshal(request.Object.Raw, &brief); err != nil {
		return nil, err
	}
	name := brief.Spec.ServiceAccountName
	account, err := w.accounts.get(ctx, request.Namespace, name)
	if err != nil {
		return nil, err
	}
	var id identity
	switch {
	case w.config.Associated(request.Namespace, name): // it counts before IRSA
		id = podIdentity(account)
	case account.RoleARN != "":
		id = webIdentity(account)
	default:
		return nil, nil
	}
	var pod corev1.Pod
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return nil, err
	}
	id.region = w.config.Region
	return json.Marshal(id.operations(&pod))
}
