// Package balancing is a zone's part of Elastic Load Balancing: it makes of the regional state's records what the zone's
// load-balancer nodes do, and writes down what these find.
package balancing

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"tripod/internal/reconcile"
	"tripod/lb/handover"
	"tripod/lb/node"
	"tripod/nodes/network"
	"tripod/region"
	"tripod/state"
)

// hurry is the pause between checks of a target that is not healthy yet: with AWS's intervals alone a new Service would
// wait half a minute for its first answer.
const hurry = time.Second

// Options are what a Host needs of its zone.
type Options struct {
	Zone  string // us-east-1a
	State State
	// Clusters are the ids of all clusters, and Dial connects to an address of a node or a pod of one.
	Clusters func() []string
	Dial     func(ctx context.Context, clusterID string, from network.Source, to netip.AddrPort) (net.Conn, error)
	// Admit says why a client may not come to a port of a load balancer; nil: it may.
	Admit func(b region.LoadBalancer, client netip.AddrPort, port int) error
	// Cross puts a client's connection on the link between it and the zone; nil: there is none.
	Cross func(client net.Conn) net.Conn
	// OnChange is called when a load balancer, or what is found of its targets, has changed.
	OnChange func()
	// Client is the address that clients are said to have; where it is invalid they have their own.
	Client netip.Addr
	// LogDir is where access logs go; empty: nowhere.
	LogDir string
	// RealPace has targets checked in AWS's intervals alone.
	RealPace bool
	Now      func() time.Time
	Logger   *slog.Logger
}

// State is the regional state.
type State interface {
	state.Updater
	Watch() (<-chan struct{}, func())
}

// Host has the zone's load-balancer nodes.
type Host struct {
	options Options
	node    *node.Node
	logs    *accessLogs

	applied [len(tables)]state.PartVersion // of the records that the nodes work by
	until   time.Time                      // when that changes by itself; zero: never
	idle    bool                           // the nodes carry nothing

	mu    sync.Mutex
	found map[string]region.TargetReport // by key: not written yet
	news  chan struct{}                  // coalesced: found has something
}

// New returns a Host whose nodes carry nothing until its loops run.
func New(options Options) *Host {
	h := &Host{options: options, found: map[string]region.TargetReport{}, news: make(chan struct{}, 1)}
	h.idle = true
	pause := hurry
	if options.RealPace {
		pause = 0
	}
	h.logs = &accessLogs{dir: options.LogDir, zone: options.Zone, now: options.Now, logger: options.Logger,
		pending: map[string]*pendingLog{}, closed: options.LogDir == ""}
	h.node = node.New(node.Options{Zone: options.Zone, Dial: h.dial, Admit: options.Admit, Cross: options.Cross, Report: h.report,
		Access: h.logs.note, Client: options.Client, Hurry: pause, Now: options.Now, Logger: options.Logger})
	return h
}

// Close ends all that the nodes carry.
func (h *Host) Close() {
	h.node.Close()
	h.logs.close()
}

// Serve takes over the clients that come through l, a listener of a unix socket, until it is closed.
func (h *Host) Serve(l net.Listener) error { return handover.Serve(l, h.node) }

// Loops are those of a zone. They rest while there is no load balancer.
func (h *Host) Loops() []reconcile.Loop {
	return []reconcile.Loop{
		{Key: "carry the load balancers' traffic", Watch: h.options.State.Watch, Do: h.Carry, Logger: h.options.Logger},
		{Key: "write down what targets are found to be", Watch: func() (<-chan struct{}, func()) { return h.news, func() {} },
			Do: h.Write, Logger: h.options.Logger, Pauses: reconcile.Pauses{First: time.Second, Most: 5 * time.Second}},
	}
}

// tables are all whose records decide what a node does, or tell of it.
var tables = [...]interface {
	Version(*state.Txn) state.PartVersion
}{region.LoadBalancers.Part(""), region.Listeners.Part(""), region.ListenerRules.Part(""), region.TargetGroups.Part(""),
	region.Targets.Part(""), region.Certificates.Part(""), region.Instances.Part(""), region.ZoneOutages.Part(""),
	region.ZonalShifts.Part(""), region.TargetReports.Part("")}

// Carry has the nodes do what the records say.
func (h *Host) Carry(ctx context.Context) (again time.Duration, err error) {
	now := h.options.Now()
	var versions [len(tables)]state.PartVersion
	var made made
	same := false
	if err := h.options.State.View(func(tx *state.Txn) error {
		for i, table := range tables {
			versions[i] = table.Version(tx)
		}
		same = versions == h.applied && (h.until.IsZero() || now.Before(h.until))
		if !same {
			made = configOf(tx, h.options.Zone, now)
		}
		return nil
	}); err != nil {
		return 0, err
	}
	if !same {
		idle := len(made.config.Balancers) == 0
		if !idle || !h.idle {
			h.node.Apply(made.config)
			h.options.OnChange()
		}
		if len(made.provisioned)+len(made.drained) > 0 {
			if err := h.options.State.Update(ctx, func(tx *state.Txn) error { return settle(tx, made, now) }); err != nil {
				return 0, err
			}
		}
		h.applied, h.until, h.idle = versions, made.until, idle
	}
	if !h.until.IsZero() {
		again = max(h.until.Sub(now), reconcile.Now)
	}
	return again, nil
}

// settle notes that load balancers carry traffic now, and forgets targets that have drained.
func settle(tx *state.Txn, made made, now time.Time) error {
	for _, key := range made.provisioned {
		if b, found := region.LoadBalancers.Get(tx, key); found && b.State == region.BalancerProvisioning {
			if err := region.MoveBalancer(tx, key, region.BalancerActive, ""); err != nil {
				return err
			}
		}
	}
	for _, group := range made.drained {
		region.ForgetDrained(tx, group, now)
	}
	return nil
}

// report notes what a node has found of a target, to be written soon.
func (h *Host) report(r region.TargetReport) {
	h.mu.Lock()
	h.found[r.Key()] = r
	h.mu.Unlock()
	select {
	case h.news <- struct{}{}:
	default:
	}
}

// Write writes all that was found. What is about a target that is gone, or no news for the records, is let go.
func (h *Host) Write(ctx context.Context) (time.Duration, error) {
	h.mu.Lock()
	found := h.found
	h.found = map[string]region.TargetReport{}
	h.mu.Unlock()
	if len(found) == 0 {
		return 0, nil
	}
	err := h.options.State.Update(ctx, func(tx *state.Txn) error {
		for _, key := range slices.Sorted(maps.Keys(found)) {
			err := region.ReportTarget(tx, found[key])
			if refused := (*region.RefusedError)(nil); err != nil && !errors.As(err, &refused) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.mu.Lock()
		defer h.mu.Unlock()
		for key, r := range found {
			if _, newer := h.found[key]; !newer {
				h.found[key] = r
			}
		}
	}
	return 0, err
}

// dial connects to a target: to one whose cluster is known there, to others where an address is known.
func (h *Host) dial(ctx context.Context, from netip.AddrPort, to node.Target) (net.Conn, error) {
	clusters := []string{to.Cluster}
	if to.Cluster == "" {
		clusters = h.options.Clusters()
	}
	why := network.ErrNoAddress
	for _, id := range clusters {
		conn, err := h.options.Dial(ctx, id, network.Source{Address: from, Balancer: to.Balancer}, to.Address)
		switch {
		case err == nil:
			return conn, nil
		case errors.Is(err, network.ErrFiltered): // an address of another cluster's, whose rules are others
			why = err
		case !errors.Is(err, network.ErrNoAddress):
			return nil, err
		}
	}
	return nil, why
}
