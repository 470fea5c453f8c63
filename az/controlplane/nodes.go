package controlplane

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/iam"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/internal/reachability"
	"tripod/nodes/efsvolume"
	"tripod/nodes/ipam"
	"tripod/nodes/machine"
	"tripod/nodes/network"
	"tripod/region"
	"tripod/state"
)

// Workers are the zone's simulated nodes of a cluster: nodes.Simulator.
type Workers interface {
	Start(ctx context.Context) error
	// Set says which machines are nodes now.
	Set([]machine.Machine) error
	Stop(ctx context.Context) error
	// Serve answers for the addresses of all nodes and their pods until the listener is closed.
	Serve(net.Listener) error
	// Answer is the same for a client in this process.
	Answer(ctx context.Context, from, to netip.AddrPort) (network.Answer, error)
	// Metrics answers for the nodes to ResourceMetrics, of this zone and of others.
	Metrics() http.Handler
	// Scraped are the nodes, and the pods that ask to be scraped; ScrapedPod is how one of these does.
	Scraped() api.Scraped
	ScrapedPod(namespace, name string) (api.ScrapedPod, bool)
	HasNode(name string) bool
	// NodeMetrics answers for the kubelet that the request's Host names, without asking who may.
	NodeMetrics(http.ResponseWriter, *http.Request)
	Network
}

// Network leads to what is in a cluster's network, for somebody in the place of pod/NAMESPACE/NAME, node/NAME or, by the empty
// name, of the control plane.
type Network interface {
	// Place is the address of a place.
	Place(ctx context.Context, name string) (netip.AddrPort, error)
	// Resolve are the addresses that a connection to a name may go to: of a Service, a pod or a node.
	Resolve(ctx context.Context, as, host string, port int) ([]netip.AddrPort, error)
	// Connect connects to one of them.
	Connect(ctx context.Context, as, host string, port int) (net.Conn, error)
	// Policies are what NetworkPolicies say of a connection.
	Policies(ctx context.Context, from netip.Addr, to netip.AddrPort) ([]reachability.Step, error)
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
	// Pools have the addresses of the nodes' pods.
	Pools *ipam.Pools
	// RealPace lets images and containers take the time that they take in EKS.
	RealPace bool
	// LocalPort says why a pod may not lead to that port of this machine; nil where it may.
	LocalPort func(port int) error
	// DialWithin connects to an address of the cluster's nodes and pods, in whatever zone, where the VPC's rules admit it, and
	// Admit holds these against a connection that stays in the zone.
	DialWithin func(ctx context.Context, from network.Source, to netip.AddrPort) (net.Conn, error)
	Admit      func(from network.Source, to netip.AddrPort) error
	// NetworkPolicies says that the add-on vpc-cni is configured to hold NetworkPolicies against connections.
	NetworkPolicies func() bool
	// Mount says why a file system cannot be mounted in the zone, and NodeDir where a node's own files are: see nodes.Config.
	Mount   func(efsvolume.Handle) (output string, err error)
	NodeDir func(instanceID string) string
	// NodeLogs says that containers' logs are files there.
	NodeLogs bool
	// ShipLogs are where the nodes' log routers send them: to the AWS endpoint by Credentials, those of the instance's role.
	ShipLogs    []options.LogOutput
	AWSEndpoint string
	// KeepFargateLogging notes the configuration of the log router of a machine of Fargate's, by its node's name, and FargateLogging
	// says it, by the machine's id; nil: it is not known yet.
	KeepFargateLogging func(ctx context.Context, node string, config map[string]string) error
	FargateLogging     func(instanceID string) (map[string]string, error)
	Credentials        func(ctx context.Context, instanceID string) (iam.Credentials, time.Time, error)
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
	workers := c.Nodes()
	if workers == nil {
		return nil
	}
	err := workers.Stop(ctx)
	c.addresses.Close()
	return err
}

// Nodes are the zone's workers of now, and nil before they have started.
func (c *Part) Nodes() Workers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers
}

// Network is the cluster's, as the zone's workers know it.
func (c *Part) Network() (Network, error) {
	if workers := c.Nodes(); workers != nil {
		return workers, nil
	}
	return nil, fmt.Errorf("zone %s has no nodes of cluster %s yet", c.host.Plan.Zone, c.cluster.Name)
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
		RealPace: c.host.Plan.RealPace, Mount: c.host.Mount, Pools: c.host.Pools}
	config.NodeLogs, config.ShipLogs = c.host.Plan.NodeLogs, c.host.Plan.ShipLogs
	config.AWSEndpoint = fmt.Sprintf("http://127.0.0.1:%d", c.host.Plan.AWSPort)
	config.Credentials = c.metadataCredentials
	config.KeepFargateLogging, config.FargateLogging = c.keepFargateLogging, c.fargateLogging
	config.NodeDir = func(instanceID string) string { return datadir.NodeDir(c.host.Plan.Dir, instanceID) }
	config.Server = fmt.Sprintf("https://127.0.0.1:%d", c.cluster.EndpointPort)
	config.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", plan.EndpointSocket(c.host.Plan.RunDir(), c.cluster.ID))
	}
	config.DialWithin = func(ctx context.Context, from network.Source, to netip.AddrPort) (net.Conn, error) {
		return c.host.DialWithin(ctx, c.cluster.ID, from, to)
	}
	config.NetworkPolicies = c.holdsNetworkPolicies
	config.Admit = func(from network.Source, to netip.AddrPort) error {
		_, err := c.host.Admit(c.cluster.ID, from, to)
		return err
	}
	config.CA, config.Token, config.Client, config.Authority, config.LocalPort = trust.bundle, c.nodeToken, admin,
		authority, c.host.Plan.LocalPort
	return config, nil
}

// holdsNetworkPolicies says whether the add-on vpc-cni is configured so: its schema takes the switch as a string or a boolean.
func (c *Part) holdsNetworkPolicies() (is bool) {
	c.host.State.View(func(tx *state.Txn) error {
		addon, found := region.Addons.Get(tx, c.cluster.ID+"/vpc-cni")
		var settings struct {
			EnableNetworkPolicy any `json:"enableNetworkPolicy"`
		}
		if found && addon.ConfigurationValues != nil && yaml.Unmarshal([]byte(*addon.ConfigurationValues), &settings) == nil {
			is = fmt.Sprint(settings.EnableNetworkPolicy) == "true"
		}
		return nil
	})
	return is
}
