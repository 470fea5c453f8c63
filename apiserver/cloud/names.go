package cloud

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	cloudprovider "k8s.io/cloud-provider"
)

// renamed is a cloud whose load balancers have AWS's names: upstream tells by the end of a Service's hostname which type
// its load balancer is, and here names end otherwise.
type renamed struct{ cloudprovider.Interface }

// LoadBalancer is cloudprovider.Interface's.
func (r renamed) LoadBalancer() (cloudprovider.LoadBalancer, bool) {
	balancers, there := r.Interface.LoadBalancer()
	return renamedBalancers{balancers}, there
}

type renamedBalancers struct{ cloudprovider.LoadBalancer }

// EnsureLoadBalancer is cloudprovider.LoadBalancer's.
func (r renamedBalancers) EnsureLoadBalancer(ctx context.Context, cluster string, service *corev1.Service, nodes []*corev1.Node) (
	*corev1.LoadBalancerStatus, error) {
	return r.LoadBalancer.EnsureLoadBalancer(ctx, cluster, onAWS(service), nodes)
}

// UpdateLoadBalancer is cloudprovider.LoadBalancer's.
func (r renamedBalancers) UpdateLoadBalancer(ctx context.Context, cluster string, service *corev1.Service, nodes []*corev1.Node) error {
	return r.LoadBalancer.UpdateLoadBalancer(ctx, cluster, onAWS(service), nodes)
}

// onAWS is a Service as it would be there.
func onAWS(service *corev1.Service) *corev1.Service {
	at := service.Status.LoadBalancer.Ingress
	if len(at) == 0 || !strings.HasSuffix(at[0].Hostname, ".localhost") {
		return service
	}
	service = service.DeepCopy()
	for i := range service.Status.LoadBalancer.Ingress {
		host := &service.Status.LoadBalancer.Ingress[i].Hostname
		*host = strings.TrimSuffix(*host, ".localhost") + ".amazonaws.com"
	}
	return service
}
