package nodes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
)

// Resolve says to which address and port a service's port leads from this zone, as kube-proxy would: to any of its ready
// endpoints, in turn by chance, of this zone where the service's traffic distribution prefers it. host is a service's
// cluster IP or its name ("web.default.svc"), or any node's address for a node port. The address is mostly that of a
// pod, of any zone. Other hosts are an error of one sentence, within about a second. What is known of a service is used
// for a second, and for as long as the API server cannot be asked.
func (s *Simulator) Resolve(ctx context.Context, host string, port int) (netip.AddrPort, error) {
	z := s.current()
	if z == nil {
		return netip.AddrPort{}, errStopped
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	to, err := z.services.resolve(ctx, z.clients.cloud, host, port, z.conf.Zone)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("%s leads nowhere: %w", net.JoinHostPort(host, strconv.Itoa(port)), err)
	}
	return to, nil
}

// lookupTimeout bounds what is asked of the API server about a service.
const lookupTimeout = time.Second

const (
	serviceFresh = time.Second      // how long what is known of a service is used
	serviceStale = 10 * time.Minute // and while the API server cannot be asked
	mostServices = 1000
)

// services are what was asked of the API server about services lately.
type services struct {
	mu    sync.Mutex
	known map[string]knownService // by host and port
}

type knownService struct {
	at        time.Time
	name      string
	endpoints []endpoint
}

// endpoint is where a service's port may lead.
type endpoint struct {
	address     netip.AddrPort
	zones       []string // those that are to use it; none: all
	ready       bool
	terminating bool // but still serving
}

// errUnanswered is why nothing is known of a service: the API server was not reached.
var errUnanswered = errors.New("the API server does not answer")

func (s *services) resolve(ctx context.Context, client kubernetes.Interface, host string, port int, zone string) (netip.AddrPort,
	error) {
	key := net.JoinHostPort(host, strconv.Itoa(port))
	s.mu.Lock()
	known, found := s.known[key]
	s.mu.Unlock()
	if age := time.Since(known.at); !found || age > serviceFresh {
		asked, err := askService(ctx, client, host, port)
		switch {
		case err == nil:
			known = asked
			s.keep(key, known)
		case !found || age > serviceStale || !errors.Is(err, errUnanswered):
			return netip.AddrPort{}, err
		}
	}
	return choose(known, zone, rand.IntN)
}

func (s *services) keep(key string, known knownService) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[string]knownService{}
	}
	if len(s.known) >= mostServices {
		maps.DeleteFunc(s.known, func(_ string, k knownService) bool { return time.Since(k.at) > serviceFresh })
	}
	if len(s.known) < mostServices {
		s.known[key] = known
	}
}

// askService finds the endpoints of a service's port.
func askService(ctx context.Context, client kubernetes.Interface, host string, port int) (knownService, error) {
	service, portName, err := serviceOf(ctx, client, host, port)
	if err != nil {
		return knownService{}, err
	}
	name := service.Namespace + "/" + service.Name
	if service.Spec.Type == corev1.ServiceTypeExternalName {
		return knownService{}, fmt.Errorf("service %s is the name %s", name, service.Spec.ExternalName)
	}
	found, err := slicesOf(ctx, client, service)
	if err != nil {
		return knownService{}, err
	}
	return knownService{time.Now(), name, endpointsOf(found, portName)}, nil
}

// serviceOf is the service that a host and port are of, and the name of its port.
func serviceOf(ctx context.Context, client kubernetes.Interface, host string, port int) (*corev1.Service, string, error) {
	addr, notAddr := netip.ParseAddr(host)
	var service *corev1.Service
	var err error
	if notAddr != nil {
		service, err = serviceNamed(ctx, client, host)
	} else {
		service, err = serviceAt(ctx, client, addr)
	}
	if err != nil {
		return nil, "", err
	}
	if service == nil {
		return serviceOnNodes(ctx, client, port)
	}
	if service.Spec.ClusterIP == corev1.ClusterIPNone && notAddr != nil && len(service.Spec.Ports) == 0 {
		return service, "", nil // headless, without ports
	}
	portName, ok := servicePort(service, port)
	if !ok {
		return nil, "", fmt.Errorf("service %s/%s has no TCP port %d", service.Namespace, service.Name, port)
	}
	return service, portName, nil
}

// Node ports are in Kubernetes' default range.
const firstNodePort, lastNodePort = 30_000, 32_767

// serviceOnNodes is the one with that node port.
func serviceOnNodes(ctx context.Context, client kubernetes.Interface, port int) (*corev1.Service, string, error) {
	none := errors.New("no service has this address")
	if port < firstNodePort || port > lastNodePort {
		return nil, "", none
	}
	found, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", errUnanswered, err)
	}
	for i := range found.Items {
		for _, p := range found.Items[i].Spec.Ports {
			if int(p.NodePort) == port && (p.Protocol == "" || p.Protocol == corev1.ProtocolTCP) {
				return &found.Items[i], p.Name, nil
			}
		}
	}
	return nil, "", fmt.Errorf("no service has the node port %d", port)
}

// endpointsOf are those of a port in endpoint slices.
func endpointsOf(found []discoveryv1.EndpointSlice, portName string) []endpoint {
	var all []endpoint
	yes := func(b *bool, otherwise bool) bool { return b == nil && otherwise || b != nil && *b }
	for _, slice := range found {
		port, ok := slicePort(slice.Ports, portName)
		if !ok || slice.AddressType != "" && slice.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for _, e := range slice.Endpoints {
			one := endpoint{ready: yes(e.Conditions.Ready, true),
				terminating: yes(e.Conditions.Terminating, false) && yes(e.Conditions.Serving, false)}
			if e.Hints != nil {
				for _, z := range e.Hints.ForZones {
					one.zones = append(one.zones, z.Name)
				}
			}
			if len(e.Addresses) == 0 {
				continue
			}
			// kube-proxy, too, takes the first address alone: the others are not defined.
			if addr, err := netip.ParseAddr(e.Addresses[0]); err == nil && (one.ready || one.terminating) {
				one.address = netip.AddrPortFrom(addr, uint16(port))
				all = append(all, one)
			}
		}
	}
	return all
}

// choose takes one of a service's endpoints for a client in a zone: one that is ready, or where none is, one that
// terminates and still serves. Hints count where all endpoints have some, and the zone has one (kube-proxy's topology.go).
func choose(s knownService, zone string, random func(int) int) (netip.AddrPort, error) {
	candidates := slices.DeleteFunc(slices.Clone(s.endpoints), func(e endpoint) bool { return !e.ready })
	if len(candidates) == 0 {
		candidates = slices.Clone(s.endpoints)
	}
	if len(candidates) == 0 {
		return netip.AddrPort{}, fmt.Errorf("service %s has no ready endpoint", s.name)
	}
	if !slices.ContainsFunc(candidates, func(e endpoint) bool { return len(e.zones) == 0 }) {
		near := slices.DeleteFunc(slices.Clone(candidates), func(e endpoint) bool { return !slices.Contains(e.zones, zone) })
		if len(near) > 0 {
			candidates = near
		}
	}
	return candidates[random(len(candidates))].address, nil
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
