package nodes

import (
	"context"
	"fmt"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"tripod/nodes/podvolume"
)

// podSource is where a pod's kubelet reads what its containers see.
type podSource struct {
	client      kubernetes.Interface
	pod         *corev1.Pod
	allocatable corev1.ResourceList
	issued      *certificates
}

// ConfigMap is one of the pod's namespace.
func (s podSource) ConfigMap(ctx context.Context, name string) (podvolume.Object, error) {
	made, err := s.client.CoreV1().ConfigMaps(s.pod.Namespace).Get(as(ctx, s.pod.Spec.NodeName), name, metav1.GetOptions{})
	if err != nil {
		return s.missing("ConfigMap", name, err)
	}
	return podvolume.OfConfigMap(made), nil
}

// Secret is one of the pod's namespace.
func (s podSource) Secret(ctx context.Context, name string) (podvolume.Object, error) {
	made, err := s.client.CoreV1().Secrets(s.pod.Namespace).Get(as(ctx, s.pod.Spec.NodeName), name, metav1.GetOptions{})
	if err != nil {
		return s.missing("Secret", name, err)
	}
	return podvolume.OfSecret(made), nil
}

func (s podSource) missing(kind, name string, err error) (podvolume.Object, error) {
	if !apierrors.IsNotFound(err) {
		return podvolume.Object{}, err
	}
	return podvolume.Object{Name: fmt.Sprintf("%s %s/%s", kind, s.pod.Namespace, name)}, nil
}

// TrustBundles are those that a projection names or selects.
func (s podSource) TrustBundles(ctx context.Context, want *corev1.ClusterTrustBundleProjection) ([]string, error) {
	return podvolume.TrustBundles(as(ctx, s.pod.Spec.NodeName), s.client.CertificatesV1().ClusterTrustBundles(), want)
}

// Credentials are those that the kubelet has had made for a source of a volume.
func (s podSource) Credentials(ctx context.Context, volume string, source int) (key, certificates string, err error) {
	return s.issued.get(ctx, s.pod, volume, source)
}

// Allocatable is what the pod's node has to give.
func (s podSource) Allocatable(context.Context) (corev1.ResourceList, error) {
	return s.allocatable, nil
}

// Token is one of the pod's service account, bound to the pod.
func (s podSource) Token(ctx context.Context, want corev1.ServiceAccountTokenProjection) (string, error) {
	request := tokenRequest(s.pod)
	if want.Audience != "" {
		request.Spec.Audiences = []string{want.Audience}
	}
	request.Spec.ExpirationSeconds = want.ExpirationSeconds
	made, err := s.client.CoreV1().ServiceAccounts(s.pod.Namespace).CreateToken(as(ctx, s.pod.Spec.NodeName),
		s.pod.Spec.ServiceAccountName, request, metav1.CreateOptions{})
	if err != nil {
		return "", err
	}
	return made.Status.Token, nil
}

// tokenRequest asks for a token that is bound to a pod: a kubelet may ask for no other.
func tokenRequest(pod *corev1.Pod) *authenticationv1.TokenRequest {
	return &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
}
