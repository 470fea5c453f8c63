package nodes

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"tripod/nodes/machine"
)

// Simulator is the worker nodes of one zone of one cluster.
type Simulator struct {
	conf       Config
	newClients func(Config, map[string]node) (*clients, error) // tests give their own
	pause      time.Duration                                   // before a deleted node registers again

	mu      sync.Mutex
	running *zone               // nil when stopped
	servers map[*kubelet]func() // what closes each that serves
}

// zone is what one Start started.
type zone struct {
	nodes   map[string]node // by name
	clients *clients
	player  *player
	cancel  context.CancelFunc
	done    chan struct{} // closed when every goroutine has returned
}

// New returns a Simulator that is not started.
func New(c Config) *Simulator {
	return &Simulator{
		conf:       c.withDefaults(),
		newClients: newClients,
		pause:      deletedPause,
		servers:    map[*kubelet]func(){},
	}
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
	z, err := s.start()
	if err != nil {
		return fmt.Errorf("nodes of %s: %w", s.conf.Zone, err)
	}
	s.running = z
	return nil
}

func (s *Simulator) start() (*zone, error) {
	c := s.conf
	if err := c.validate(); err != nil {
		return nil, err
	}
	lives, err := loadStages()
	if err != nil {
		return nil, err
	}
	key := c.ClusterID + "/" + c.Zone
	addrs := machine.Addresses(c.Subnet, c.ClusterID, c.Zone, c.Count)
	pods := newAddresses(c.Subnet, addrs, machine.Hash(key))
	z := &zone{nodes: nodesAt(c, addrs), done: make(chan struct{})}
	api, err := s.newClients(c, z.nodes)
	if err != nil {
		return nil, fmt.Errorf("client of %s: %w", c.Server, err)
	}
	z.clients = api
	z.player = newPlayer(api.calls, lives, newRenderer(z.nodes, pods), c.Logger)

	ctx, cancel := context.WithCancel(withQuietLogs(context.Background(), c.Logger))
	z.cancel = cancel
	var group sync.WaitGroup
	var listing sync.WaitGroup // nodes whose existing pods are not known yet
	for _, n := range z.nodes {
		listing.Add(1)
		w := &worker{
			node: n, conf: c, clients: api, player: z.player, pods: pods,
			listed: sync.OnceFunc(listing.Done),
			absent: make(chan struct{}, 1),
		}
		group.Go(func() {
			defer w.listed() // a worker that was stopped before must not hold up the player
			w.run(as(ctx, n.name), s.pause)
		})
	}
	group.Go(func() {
		listing.Wait()
		z.player.run(ctx)
	})
	go func() {
		group.Wait()
		api.close()
		close(z.done)
	}()
	return z, nil
}

// nodesAt are the zone's nodes, by name.
func nodesAt(c Config, addrs []netip.Addr) map[string]node {
	nodes := make(map[string]node, len(addrs))
	for i, addr := range addrs {
		n := newNode(c, i, addr)
		nodes[n.name] = n
	}
	return nodes
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
