package nodes

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"reflect"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/ipam"
	"tripod/nodes/kubeletapi"
	"tripod/nodes/kubeproxy"
	"tripod/nodes/machine"
	"tripod/nodes/netpolicy"
	"tripod/nodes/podfiles"
	"tripod/nodes/podhttp"
	"tripod/nodes/podlife"
	"tripod/nodes/podset"
	"tripod/nodes/resourcemetrics"
)

// Simulator is the worker nodes of one zone of one cluster.
type Simulator struct {
	conf       Config
	newClients func(Config, *roster) (*clients, error) // tests give their own
	pause      time.Duration                           // before a deleted node registers again

	mu       sync.Mutex
	machines map[string]machine.Machine // by instance id: which there are to be
	running  *zone                      // nil when stopped
	servers  map[*kubelet]func()        // what closes each that serves

	kubelets atomic.Pointer[kubeletFeed] // of Serve; nil before it
	serving  atomic.Pointer[time.Time]   // when the kubelets' certificate expires; nil: there is none
	metrics  *resourcemetrics.Zone
}

// zone is what one Start started.
type zone struct {
	conf    Config
	pause   time.Duration
	roster  *roster
	clients *clients
	player  *player
	pods    *podset.Set
	links   *podLinks
	http    *podhttp.Server
	api     *kubeletapi.API
	kubelet http.Handler // of api, and so its metrics
	metrics http.Handler
	expires func() (time.Time, bool)
	// services is what kube-proxy is; nil in tests that have no administrator
	services *kubeproxy.Proxy
	policies *netpolicy.Holder
	// addresses have the pods' addresses: of the configuration, or else shared out by shares
	addresses *ipam.Pools
	shares    *shares

	logs         logFiles
	certificates certificates
	moves        podfiles.Moves

	ctx    context.Context // of everything that runs
	cancel context.CancelFunc
	group  sync.WaitGroup
	done   chan struct{} // closed when every goroutine has returned

	workers map[string]*runningNode // by instance id; Simulator.mu guards it
}

// runningNode is a node that was started.
type runningNode struct {
	node  node
	end   context.CancelFunc
	ended chan struct{}
}

// New returns a Simulator that is not started.
func New(c Config) *Simulator {
	s := &Simulator{
		conf:       c.withDefaults(),
		newClients: newClients,
		pause:      deletedPause,
		machines:   map[string]machine.Machine{},
		servers:    map[*kubelet]func(){},
	}
	for _, m := range c.Machines {
		s.machines[m.InstanceID] = m
	}
	s.metrics = &resourcemetrics.Zone{Read: s.readMetrics}
	return s
}

// Start brings the nodes to life and returns at once: they register as soon as the API server can be reached, and
// keep trying until Stop, which ends them; ctx does not, once Start has returned. An error means that the
// configuration is wrong or that the Simulator is started already.
func (s *Simulator) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running != nil {
		return errors.New("nodes are started already")
	}
	if err := s.start(); err != nil {
		return fmt.Errorf("nodes of %s: %w", s.conf.Zone, err)
	}
	return nil
}

// start starts the nodes that there are to be; Simulator.mu is held.
func (s *Simulator) start() error {
	c := s.conf
	if err := c.validate(); err != nil {
		return err
	}
	var err error
	z := &zone{conf: c, pause: s.pause, roster: newRoster(), done: make(chan struct{}), workers: map[string]*runningNode{}}
	z.roster.asked = func(node, method string, status int) { z.api.Asked(node, method, status) }
	z.expires = s.expires
	if z.clients, err = s.newClients(c, z.roster); err != nil {
		return fmt.Errorf("client of %s: %w", c.Server, err)
	}
	z.addresses = c.Pools
	if c.Pools == nil {
		z.addresses, z.shares = ipam.New(time.Now), &shares{next: map[netip.Prefix]int{}}
	}
	z.player = newPlayer(playerConfig{client: z.clients.calls, settings: c.Pods, address: z.podAddress,
		synced:       func(node string, took time.Duration) { z.api.Synced(node, took) },
		certificates: &z.certificates, moves: &z.moves, dial: z.dialPod, mount: c.Mount, log: c.Logger})
	z.moves.Changed = func(pod *corev1.Pod) { z.player.queue.Add(key(pod)) }
	z.answer()
	z.ctx, z.cancel = context.WithCancel(withQuietLogs(context.Background(), c.Logger))
	var listing sync.WaitGroup // nodes of the start whose existing pods are not known yet
	for _, m := range s.machines {
		listing.Add(1)
		z.startNode(m, listing.Done, nil)
	}
	z.group.Go(func() {
		listing.Wait()
		z.player.run(z.ctx)
	})
	if client := z.clients.dynamic; client != nil {
		z.group.Go(func() { z.watchKWOK(z.ctx, client, c.Logger) })
		z.group.Go(func() { watchCNI(z.ctx, client, c.ClusterID, z.addresses, c.Logger) })
	}
	if client := z.clients.administrator; client != nil {
		z.services = kubeproxy.New(client, c.Zone)
		z.policies = netpolicy.New(client, c.NetworkPolicies)
		z.group.Go(func() { <-z.ctx.Done(); z.services.Close(); z.policies.Close() })
	}
	if z.logs.nodes != nil {
		z.group.Go(func() { z.api.WriteLogs(z.ctx) })
	}
	s.running = z
	go func() {
		<-z.ctx.Done()
		z.api.Close()
		z.http.Close()
		z.group.Wait()
		z.api.Wait()
		z.clients.reconnect() // nobody uses them any more
		close(z.done)
	}()
	return nil
}

// Set says which nodes there are to be: others end, as when their machines lose power, and new ones join. A machine that
// is impossible is an error, and nothing changes.
func (s *Simulator) Set(machines []machine.Machine) error {
	wanted := make(map[string]machine.Machine, len(machines))
	for _, m := range machines {
		if err := m.Validate(); err != nil {
			return err
		}
		wanted[m.InstanceID] = m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.machines = wanted
	z := s.running
	if z == nil {
		return nil
	}
	left := map[string]<-chan struct{}{} // by name: nodes that end, before whose successors must not begin
	for id, r := range z.workers {
		if m, stays := wanted[id]; !stays || !reflect.DeepEqual(m, r.node.machine) {
			z.endNode(id)
			left[r.node.name] = r.ended
		}
	}
	for id, m := range wanted {
		if z.workers[id] == nil {
			z.startNode(m, func() {}, left[m.Name])
		}
	}
	return nil
}

// startNode starts a node once another one of its name has ended (nil: there is none). listed is called when its
// existing pods are known, or it is known that it cannot ask for them.
func (z *zone) startNode(m machine.Machine, listed func(), before <-chan struct{}) {
	n := newNode(m)
	n.since = time.Now()
	ctx, end := context.WithCancel(z.ctx)
	r := &runningNode{node: n, end: end, ended: make(chan struct{})}
	z.workers[m.InstanceID] = r
	w := &worker{
		node: n, conf: z.conf, clients: z.clients, player: z.player, pods: z.addresses, set: z.pods, api: z.api,
		listed: sync.OnceFunc(listed), keep: func(pod *corev1.Pod) { z.keepFargateLogs(n, pod) },
		absent: make(chan struct{}, 1), certificates: &z.certificates, wanted: make(chan struct{}, 1),
	}
	z.group.Go(func() {
		defer close(r.ended)
		defer w.listed() // a worker that was stopped before must not hold up the player
		if before != nil {
			<-before
		}
		z.roster.add(n)
		z.join(n)
		z.prepareLogs(n)
		var routing sync.WaitGroup
		routing.Go(func() { z.route(ctx, n) })
		defer routing.Wait()
		w.run(as(ctx, n.name), z.pause)
		z.roster.remove(n)
		w.forget()
		z.api.ForgetNode(n.name)
		routing.Wait() // it writes into what is forgotten
		z.forgetLogs(n)
		z.addresses.Leave(n.instanceID)
	})
}

// podAddress is the address of a pod on a node. A pod on Fargate has its machine's.
func (z *zone) podAddress(nodeName string, pod *corev1.Pod) (netip.Addr, error) {
	n, found := z.roster.named(nodeName)
	if !found {
		return netip.Addr{}, fmt.Errorf("node %s is not of this zone", nodeName)
	}
	if n.machine.Fargate != nil {
		return n.addr, nil
	}
	addr, err := z.addresses.Allocate(n.instanceID, string(pod.UID), key(pod))
	if errors.Is(err, ipam.ErrPending) {
		err = podlife.ErrUnknown // the pod is looked at again when it is known
	}
	return addr, err
}

// join gives a node its pool of addresses for pods. A machine of Fargate's has none.
func (z *zone) join(n node) {
	if n.machine.Fargate != nil {
		return
	}
	most := int(n.size().pods)
	if n.machine.Boot.MaxPods > 0 {
		most = n.machine.Boot.MaxPods
	}
	z.addresses.Join(n.instanceID, z.conf.ClusterID, most, func(pods []string) {
		for _, k := range pods {
			z.player.queue.Add(k)
		}
	})
	if z.shares != nil {
		z.addresses.Set(n.instanceID, z.conf.ClusterID, z.shares.of(n.machine.Subnet, most), true)
	}
}

// endNode ends a node; its objects stay.
func (z *zone) endNode(id string) {
	z.workers[id].end()
	delete(z.workers, id)
}

// forget makes the player leave the node and its pods alone.
func (w *worker) forget() {
	for _, pod := range w.player.podsOf(w.name) {
		w.player.remove(pod)
		w.set.Remove(pod)
	}
	w.player.remove(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: w.name}})
}

// Stop ends the nodes and what serves for them, as when their machines lose power: the objects stay, and the node
// controller marks them NotReady when their leases are old. It waits until everything has ended, or until ctx ends,
// whose error it returns then. Stopping what is stopped does nothing.
func (s *Simulator) Stop(ctx context.Context) error {
	s.mu.Lock()
	z := s.running
	s.running = nil
	var closing []func()
	for _, stop := range s.servers {
		closing = append(closing, stop)
	}
	s.mu.Unlock()

	for _, stop := range closing {
		stop()
	}
	if z == nil {
		return nil
	}
	z.cancel()
	z.clients.reconnect() // requests that hang end with their connections
	select {
	case <-z.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop nodes of %s: %w", s.conf.Zone, ctx.Err())
	}
}

// current is what runs now, or nil.
func (s *Simulator) current() *zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running
}
