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
	"tripod/internal/version"
	"tripod/region"
)

// Workers are the zone's simulated nodes of a cluster: nodes.Simulator.
type Workers interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	// ServeKubelet answers for all their kubelets until the listener is closed.
	ServeKubelet(net.Listener) error
	// LocalAddress says where a pod's or node's address leads on this machine.
	LocalAddress(ctx context.Context, host string, port int) (string, error)
}

// WorkersConfig says which nodes a zone has and how they reach their cluster.
type WorkersConfig struct {
	Cluster      Cluster
	Region       string
	AccountID    string
	Zone, ZoneID string
	Subnet       netip.Prefix
	Count        int
	Server       string // the cluster's endpoint
	// Dial connects to it, whatever address is asked for, and whoever else may.
	Dial    func(ctx context.Context, network, address string) (net.Conn, error)
	Version string // of the kubelets: "v1.36.3-eks-8fcc1ab"
	CA      []byte // PEM
	// Token signs the kubelet of the instance with that id in.
	Token func(ctx context.Context, instanceID string) (string, error)
	// Client is the cluster's administrator's: what the cloud's own controllers do is done by it.
	Client pki.Pair
	// Authority signs the kubelets' serving certificates.
	Authority *pki.Authority
	// LocalPort says why a pod may not lead to that port of this machine; nil where it may.
	LocalPort func(port int) error
}

func (c *Part) startWorkers(ctx context.Context) error {
	if c.host.Workers == nil {
		return nil
	}
	record, err := c.present()
	if err != nil {
		return err
	}
	config, err := c.workersConfig(record)
	if err != nil {
		return err
	}
	workers, err := c.host.Workers(config)
	if err != nil {
		return err
	}
	if c.kubelet, err = process.ListenUnix(plan.KubeletSocket(c.host.Plan.RunDir(), c.cluster.ID)); err != nil {
		return err
	}
	if err := workers.Start(ctx); err != nil {
		c.kubelet.Close()
		return err
	}
	c.mu.Lock()
	c.workers = workers
	c.mu.Unlock()
	c.nodesVersion = record.Version
	go workers.ServeKubelet(c.kubelet) // ends when the listener is closed
	return nil
}

// stopWorkers ends them; of a zone that has none it does nothing.
func (c *Part) stopWorkers(ctx context.Context) error {
	workers := c.nodes()
	if workers == nil {
		return nil
	}
	err := workers.Stop(ctx)
	c.kubelet.Close()
	return err
}

// nodes are the zone's workers of now.
func (c *Part) nodes() Workers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers
}

// workersConfig says which nodes the zone has and how they reach the cluster, whose record is given.
func (c *Part) workersConfig(record region.Cluster) (WorkersConfig, error) {
	trust := c.trust.Load()
	authority, err := pki.ParseAuthority(trust.signer)
	if err != nil {
		return WorkersConfig{}, err
	}
	admin, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.Administrator)
	if err != nil {
		return WorkersConfig{}, err
	}
	config := c.workersIn(c.index)
	config.Server = fmt.Sprintf("https://127.0.0.1:%d", c.cluster.EndpointPort)
	config.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", plan.EndpointSocket(c.host.Plan.RunDir(), c.cluster.ID))
	}
	runs, _ := version.FindKubernetes(record.Version)
	config.Version = runs.Build
	config.CA, config.Token, config.Client, config.Authority, config.LocalPort = trust.bundle, c.nodeToken, admin,
		authority, c.host.Plan.LocalPort
	return config, nil
}

// workersIn says which nodes the i-th zone has, and nothing of how they reach the cluster.
func (c *Part) workersIn(i int) WorkersConfig {
	return WorkersConfig{
		Cluster: c.cluster, Region: c.host.Plan.Region, AccountID: c.host.Plan.AccountID, Zone: c.host.Plan.Peers[i].Zone,
		ZoneID: c.host.Plan.Peers[i].ID, Subnet: plan.Subnet(i),
		Count: region.Cluster{Nodes: c.cluster.Nodes}.NodesIn(i, len(c.host.Plan.Peers)),
	}
}
