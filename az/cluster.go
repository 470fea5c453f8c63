package az

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/awsapi/kms"
	"tripod/az/instance"
	"tripod/az/plan"
	"tripod/etcdcluster"
	"tripod/iam"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/internal/reconcile"
	"tripod/internal/version"
	"tripod/region"
	"tripod/state"
)

// clusterZone is this zone's part of one cluster.
type clusterZone struct {
	zone   *Zone
	record region.Cluster
	index  int // of the zone
	dir    string

	etcd, apiserver, controllers *instance.Instance
	leash                        leash        // of the agent's own clients of the API server
	authenticator                *http.Server // of admits and permits, for the API server
	admits                       *iam.Authenticator
	permits                      *iam.Authorizer
	awsAuth                      *awsAuth
	identity                     *identity // of pods; nil where the zone has none
	kubelet                      net.Listener
	machines                     func() map[string]Instance // of the nodes in all zones, by id and by name
	logs                         clusterLogs

	provider        atomic.Pointer[region.IdentityProvider] // beside IAM; nil: there is none
	providerWritten *region.IdentityProvider                // for the API server, as far as is known. It belongs to keepProvider

	mu      sync.Mutex
	workers Workers // nil: the zone has none

	wanted   atomic.Pointer[region.ControlPlane] // what the zone's processes are started with from now on
	reached  *region.ControlPlane                // what they are known to have; nil while they are replaced. It belongs to keepControlPlane, as does quota
	trust    atomic.Pointer[trust]               // of what is started from now on
	believed *trust                              // of workers and identity; it belongs to keepControlPlane too
	quota    int                                 // of the etcd member, as region.Components.DatabaseGB; -1 while that is not known

	cancel context.CancelFunc
	done   chan struct{} // closed when all loops have ended
}

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
	Cluster      region.Cluster
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

func newClusterZone(z *Zone, record region.Cluster) *clusterZone {
	c := &clusterZone{zone: z, record: record, index: z.config.Index(), dir: filepath.Join(z.config.Dir, "clusters", record.ID), done: make(chan struct{})}
	part := func(component string, after *instance.Instance, prepare func() (process.Spec, error)) *instance.Instance {
		return instance.New(instance.Config{
			Component: component, Zone: z.config.Zone, ClusterID: record.ID, ClusterName: record.Name, Prepare: prepare,
			After: after, OnEvent: z.event, OnLoss: z.tellLoss, OnChange: z.changed, Logger: z.logger,
		})
	}
	wanted := record.ControlPlaneIn(z.config.Zone)
	c.reached = &wanted // nothing runs yet: all will be started with it
	c.quota = wanted.DatabaseGB
	c.wanted.Store(&wanted)
	c.believed = trustOf(record, wanted)
	c.trust.Store(c.believed)
	c.etcd = part("etcd", nil, c.prepareEtcd)
	c.apiserver = part("apiserver", nil, c.prepareAPIServer) // it waits for etcd itself, and needs a quorum, not this member
	c.apiserver.BeforeEnd = c.leash.letGo
	c.machines = sync.OnceValue(c.findMachines)
	c.controllers = part("controllers", c.apiserver, c.prepareControllers)
	return c
}

func (c *clusterZone) instances() []*instance.Instance {
	return []*instance.Instance{c.etcd, c.apiserver, c.controllers}
}

// start makes the cluster's files in this zone and what its instances stand on.
func (c *clusterZone) start(ctx context.Context) (err error) {
	if err := c.writePKI(); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			c.logs.authenticator.Close()
		}
	}()
	if err := c.openLogs(); err != nil {
		return err
	}
	if err := c.startAuthenticator(); err != nil {
		return err
	}
	c.readProvider()
	c.providerWritten = c.provider.Load() // by prepareAPIServer
	if err := c.startIdentity(ctx); err != nil {
		c.authenticator.Close()
		return err
	}
	if err := c.startWorkers(ctx); err != nil {
		c.authenticator.Close()
		c.identity.stop(ctx)
		return err
	}
	return nil
}

// run lets the instances run and begins the loops, until quiesce and stop. A cluster that has started runs once.
func (c *clusterZone) run(ctx context.Context) {
	// Not ctx: the zone stops its instances in order, it does not drop them.
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	c.cancel = cancel
	for _, i := range c.instances() {
		go i.Supervise(context.WithoutCancel(ctx)) // until End
	}
	c.startLogs(ctx)
	go func() {
		defer close(c.done)
		reconcile.Run(running, c.loops()...)
		c.awsAuth.caller().CloseIdleConnections()
	}()
}

// loops are what is kept true of the cluster. The next one is one more of these.
func (c *clusterZone) loops() []reconcile.Loop {
	loops := []reconcile.Loop{
		c.settling(),
		{Key: "change the control plane", Watch: c.zone.voter.Watch, Do: c.keepControlPlane,
			Pauses: reconcile.Pauses{First: time.Second, Most: time.Second}},
		{Key: "follow the ConfigMap aws-auth", Do: c.awsAuth.follow, Logger: c.awsAuth.logger,
			Pauses: reconcile.Pauses{First: awsAuthRetry, Most: awsAuthRetry}},
		{Key: "write the identity provider's file", Watch: c.zone.voter.Watch, Do: c.keepProvider},
		c.shifting(),
		{Key: "read the API server's counts of deprecated calls", Watch: c.zone.voter.Watch, Do: c.keepReading},
	}
	for i := range loops {
		if loops[i].Logger == nil {
			loops[i].Logger = c.zone.logger.With("cluster", c.record.Name)
		}
	}
	return loops
}

// quiesce ends all that needs the cluster's etcd, each before what it speaks to. Doing it again is no error.
func (c *clusterZone) quiesce(ctx context.Context) error {
	c.cancel()
	<-c.done
	errs := []error{c.stopWorkers(ctx)}
	// An API server that ends waits for the watches that are open, and the webhook has one: it goes first.
	errs = append(errs, c.controllers.End(ctx), c.identity.stop(ctx), c.apiserver.End(ctx))
	return errors.Join(errs...)
}

// stop ends what runs.
func (c *clusterZone) stop(ctx context.Context) error {
	err := errors.Join(c.quiesce(ctx), c.etcd.End(ctx), c.authenticator.Close())
	c.stopLogs()
	return err
}

// settling is what comes after the API server's first readiness: the cluster becomes ACTIVE and gets what a fresh
// cluster shows. Any zone may do it; the leading one goes first with what a cluster shows, as three at once would only
// be in each other's way.
func (c *clusterZone) settling() reconcile.Loop {
	pauses := reconcile.Pauses{First: 100 * time.Millisecond, Most: 5 * time.Second}
	installs, pause := leaderInstalls, pauses.First
	return reconcile.Loop{Key: "settle the cluster", Pauses: pauses, Do: func(ctx context.Context) (time.Duration, error) {
		select {
		case <-c.apiserver.Readiness():
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if pause > 3*time.Second { // after some 6 s the leading zone's API server is not going to
			installs = anyoneInstalls
		}
		done, err := c.settle(ctx, installs)
		if done {
			return 0, reconcile.ErrDone
		}
		again := pause
		pause = min(2*pause, pauses.Most)
		return again, err
	}}
}

// installer says which zone installs what a fresh cluster shows.
type installer int

const (
	leaderInstalls installer = iota // the zone that leads the regional state
	anyoneInstalls
)

// settle makes the cluster ACTIVE and installs its add-ons; done when nothing is left for any zone to do.
func (c *clusterZone) settle(ctx context.Context, installs installer) (done bool, err error) {
	record, err := c.newest()
	if err != nil {
		return false, err
	}
	creating := record.Status == region.ClusterCreating && record.Lasts(c.zone.now())
	if record.Status == region.ClusterCreating && !creating {
		if err := c.activate(ctx); err != nil {
			return false, err
		}
	}
	strange := record.Nodes > 0 && record.NodeRole == ""
	if !strange && (record.AddonsInstalled || c.zone.Addons == nil) {
		return !creating, nil
	}
	if installs == leaderInstalls && c.zone.voter.Leader() != c.zone.config.Zone {
		return false, nil
	}
	if strange {
		return false, c.admitNodes(ctx)
	}
	config, err := c.workersConfig()
	if err != nil {
		return false, err
	}
	config.Cluster = record
	if err := c.zone.Addons(ctx, config); err != nil {
		return false, fmt.Errorf("install add-ons: %w", err)
	}
	has := "coredns, kube-proxy, aws-node and the eks: roles"
	if record.Bare {
		has = "the eks: roles, and no add-ons"
	}
	c.zone.event(api.Event{Cluster: record.Name, Type: api.AddonsInstalled, Message: "cluster " + record.Name + " has " + has})
	return !creating, c.change(ctx, func(r *region.Cluster) { r.AddonsInstalled = true })
}

// newest is the cluster's record as it is now; a zero one when it is gone.
func (c *clusterZone) newest() (record region.Cluster, err error) {
	err = c.zone.voter.View(func(tx *state.Txn) error {
		record, _ = region.Clusters.Get(tx, c.record.ID)
		return nil
	})
	return record, err
}

// activate makes the cluster ACTIVE; the zone whose change it is tells.
func (c *clusterZone) activate(ctx context.Context) error {
	mine := false
	err := c.zone.voter.Update(ctx, func(tx *state.Txn) (err error) {
		mine, err = region.ActivateCluster(tx, c.record.ID, c.zone.now())
		return err
	})
	if err == nil && mine {
		c.zone.event(api.Event{Cluster: c.record.Name, Type: api.ClusterActive, Message: "cluster " + c.record.Name + " is ACTIVE"})
	}
	return err
}

func (c *clusterZone) change(ctx context.Context, edit func(*region.Cluster)) error {
	return c.zone.voter.Update(ctx, func(tx *state.Txn) error {
		record, ok := region.Clusters.Get(tx, c.record.ID)
		if !ok {
			return fmt.Errorf("cluster %s is gone", c.record.Name)
		}
		edit(&record)
		region.Clusters.Put(tx, record.ID, record)
		return nil
	})
}

func (c *clusterZone) logFile(component string) string {
	return filepath.Join(c.zone.config.Dir, "logs", component+"-"+c.record.ID+".log")
}

func (c *clusterZone) metricsSocket(component string) string {
	return c.zone.config.InstanceSocket(component, c.record.ID)
}

func (c *clusterZone) spec(component string, env []string, args ...string) process.Spec {
	return process.Spec{
		Name: component + "/" + plan.Letter(c.zone.config.Zone), Path: c.zone.config.Executable,
		Args: append([]string{"internal", component}, args...), Env: env, Log: c.logFile(component),
	}
}

// noProxy keeps the user's own proxy settings away from the components.
var noProxy = []string{"HTTPS_PROXY=", "https_proxy=", "HTTP_PROXY=", "http_proxy=", "ALL_PROXY=", "all_proxy=", "NO_PROXY=", "no_proxy="}

// collector makes the components trade a little processor time for memory: a region is nine of them on somebody's
// laptop.
var collector = []string{"GOGC=50"}

// allProcessors undoes what the zone's agent itself was given, and keeps Go from looking every second whether their
// number has changed.
var allProcessors = []string{"GOMAXPROCS=", "GODEBUG=updatemaxprocs=0"}

func (c *clusterZone) prepareEtcd() (process.Spec, error) {
	port := c.record.EndpointPort
	config := etcdcluster.Config{
		Name: etcdcluster.MemberName(plan.Letter(c.zone.config.Zone)), Token: c.record.ID, Dir: filepath.Join(c.dir, "etcd"),
		ListenClient: fmt.Sprintf("127.0.0.1:%d", plan.EtcdClientPort(port, c.index)),
		ListenPeer:   fmt.Sprintf("127.0.0.1:%d", plan.EtcdPeerPort(port, c.index)),
		ClientURL:    c.etcdServers()[c.index], Members: map[string]string{},
		TLS:    etcdcluster.TLS{CA: c.pki(launch.EtcdCA, "crt"), Cert: c.pki(launch.EtcdMember, "crt"), Key: c.pki(launch.EtcdMember, "key")},
		Timers: etcdTimers(c.zone.config), QuotaBytes: int64(cmp.Or(c.wanted.Load().DatabaseGB, defaultDatabaseGB)) << 30,
	}
	for _, peer := range c.zone.config.Peers {
		config.Members[etcdcluster.MemberName(plan.Letter(peer.Zone))] = fmt.Sprintf("https://%s:2380", plan.EtcdName(peer.Zone, c.record.ID))
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return process.Spec{}, err
	}
	file := filepath.Join(c.dir, "etcd.json")
	if err := pki.Write(file, text); err != nil {
		return process.Spec{}, err
	}
	proxy := fmt.Sprintf("http://zone:%s@127.0.0.1:%d", c.zone.config.GatewaySecret, c.zone.config.GatewayPort)
	env := append(slices.Clone(noProxy), "HTTPS_PROXY="+proxy)
	return c.spec("etcd", slices.Concat(env, collector, allProcessors), file, c.metricsSocket("etcd")), nil
}

// defaultDatabaseGB is the size of a cluster's database in EKS's standard mode.
const defaultDatabaseGB = 8

// etcdPeersServe says which of the other zones' members does not answer.
func (c *clusterZone) etcdPeersServe(ctx context.Context) error {
	for _, peer := range c.zone.config.Peers {
		if peer.Zone == c.zone.config.Zone {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err := c.zone.gateway.Dial(asking, plan.EtcdName(peer.Zone, c.record.ID)+":2379")
		if err == nil {
			settings := &tls.Config{RootCAs: poolOf([]byte(c.record.Secrets.EtcdCACert)), ServerName: plan.EtcdName(peer.Zone, c.record.ID)}
			err = tls.Client(conn, settings).HandshakeContext(asking)
			conn.Close()
		}
		cancel()
		if err != nil {
			return fmt.Errorf("the etcd member of %s has to be there while this zone's is replaced: %w", peer.Zone, err)
		}
	}
	return nil
}

func (c *clusterZone) etcdServers() (urls []string) {
	for _, peer := range c.zone.config.Peers {
		urls = append(urls, fmt.Sprintf("https://%s:2379", plan.EtcdName(peer.Zone, c.record.ID)))
	}
	return urls
}

func (c *clusterZone) launchOptions(component string) launch.APIServer {
	wanted := c.wanted.Load()
	return launch.APIServer{
		Dir: c.dir, Zone: c.zone.config.Zone, ClusterID: c.record.ID, Version: wanted.Version,
		Port: plan.APIServerPort(c.record.EndpointPort, c.index), Advertise: plan.Interface(c.index),
		EtcdServers: c.etcdServers(), ServiceCIDR: c.record.ServiceCIDR, Issuer: c.record.Issuer,
		GatewaySocket: c.zone.config.Socket("gateway"), MetricsSocket: c.metricsSocket(component), Socket: plan.APIServerSocket(c.zone.config.RunDir(), c.record.ID),
		AuditLog: c.logFile("audit"),
		Provider: c.launchProvider(),
		Tuning: launch.Tuning{
			RequestSeats: wanted.RequestSeats, PodsPerSecond: wanted.PodsPerSecond, EventTTL: wanted.EventTTL, NodePorts: wanted.NodePorts,
			HPASyncPeriod: wanted.HPASyncPeriod, TerminatedPods: wanted.TerminatedPods, Scoring: wanted.Scoring, ScoringWeights: wanted.ScoringWeights,
		},
	}
}

func (c *clusterZone) prepareAPIServer() (process.Spec, error) {
	c.leash.take()
	options := c.launchOptions("apiserver")
	err := c.zone.voter.View(func(tx *state.Txn) (err error) {
		// The newest record: the key may be under a KMS key since, and then an API server starts only while that can be
		// used.
		record, found := region.Clusters.Get(tx, c.record.ID)
		if !found {
			record = c.record
		}
		options.EncryptionKey, err = kms.Unwrap(tx, record, time.Now())
		return err
	})
	if err != nil {
		return process.Spec{}, err
	}
	file, err := options.Write()
	if err != nil {
		return process.Spec{}, err
	}
	c.giveWay()
	return c.spec("apiserver", slices.Concat(noProxy, allProcessors, []string{"GOGC=800"}), file), nil // until it is ready: see apiserver's settle
}

// precedence is how long the first zone's API server has the processors for itself; in tests, whose API servers answer
// no handshake, not at all.
var precedence = 1500 * time.Millisecond

// giveWay lets the first zone's API server go first when the whole cluster starts: three at once share the processors
// and are all late, and the endpoint answers as soon as one does. It returns at once when some zone's API server
// answers a handshake.
func (c *clusterZone) giveWay() {
	if c.index == 0 {
		return
	}
	settings := &tls.Config{RootCAs: poolOf(c.trust.Load().bundle), ServerName: "localhost"}
	for end := time.Now().Add(precedence); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		if !c.apiserver.Wanted() {
			return
		}
		for i := range c.zone.config.Peers {
			dialer := &net.Dialer{Timeout: 50 * time.Millisecond}
			if conn, err := tls.DialWithDialer(dialer, "tcp", plan.APIServerAddress(c.record.EndpointPort, i), settings); err == nil {
				conn.Close()
				return
			}
		}
	}
}

func (c *clusterZone) prepareControllers() (process.Spec, error) {
	file, err := launch.Controllers{APIServer: c.launchOptions("controllers"), ClusterName: c.record.Name, Lease: leases(c.zone.config)}.Write()
	if err != nil {
		return process.Spec{}, err
	}
	return c.spec("controllers", slices.Concat(noProxy, collector, allProcessors), file), nil
}

func (c *clusterZone) startWorkers(ctx context.Context) error {
	if c.zone.Workers == nil {
		return nil
	}
	config, err := c.workersConfig()
	if err != nil {
		return err
	}
	workers, err := c.zone.Workers(config)
	if err != nil {
		return err
	}
	if c.kubelet, err = process.ListenUnix(plan.KubeletSocket(c.zone.config.RunDir(), c.record.ID)); err != nil {
		return err
	}
	if err := workers.Start(ctx); err != nil {
		c.kubelet.Close()
		return err
	}
	c.mu.Lock()
	c.workers = workers
	c.mu.Unlock()
	go workers.ServeKubelet(c.kubelet) // ends when the listener is closed
	return nil
}

// stopWorkers ends them; of a zone that has none it does nothing.
func (c *clusterZone) stopWorkers(ctx context.Context) error {
	workers := c.nodes()
	if workers == nil {
		return nil
	}
	err := workers.Stop(ctx)
	c.kubelet.Close()
	return err
}

// nodes are the zone's workers of now.
func (c *clusterZone) nodes() Workers {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.workers
}

func (c *clusterZone) workersConfig() (WorkersConfig, error) {
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
	config.Server = fmt.Sprintf("https://127.0.0.1:%d", c.record.EndpointPort)
	config.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", plan.EndpointSocket(c.zone.config.RunDir(), c.record.ID))
	}
	runs, _ := version.FindKubernetes(c.record.Version)
	config.Version = runs.Build
	config.CA, config.Token, config.Client, config.Authority, config.LocalPort = trust.bundle, c.nodeToken, admin, authority, c.zone.config.LocalPort
	return config, nil
}

// workersIn says which nodes the i-th zone has, and nothing of how they reach the cluster.
func (c *clusterZone) workersIn(i int) WorkersConfig {
	return WorkersConfig{
		Cluster: c.record, Region: c.zone.config.Region, AccountID: c.zone.config.AccountID, Zone: c.zone.config.Peers[i].Zone,
		ZoneID: c.zone.config.Peers[i].ID, Subnet: plan.Subnet(i), Count: c.record.NodesIn(i, len(c.zone.config.Peers)),
	}
}

func etcdTimers(config plan.Zone) etcdcluster.Timers {
	if config.FastTimers {
		return etcdcluster.FastTimers
	}
	return etcdcluster.CalmTimers
}

func leases(config plan.Zone) launch.LeaseTiming {
	if config.FastTimers {
		return launch.FastLeases
	}
	return launch.CalmLeases
}
