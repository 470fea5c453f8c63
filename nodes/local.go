package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
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
)

// LocalAddressAnnotation on a pod says where its address leads on this machine, e.g. "127.0.0.1:9443": this is how
// an admission webhook that runs on a laptop is reached. With "." and one of the pod's ports behind it, it is for
// that port alone and comes before the general one. Which ports that may be Config.LocalPort says.
const LocalAddressAnnotation = "tripod.internal/local-address"

// lookupTimeout bounds what LocalAddress asks of the API server.
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
		name, namespace, ok := serviceName(host)
		if !ok {
			return "", errors.New("it is neither an IP address nor a service's name")
		}
		service, err := l.client.CoreV1().Services(namespace).Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return "", fmt.Errorf("there is no service %s/%s", namespace, name)
		}
		if err != nil {
			return "", fmt.Errorf("read service: %w", err)
		}
		return l.throughService(ctx, service, port)
	}
	pods, err := l.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("status.podIP", addr.String()).String(),
	})
	if err != nil {
		return "", fmt.Errorf("read pods: %w", err)
	}
	pod, err := holder(pods.Items, addr.String(), port)
	if err != nil {
		return "", err
	}
	if pod != nil {
		return l.localAddress(pod, port)
	}
	services, err := l.client.CoreV1().Services("").List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.clusterIP", addr.String()).String(),
	})
	if err != nil {
		return "", fmt.Errorf("read services: %w", err)
	}
	for i := range services.Items {
		if services.Items[i].Spec.ClusterIP == addr.String() {
			return l.throughService(ctx, &services.Items[i], port)
		}
	}
	return "", errors.New("no pod and no service has this address")
}

// serviceName takes "web.default.svc" or "web.default.svc.cluster.local" apart.
func serviceName(host string) (name, namespace string, ok bool) {
	host = strings.TrimSuffix(strings.TrimSuffix(host, "."), ".cluster.local")
	parts := strings.Split(host, ".")
	if len(parts) != 3 || parts[2] != "svc" {
		return "", "", false
	}
	return parts[0], parts[1], parts[0] != "" && parts[1] != ""
}

// throughService follows a service's port to a ready endpoint.
func (l lookup) throughService(ctx context.Context, service *corev1.Service, port int) (string, error) {
	name := service.Namespace + "/" + service.Name
	portName, ok := servicePort(service, port)
	if !ok {
		return "", fmt.Errorf("service %s has no TCP port %d", name, port)
	}
	found, err := l.client.DiscoveryV1().EndpointSlices(service.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: labels.Set{discoveryv1.LabelServiceName: service.Name}.String(),
	})
	if err != nil {
		return "", fmt.Errorf("read endpoints: %w", err)
	}
	none := fmt.Errorf("service %s has no ready endpoint", name)
	for _, slice := range found.Items {
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
			address, err := l.localAddress(pod, target)
			if err == nil {
				return address, nil
			}
			none = err
		}
	}
	return "", none
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

func alive(pod *corev1.Pod) bool {
	return pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed
}

// holder is the pod to which a port of an address belongs; nil where no pod has the address. Pods of the host's network
// share their node's, and each has only the ports that its containers declare: else one could take what is sent to
// another. Where two claim the same, as no kubelet lets them, neither has it.
func holder(pods []corev1.Pod, address string, port int) (*corev1.Pod, error) {
	var holders, others []*corev1.Pod
	for i := range pods {
		switch pod := &pods[i]; {
		case pod.Status.PodIP != address || !alive(pod):
		case pod.Spec.HostNetwork && !declares(pod, port):
			others = append(others, pod)
		default:
			holders = append(holders, pod)
		}
	}
	switch {
	case len(holders) == 1:
		return holders[0], nil
	case len(holders) > 1:
		return nil, fmt.Errorf("pods %s/%s and %s/%s both claim the port", holders[0].Namespace, holders[0].Name,
			holders[1].Namespace, holders[1].Name)
	case len(others) > 0:
		return nil, fmt.Errorf("it is a node's address, and no pod of the host's network there (%s/%s, ...) declares the "+
			"port as a container's",
			others[0].Namespace, others[0].Name)
	}
	return nil, nil
}

// declares says whether one of the pod's containers declares the TCP port.
func declares(pod *corev1.Pod, port int) bool {
	for _, container := range slices.Concat(pod.Spec.Containers, pod.Spec.InitContainers) {
		for _, p := range container.Ports {
			if int(p.ContainerPort) == port && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
				return true
			}
		}
	}
	return false
}

// localAddress is what the pod's annotation says of a port; only loopback addresses are accepted, since whoever may
// create pods would otherwise reach into the user's networks, and of those only the ports that the operator allows.
func (l lookup) localAddress(pod *corev1.Pod, port int) (string, error) {
	annotation := LocalAddressAnnotation + "." + strconv.Itoa(port)
	value, ok := pod.Annotations[annotation]
	if !ok {
		annotation = LocalAddressAnnotation
		value, ok = pod.Annotations[annotation]
	}
	if !ok {
		return "", fmt.Errorf("pod %s/%s has no annotation %s", pod.Namespace, pod.Name, LocalAddressAnnotation)
	}
	address, err := netip.ParseAddrPort(strings.Replace(value, "localhost:", "127.0.0.1:", 1))
	if err != nil || !address.Addr().IsLoopback() || address.Port() == 0 {
		return "", fmt.Errorf("pod %s/%s: annotation %s must be a loopback address with a port like 127.0.0.1:9443, not %q",
			pod.Namespace, pod.Name, annotation, value)
	}
	if err := l.allowed(int(address.Port())); err != nil {
		return "", fmt.Errorf("pod %s/%s: annotation %s: %w", pod.Namespace, pod.Name, annotation, err)
	}
	return address.String(), nil
}
