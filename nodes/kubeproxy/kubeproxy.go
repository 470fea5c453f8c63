// Package kubeproxy is what kube-proxy is to a zone's nodes: it knows which pod a connection to a node's port or to a
// Service's address goes to. It watches Services and their endpoints only while somebody connects to such addresses.
package kubeproxy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

var (
	// ErrNoService is why an address leads nowhere: no Service has it.
	ErrNoService = errors.New("no Service has it")
	// ErrNoEndpoint is why a Service's address is refused: no endpoint is there for it.
	ErrNoEndpoint = errors.New("the Service has no ready endpoints")
)

// patience is for how long Services are watched after the last connection to one.
const patience = 10 * time.Minute

// Proxy is a zone's.
type Proxy struct {
	client kubernetes.Interface
	zone   string // us-east-1a
	now    func() time.Time

	mu     sync.Mutex
	used   time.Time
	cancel context.CancelFunc // nil while nothing is watched
	synced chan struct{}      // closed when all is known
	wait   sync.WaitGroup

	services cache.Store
	slices   cache.Indexer
	closed   bool
}

// New returns a Proxy that watches nothing yet. The client may list and watch Services and EndpointSlices.
func New(client kubernetes.Interface, zone string) *Proxy {
	return &Proxy{client: client, zone: zone, now: time.Now}
}

// Close ends what is watched.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.end()
	p.mu.Unlock()
	p.wait.Wait()
}

// end assumes the lock.
func (p *Proxy) end() {
	if p.cancel != nil {
		p.cancel()
		p.cancel = nil
	}
}

// byService is the index of slices by the namespace and name of their Service.
const byService = "service"

// watch returns when all Services and endpoints are known.
func (p *Proxy) watch(ctx context.Context) (cache.Store, cache.Indexer, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, nil, context.Canceled
	}
	p.used = p.now()
	if p.cancel == nil {
		p.begin()
	}
	services, all, synced := p.services, p.slices, p.synced
	p.mu.Unlock()
	select {
	case <-synced:
		return services, all, nil
	case <-ctx.Done():
		return nil, nil, fmt.Errorf("the cluster's Services are not known: %w", ctx.Err())
	}
}

// begin assumes the lock.
func (p *Proxy) begin() {
	running, cancel := context.WithCancel(context.Background())
	p.cancel, p.synced = cancel, make(chan struct{})
	services, followServices := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: watcher(p.client, p.client.CoreV1().Services("").List, p.client.CoreV1().Services("").Watch),
		ObjectType:    &corev1.Service{}, Handler: cache.ResourceEventHandlerFuncs{}, Transform: trim})
	all, followSlices := cache.NewInformerWithOptions(cache.InformerOptions{
		ListerWatcher: watcher(p.client, p.client.DiscoveryV1().EndpointSlices("").List, p.client.DiscoveryV1().EndpointSlices("").Watch),
		ObjectType:    &discoveryv1.EndpointSlice{}, Handler: cache.ResourceEventHandlerFuncs{}, Transform: trim,
		Indexers: cache.Indexers{byService: func(obj any) ([]string, error) {
			s := obj.(*discoveryv1.EndpointSlice)
			return []string{s.Namespace + "/" + s.Labels[discoveryv1.LabelServiceName]}, nil
		}}})
	p.services, p.slices = services, all.(cache.Indexer)
	p.wait.Go(func() { followServices.RunWithContext(running) })
	p.wait.Go(func() { followSlices.RunWithContext(running) })
	synced := p.synced
	p.wait.Go(func() {
		if cache.WaitForCacheSync(running.Done(), followServices.HasSynced, followSlices.HasSynced) {
			close(synced)
		}
		p.rest(running)
	})
}

// rest ends the watches once nobody has asked for a while.
func (p *Proxy) rest(running context.Context) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for {
		select {
		case <-running.Done():
			return
		case <-timer.C:
		}
		p.mu.Lock()
		left := p.used.Add(patience).Sub(p.now())
		if left <= 0 {
			p.end()
		}
		p.mu.Unlock()
		timer.Reset(max(left, time.Second))
	}
}

// watcher lists and watches by a typed client.
func watcher[L runtime.Object](client any, list func(context.Context, metav1.ListOptions) (L, error),
	follow func(context.Context, metav1.ListOptions) (watch.Interface, error)) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc:  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) { return list(ctx, o) },
		WatchFuncWithContext: follow,
	}, client)
}

// trim drops what nobody here asks for.
func trim(obj any) (any, error) {
	if m, ok := obj.(metav1.Object); ok {
		m.SetManagedFields(nil)
	}
	return obj, nil
}

// Asker is who connects.
type Asker struct {
	Node string         // at whose port
	From netip.AddrPort // may be the zero value
}

// mostTried bounds the endpoints that one connection is led to.
const mostTried = 3

// NodePort are the endpoints that a connection to a node's port goes to: the first one, or where that cannot be connected to
// the next. kube-proxy itself knows one alone, and leads to those of a lost zone until their node is known to be NotReady.
func (p *Proxy) NodePort(ctx context.Context, who Asker, port int) ([]netip.AddrPort, error) {
	services, all, err := p.watch(ctx)
	if err != nil {
		return nil, err
	}
	for _, obj := range services.List() {
		s := obj.(*corev1.Service)
		for _, sp := range s.Spec.Ports {
			if int(sp.NodePort) == port && isTCP(sp) {
				return p.endpoints(all, s, sp, who, s.Spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal)
			}
		}
	}
	return nil, ErrNoService
}

// ClusterIP are the endpoints that a connection to a Service's address goes to, also to one of a load balancer's or an
// external one.
func (p *Proxy) ClusterIP(ctx context.Context, who Asker, to netip.AddrPort) ([]netip.AddrPort, error) {
	services, all, err := p.watch(ctx)
	if err != nil {
		return nil, err
	}
	address := to.Addr().String()
	for _, obj := range services.List() {
		s := obj.(*corev1.Service)
		internal := slices.Contains(s.Spec.ClusterIPs, address) || s.Spec.ClusterIP == address
		if !internal && !slices.Contains(s.Spec.ExternalIPs, address) {
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
	services, all, err := p.watch(ctx)
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
		if number == 0 {
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
			return !slices.ContainsFunc(is.zones, func(z discoveryv1.ForZone) bool { return z.Name == p.zone })
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
	for i := range min(len(ready), mostTried) {
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
