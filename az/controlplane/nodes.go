package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/nodes/machine"
)

// Workers are the zone's simulated nodes of a cluster: nodes.Simulator.
type Workers interface {
	Start(ctx context.Context) error
	// Set says which machines are nodes now.
	Set([]machine.Machine) error
	Stop(ctx context.Context) error
	// Serve answers for the addresses of all nodes and their pods until the listener is closed.
	Serve(net.Listener) error
}

// WorkersConfig says which nodes a zone has and how they reach their cluster.
type WorkersConfig struct {
	Cluster      Cluster
	Region       string
	AccountID    string
	Zone, ZoneID string
	// Machines are those at the start.
	Machines []machine.Machine
	Server   string // the cluster's endpoint
	// Dial connects to it, whatever address is asked for, and whoever else may.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	CA   []byte // PEM
	// Token signs the kubelet of the instance with that id in.
	Token func(ctx context.Context, instanceID string) (string, error)
	// Report takes what became of a kubelet that registers: see nodes.Config.
	Report func(instanceID, trouble string)
	// Client is the cluster's administrator's: what the cloud's own controllers do is done by it.
	Client pki.Pair
	// Authority signs the kubelets' serving certificates.
	Authority *pki.Authority
	// RealPace lets images and containers take the time that they take in EKS.
	RealPace bool
	// LocalPort says why a pod may not lead to that port of this machine; nil where it may.
	LocalPort func(port int) error
	// DialWithin connects to an address of the cluster's nodes and pods, in whatever zone.
	DialWithin func(ctx context.Context, from, to netip.AddrPort) (net.Conn, error)
}

func (c *Part) startWorkers(ctx context.Context) error {
	if c.host.Workers == nil {
		return nil
	}
	config, err := c.workersConfig()
	if err != nil {
		return err
	}
	if config.Machines, _, _, err = c.findMachines(); err != nil {
		return err
	}
	workers, err := c.host.Workers(config)
	if err != nil {
		return err
	}
	if c.addresses, err = process.ListenUnix(plan.NodesSocket(c.host.Plan.RunDir(), c.cluster.ID)); err != nil {
		return err
	}
	if err := workers.Start(ctx); err != nil {
		c.addresses.Close()
		return err
	}
	c.mu.Lock()
	c.workers = workers
	c.mu.Unlock()
	go workers.Serve(c.addresses) // ends when the listener is closed
	return nil
}

// stopWorkers ends them; of a zone that has none it does nothing.
func (c *Part) stopWorkers(ctx context.Context) error {
	workers := c.nodes()
	if workers == nil {
		return nil
	}
	err := workers.Stop(ctx)
	c.addresses.Close()
	return err
}

// nodes are the zone's workers of now.
func (c *Part) nodes() Workers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers
}

// workersConfig says how the zone's nodes reach the cluster.
func (c *Part) workersConfig() (WorkersConfig, error) {
	trust := c.trust.Load()
	authority, err := pki.ParseAuthority(trust.signer)
	if err != nil {
		return WorkersConfig{}, err
	}
	admin, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.Administrator)
	if err != nil {
		return WorkersConfig{}, err
	}
	peer := c.host.Plan.Peers[c.index]
	config := WorkersConfig{Cluster: c.cluster, Region: c.host.Plan.Region, AccountID: c.host.Plan.AccountID,
		Zone: peer.Zone, ZoneID: peer.ID, Report: c.reports.take,
		RealPace: c.host.Plan.RealPace}
	config.Server = fmt.Sprintf("https://127.0.0.1:%d", c.cluster.EndpointPort)
	config.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", plan.EndpointSocket(c.host.Plan.RunDir(), c.cluster.ID))
	}
	config.DialWithin = func(ctx context.Context, from, to netip.AddrPort) (net.Conn, error) {
		return c.host.DialWithin(ctx, c.cluster.ID, from, to)
	}
	config.CA, config.Token, config.Client, config.Authority, config.LocalPort = trust.bundle, c.nodeToken, admin,
		authority, c.host.Plan.LocalPort
	return config, nil
}
