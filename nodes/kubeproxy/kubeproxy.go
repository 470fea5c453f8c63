// Package kubeproxy is what kube-proxy is to a zone's nodes: it knows which pod a connection to a node's port or to a
// Service's address goes to. It watches Services and their endpoints only while somebody connects to such addresses.
package kubeproxy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tripod/nodes/lazywatch"
)

var (
	// ErrNoService is why an address leads nowhere: no Service has it.
	ErrNoService = errors.New("no Service has it")
	// ErrNoEndpoint is why a Service's address is refused: no endpoint is there for it.
	ErrNoEndpoint = errors.New("the Service has no ready endpoints")
)

// Proxy is a zone's.
type Proxy struct {
	zone  string // us-east-1a
	watch *lazywatch.Watch
}

// byService is the index of slices by the namespace and name of their Service.
const byService = "service"

// New returns a Proxy that watches nothing yet. The client may list and watch Services and EndpointSlices.
func New(client kubernetes.Interface, zone string) *Proxy {
	services, endpoints := client.CoreV1().Services(""), client.DiscoveryV1().EndpointSlices("")
	return &Proxy{zone: zone, watch: lazywatch.New("Services",
		lazywatch.Source{Object: &corev1.Service{}, Watcher: lazywatch.Watcher(client, services.List, services.Watch)},
		lazywatch.Source{Object: &discoveryv1.EndpointSlice{}, Watcher: lazywatch.Watcher(client, endpoints.List, endpoints.Watch),
			Indexers: cache.Indexers{byService: func(obj any) ([]string, error) {
				s := obj.(*discoveryv1.EndpointSlice)
				return []string{s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]}, nil
			}}})}
}

// Close ends what is watched.
func (p *Proxy) Close() { p.watch.Close() }

// known returns when all Services and endpoints are known.
func (p *Proxy) known(ctx context.Context) (services, slices cache.Indexer, err error) {
	stores, err := p.watch.Stores(ctx)
	if err != nil {
		return nil, nil, err
	}
	return stores[0], stores[1], nil
}

// Asker is who connects.
type Asker struct {
	Node string         // at whose port, or on which it is
	Zone string         // where it is; empty: in the proxy's
	From netip.AddrPort // may be the zero value
	Own  bool           // From is the node's own address
	// Every says that all endpoints that the connection may go to are asked for, not some to try.
	Every bool
}

// mostTried bounds the endpoints that one connection is led to.
const mostTried = 3

// NodePort are the endpoints that a connection to a node's port goes to, and whether they see its client, not the node: the
// first one, or where that cannot be connected to the next. kube-proxy itself knows one alone, and leads to those of a lost zone
// until their node is known to be NotReady.
func (p *Proxy) NodePort(ctx context.Context, who Asker, port int) (to []netip.AddrPort, seesClient bool, err error) {
	services, all, err := p.known(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, obj := range services.List() {
		s := obj.(*corev1.Service)
		if isOthers(s.Labels) {
			continue
		}
		for _, sp := range s.Spec.Ports {
			if int(sp.NodePort) == port && isTCP(sp) {
				// what begins on the node itself goes everywhere
				local := s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal && !who.Own
				to, err = p.endpoints(all, s, sp, who, local)
				return to, local, err
			}
		}
	}
	return nil, false, ErrNoService
}

// ClusterIP are the endpoints that a connection to a Service's address goes to, also to one of a load balancer's or an
// external one.
func (p *Proxy) ClusterIP(ctx context.Context, who Asker, to netip.AddrPort) ([]netip.AddrPort, error) {
	services, all, err := p.known(ctx)
	if err != nil {
		return nil, err
	}
	address := to.Addr().String()
	for _, obj := range services.List() {
		s := obj.(*corev1.Service)
		internal := slices.Contains(s.Spec.ClusterIPs, address) || s.Spec.ClusterIP == address
		if !internal && !slices.Contains(s.Spec.ExternalIPs, address) || isOthers(s.Labels) {
			continue
		}
		local := internal && s.Spec.InternalTrafficPolicy != nil && *s.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal
		for _, sp := range s.Spec.Ports {
			if int(sp.Port) == int(to.Port()) && isTCP(sp) {
				return p.endpoints(all, s, sp, who, local && who.Node != "")
			}
		}
		return nil, ErrNoEndpoint // kube-proxy rejects other ports of its addresses
	}
	return nil, ErrNoService
}

// HealthCheck answers the health check of a Service whose external traffic stays on the node, at a port of the node: as
// kube-proxy does. nil: no Service has that port for it.
func (p *Proxy) HealthCheck(ctx context.Context, node string, port int) http.Handler {
	services, all, err := p.known(ctx)
	if err != nil {
		return nil
	}
	for _, obj := range services.List() {
		s := obj.(*corev1.Service)
		if int(s.Spec.HealthCheckNodePort) != port {
			continue
		}
		local := 0
		for _, slice := range slicesOf(all, s) {
			for _, e := range slice.Endpoints {
				if isReady(e) && e.NodeName != nil && *e.NodeName == node {
					local++
				}
			}
		}
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("X-Load-Balancing-Endpoint-Weight", fmt.Sprint(local))
			if local == 0 {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
			json.NewEncoder(w).Encode(map[string]any{"service": map[string]string{"namespace": s.Namespace, "name": s.Name},
				"localEndpoints": local, "serviceProxyHealthy": true})
		})
	}
	return nil
}

// isOthers says that the labels of a Service or of its endpoints leave them to another proxy, or to none: kube-proxy does not see them.
func isOthers(labels map[string]string) bool {
	_, proxied := labels["service.kubernetes.io/service-proxy-name"]
	_, headless := labels[corev1.IsHeadlessService]
	return proxied || headless
}

func isTCP(p corev1.ServicePort) bool { return p.Protocol == "" || p.Protocol == corev1.ProtocolTCP }

func isReady(e discoveryv1.Endpoint) bool { return e.Conditions.Ready == nil || *e.Conditions.Ready }

// isServing says that an endpoint which ends still answers: it gets traffic where nobody else is there.
func isServing(e discoveryv1.Endpoint) bool {
	return e.Conditions.Serving != nil && *e.Conditions.Serving && e.Conditions.Terminating != nil && *e.Conditions.Terminating
}

func slicesOf(all cache.Indexer, s *corev1.Service) (found []*discoveryv1.EndpointSlice) {
	objs, _ := all.ByIndex(byService, s.Namespace+"/"+s.Name)
	for _, obj := range objs {
		found = append(found, obj.(*discoveryv1.EndpointSlice))
	}
	return found
}

// endpoints chooses some of a Service's endpoints, as kube-proxy chooses one: those of the node alone where the traffic policy says
// so, those that are hinted to the zone where all have hints, and those that end where no other is left.
func (p *Proxy) endpoints(all cache.Indexer, s *corev1.Service, port corev1.ServicePort, who Asker, local bool) ([]netip.AddrPort,
	error) {
	type place struct {
		at    netip.AddrPort
		zones []discoveryv1.ForZone
	}
	var ready, ending []place
	for _, slice := range slicesOf(all, s) {
		number := portOf(slice, port)
		if number == 0 || isOthers(slice.Labels) {
			continue
		}
		for _, e := range slice.Endpoints {
			if local && (e.NodeName == nil || *e.NodeName != who.Node) || len(e.Addresses) == 0 {
				continue
			}
			address, err := netip.ParseAddr(e.Addresses[0])
			if err != nil {
				continue
			}
			is := place{at: netip.AddrPortFrom(address, uint16(number))}
			if e.Hints != nil {
				is.zones = e.Hints.ForZones
			}
			switch {
			case isReady(e):
				ready = append(ready, is)
			case isServing(e):
				ending = append(ending, is)
			}
		}
	}
	if len(ready) == 0 {
		ready = ending
	}
	if len(ready) == 0 {
		return nil, ErrNoEndpoint
	}
	if !slices.ContainsFunc(ready, func(is place) bool { return len(is.zones) == 0 }) {
		near := slices.DeleteFunc(slices.Clone(ready), func(is place) bool {
			return !slices.ContainsFunc(is.zones, func(z discoveryv1.ForZone) bool { return z.Name == cmp.Or(who.Zone, p.zone) })
		})
		if len(near) > 0 {
			ready = near
		}
	}
	first := rand.IntN(len(ready))
	if s.Spec.SessionAffinity == corev1.ServiceAffinityClientIP && who.From.IsValid() {
		sum := fnv.New64a()
		sum.Write(who.From.Addr().AsSlice())
		first = int(sum.Sum64() % uint64(len(ready)))
	}
	slices.SortFunc(ready, func(a, b place) int { return a.at.Compare(b.at) })
	var chosen []netip.AddrPort
	most := mostTried
	if who.Every {
		first, most = 0, len(ready)
	}
	for i := range min(len(ready), most) {
		chosen = append(chosen, ready[(first+i)%len(ready)].at)
	}
	return chosen, nil
}

// portOf is the number that a Service's port has at a slice's endpoints; 0: it has none.
func portOf(slice *discoveryv1.EndpointSlice, port corev1.ServicePort) int32 {
	for _, p := range slice.Ports {
		name := ""
		if p.Name != nil {
			name = *p.Name
		}
		if name == port.Name && p.Port != nil && (p.Protocol == nil || *p.Protocol == corev1.ProtocolTCP) {
			return *p.Port
		}
	}
	return 0
}
