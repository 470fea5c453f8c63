package apiserver

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net"
	"strings"

	corev1 "k8s.io/api/core/v1"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	discoveryclient "k8s.io/client-go/kubernetes/typed/discovery/v1"
	api "k8s.io/kubernetes/pkg/apis/core"
	"k8s.io/kubernetes/pkg/controlplane"
	"k8s.io/kubernetes/pkg/controlplane/reconcilers"
)

// identity is what upstream makes of the host's name, made of the zone's: three API servers on one host must show as
// three apiserver-... leases in kube-system.
func identity(zone string) string {
	hash := sha256.Sum256([]byte(zone))
	return "apiserver-" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(hash[:16]))
}

// endpointReconciler is upstream's, but it says port 443: the list of ports is one for all addresses, and each API
// server would else set it to its own.
type endpointReconciler struct{ reconcilers.EndpointReconciler }

func newEndpointReconciler(config *controlplane.Config) (reconcilers.EndpointReconciler, error) {
	endpoints, err := corev1client.NewForConfig(config.ControlPlane.Generic.LoopbackClientConfig)
	if err != nil {
		return nil, err
	}
	slices, err := discoveryclient.NewForConfig(config.ControlPlane.Generic.LoopbackClientConfig)
	if err != nil {
		return nil, err
	}
	storage, err := config.ControlPlane.StorageFactory.NewConfig(api.Resource("apiServerIPInfo"), &api.Endpoints{})
	if err != nil {
		return nil, fmt.Errorf("storage of the endpoint leases: %w", err)
	}
	leases, err := reconcilers.NewLeases(storage, "/masterleases/", controlplane.DefaultEndpointReconcilerTTL)
	if err != nil {
		return nil, fmt.Errorf("endpoint leases: %w", err)
	}
	return endpointReconciler{reconcilers.NewLeaseEndpointReconciler(reconcilers.NewEndpointsAdapter(endpoints, slices),
		leases)}, nil
}

func (r endpointReconciler) ReconcileEndpoints(service string, ip net.IP, ports []corev1.EndpointPort,
	reconcilePorts bool) error {
	return r.EndpointReconciler.ReconcileEndpoints(service, ip, public(ports), reconcilePorts)
}

func (r endpointReconciler) RemoveEndpoints(service string, ip net.IP, ports []corev1.EndpointPort) error {
	return r.EndpointReconciler.RemoveEndpoints(service, ip, public(ports))
}

func public(ports []corev1.EndpointPort) []corev1.EndpointPort {
	shown := append([]corev1.EndpointPort(nil), ports...)
	for i := range shown {
		shown[i].Port = 443
	}
	return shown
}
