package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"

	"tripod/nodes/podhttp"
	"tripod/nodes/podset"
)

// LocalAddressAnnotation on a pod says where its address leads on this machine, e.g. "127.0.0.1:9443".
const LocalAddressAnnotation = podhttp.LocalAddressAnnotation

// lookupTimeout bounds what is asked of the API server about an address.
const lookupTimeout = time.Second

// LocalAddress says where a pod's or a service's address and TCP port lead on this machine, as a "127.0.0.1:9443"
// that can be dialled. host is an IPv4 address or a service's name ("web.default.svc"). The pods may be on nodes of
// any zone. A service leads to the first of its ready endpoints whose pod has LocalAddressAnnotation. Every other
// address is an error of one sentence, within about a second.
func (s *Simulator) LocalAddress(ctx context.Context, host string, port int) (string, error) {
	z := s.current()
	if z == nil {
		return "", fmt.Errorf("%s:%d leads nowhere: the nodes of %s are stopped", host, port, s.conf.Zone)
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	l := lookup{client: z.clients.cloud, allowed: s.conf.LocalPort}
	address, err := l.find(ctx, host, port)
	if err != nil {
		return "", fmt.Errorf("%s leads nowhere: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
	}
	return address, nil
}

// lookup is one question to the API server about an address.
type lookup struct {
	client  kubernetes.Interface
	allowed func(port int) error
}

func (l lookup) find(ctx context.Context, host string, port int) (string, error) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		service, err := serviceNamed(ctx, l.client, host)
		if err != nil {
			return "", err
		}
		return l.throughService(ctx, service, port)
	}
	found, err := l.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("status.podIP", addr.String()).String(),
	})
	if err != nil {
		return "", fmt.Errorf("read pods: %w", err)
	}
	var pods []*corev1.Pod
	for i := range found.Items {
		pods = append(pods, &found.Items[i])
	}
	pod, at, err := podset.Holder(pods, addr.String(), port)
	if err != nil {
		return "", err
	}
	if pod != nil {
		return podhttp.LocalAddress(pod, at, l.allowed)
	}
	service, err := serviceAt(ctx, l.client, addr)
	if err != nil {
		return "", err
	}
	if service == nil {
		return "", errors.New("no pod and no service has this address")
	}
	return l.throughService(ctx, service, port)
}

// throughService follows a service's port to a ready endpoint.
func (l lookup) throughService(ctx context.Context, service *corev1.Service, port int) (string, error) {
	name := service.Namespace + "/" + service.Name
	portName, ok := servicePort(service, port)
	if !ok {
		return "", fmt.Errorf("service %s has no TCP port %d", name, port)
	}
	slices, err := slicesOf(ctx, l.client, service)
	if err != nil {
		return "", err
	}
	none := fmt.Errorf("service %s has no ready endpoint", name)
	for _, slice := range slices {
		target, ok := slicePort(slice.Ports, portName)
		if !ok {
			continue
		}
		for _, endpoint := range slice.Endpoints {
			ref := endpoint.TargetRef
			if ref == nil || ref.Kind != "Pod" || (endpoint.Conditions.Ready != nil && !*endpoint.Conditions.Ready) {
				continue
			}
			pod, err := l.client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				continue
			}
			if err != nil {
				return "", fmt.Errorf("read pod: %w", err)
			}
			address, err := podhttp.LocalAddress(pod, target, l.allowed)
			if err == nil {
				return address, nil
			}
			none = err
		}
	}
	return "", none
}

// serviceNamed is the one of a name like "web.default.svc" or "web.default.svc.cluster.local".
func serviceNamed(ctx context.Context, client kubernetes.Interface, host string) (*corev1.Service, error) {
	parts := strings.Split(strings.TrimSuffix(strings.TrimSuffix(host, "."), ".cluster.local"), ".")
	if len(parts) != 3 || parts[2] != "svc" || parts[0] == "" || parts[1] == "" {
		return nil, errors.New("it is neither an IP address nor a service's name")
	}
	service, err := client.CoreV1().Services(parts[1]).Get(ctx, parts[0], metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("there is no service %s/%s", parts[1], parts[0])
	}
	if err != nil {
		return nil, fmt.Errorf("%w: read service: %w", errUnanswered, err)
	}
	return service, nil
}

// serviceAt is the one with a cluster IP, or nil.
func serviceAt(ctx context.Context, client kubernetes.Interface, addr netip.Addr) (*corev1.Service, error) {
	found, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.clusterIP", addr.String()).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: read services: %w", errUnanswered, err)
	}
	for i := range found.Items {
		if found.Items[i].Spec.ClusterIP == addr.String() {
			return &found.Items[i], nil
		}
	}
	return nil, nil
}

// slicesOf are a service's endpoint slices.
func slicesOf(ctx context.Context, client kubernetes.Interface, service *corev1.Service) ([]discoveryv1.EndpointSlice, error) {
	found, err := client.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{discoveryv1.LabelServiceName: service.Name}.String(),
	})
	if err != nil {
		return nil, fmt.Errorf("%w: read endpoints: %w", errUnanswered, err)
	}
	return found.Items, nil
}

// servicePort names the service's TCP port.
func servicePort(service *corev1.Service, port int) (name string, ok bool) {
	for _, p := range service.Spec.Ports {
		if int(p.Port) == port && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
			return p.Name, true
		}
	}
	return "", false
}

// slicePort is the pods' port of that name.
func slicePort(ports []discoveryv1.EndpointPort, name string) (port int, ok bool) {
	for _, p := range ports {
		if p.Port != nil && (p.Name == nil && name == "" || p.Name != nil && *p.Name == name) {
			return int(*p.Port), true
		}
	}
	return 0, false
}
