package az

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/api"
	"tripod/awsapi"
	"tripod/awsapi/eks"
	"tripod/awsapi/history"
	"tripod/awsapi/upstream"
	"tripod/az/gateway"
	"tripod/az/instance"
	"tripod/az/plan"
	"tripod/internal/loss"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/internal/reconcile"
	"tripod/internal/version"
	"tripod/logstore"
	"tripod/region"
	"tripod/state"
)

// Parts are those of a zone that link Kubernetes' client libraries, and are injected for that.
type Parts struct {
	// Workers makes the simulator of the zone's nodes; nil leaves the zone without.
	Workers func(WorkersConfig) (Workers, error)
	// Addons puts what a fresh EKS cluster shows into a cluster; nil does not.
	Addons func(context.Context, WorkersConfig) error
	// Shift makes a cluster as it has to be while traffic is moved away from zones; nil does nothing.
	Shift func(ctx context.Context, c WorkersConfig, zones []string) error
	// Identity makes the webhook that gives pods their AWS identity; nil leaves the zone without.
	Identity func(IdentityConfig) (Identity, error)
	// Instances are the machines of a zone's nodes; nil knows none.
	Instances func(nodes WorkersConfig) []Instance
}

// Zone is one availability zone: its agent's life as a value.
type Zone struct {
	config plan.Zone
	Parts
	// OnReport is called for every event and every change of state. It must not block for long.
	OnReport func(Report)

	now       func() time.Time
	logger    *slog.Logger
	registry  *prometheus.Registry
	gateway   *gateway.Gateway
	voter     *state.Voter
	logEvents *logstore.Store
	history   *history.Log
	changes   chan struct{} // coalesced: the state should be reported

	mu       sync.Mutex
	clusters map[string]*clusterZone // by id
	released map[string]bool         // ids of clusters whose part here is deleted, or is being
	serving  bool
	ending   bool           // no cluster is started any more
	starts   sync.WaitGroup // of clusters that were begun before

	former instance.FormerLeads // before a suspension

	telling sync.Mutex // held while a state is put together
	told    uint64     // the Seq of the last one

	cancel context.CancelFunc
	wait   sync.WaitGroup
	closes []func() // in the order of the start
}

// New returns a zone that is not started.
func New(config plan.Zone, logger *slog.Logger) *Zone {
	return &Zone{config: config, now: time.Now, logger: logger, changes: make(chan struct{}, 1), clusters: map[string]*clusterZone{}, released: map[string]bool{}}
}

// Start brings the zone's own parts up, those that serve all clusters, and returns; clusters follow from the regional
// state. What it started is undone when it fails.
func (z *Zone) Start(ctx context.Context) (err error) {
	defer func() {
		if err != nil {
			z.close()
			err = fmt.Errorf("zone %s: %w", z.config.Zone, err)
		}
	}()
	if err := os.MkdirAll(filepath.Join(z.config.Dir, "logs"), 0o700); err != nil {
		return err
	}
	z.registry = prometheus.NewRegistry()
	registerer := prometheus.WrapRegistererWith(prometheus.Labels{"zone": z.config.Zone}, z.registry)
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	z.cancel = cancel
	if err := z.startGateway(registerer); err != nil {
		return fmt.Errorf("start gateway: %w", err)
	}
	if err := z.startVoter(ctx, registerer); err != nil {
		return fmt.Errorf("start regional state: %w", err)
	}
	if err := z.startLogEvents(running); err != nil {
		return fmt.Errorf("start log events: %w", err)
	}
	if err := z.startFront(running, registerer); err != nil {
		return fmt.Errorf("start AWS front: %w", err)
	}
	if err := z.startControl(); err != nil {
		return fmt.Errorf("start control socket: %w", err)
	}
	z.mu.Lock()
	z.serving = true
	z.mu.Unlock()
	z.wait.Go(func() { reconcile.Run(running, z.loops()...) })
	return nil
}

func (z *Zone) startGateway(registerer prometheus.Registerer) error {
	router := &gateway.Router{Zone: z.config, Clusters: z.routed, OnRefusedPort: func(cluster string, err error) {
		z.event(api.Event{Cluster: cluster, Type: api.LocalPortRefused, Message: err.Error()})
	}}
	z.gateway = gateway.New(gateway.Config{
		Zone: z.config.Zone, Secret: z.config.GatewaySecret, Route: router.Route, Logger: z.logger, Registerer: registerer,
	})
	z.closes = append(z.closes, z.gateway.Stop)
	local, err := process.ListenUnix(z.config.Socket("gateway"))
	if err != nil {
		return err
	}
	z.gateway.Serve(local)
	proxy, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", z.config.GatewayPort))
	if err != nil {
		return err
	}
	z.gateway.ServeProxy(proxy)
	return nil
}

// routed are the clusters that have a part here, as the gateway knows them.
func (z *Zone) routed() (clusters []gateway.Cluster) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(z.clusters)) {
		c := z.clusters[id]
		routed := gateway.Cluster{ID: id, Name: c.record.Name, EndpointPort: c.record.EndpointPort}
		if p := c.provider.Load(); p != nil {
			routed.Issuer = p.IssuerURL
		}
		if workers := c.nodes(); workers != nil {
			routed.LocalAddress = workers.LocalAddress
		}
		clusters = append(clusters, routed)
	}
	return clusters
}

func (z *Zone) startVoter(ctx context.Context, registerer prometheus.Registerer) error {
	authority, err := os.ReadFile(filepath.Join(z.config.PKI, "ca.crt"))
	if err != nil {
		return err
	}
	pair, err := pki.ReadPair(z.config.PKI, "zone")
	if err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return err
	}
	trusted := poolOf(authority)
	self := z.config.Peers[z.config.Index()]
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", self.RaftPort))
	if err != nil {
		return err
	}
	var peers []state.Peer
	for _, peer := range z.config.Peers {
		peers = append(peers, state.Peer{Zone: peer.Zone, Address: fmt.Sprintf("%s:%d", plan.RaftName(peer.Zone), peer.RaftPort)})
	}
	z.voter = state.NewVoter(state.Config{
		Zone: z.config.Zone, Schema: region.Schema, Dir: filepath.Join(z.config.Dir, "state"), Listener: listener, Peers: peers,
		Dial:      z.gateway.Dial,
		ServerTLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert},
		ClientTLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: trusted},
		Logger:    z.logger.With("component", "regional-state"), Registerer: registerer,
		OnLeader: z.leaderChanged,
		Timing:   state.Timing{Heartbeat: z.config.RaftHeartbeat()},
	})
	if err := z.voter.Start(ctx); err != nil {
		listener.Close()
		return err
	}
	z.voter.CatchUp(ctx)
	z.closes = append(z.closes, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := z.voter.Stop(ctx); err != nil {
			z.logger.Warn("stop regional state", "error", err)
		}
	})
	return nil
}

func (z *Zone) startFront(ctx context.Context, registerer prometheus.Registerer) error {
	pair, err := pki.ReadPair(z.config.PKI, "front")
	if err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return err
	}
	listener, err := process.ListenUnix(plan.FrontSocket(z.config.RunDir()))
	if err != nil {
		return err
	}
	calls, err := history.Open(history.Config{Path: filepath.Join(z.config.Dir, history.FileName), Zone: z.config.Zone, Logger: z.logger, Registerer: registerer})
	if err != nil {
		listener.Close()
		return err
	}
	z.history = calls
	front := &awsapi.Front{
		Backend: awsapi.Backend{
			Region: z.config.Region, AccountID: z.config.AccountID, State: z.voter, LogEvents: z.logEvents,
			Quotas: z.config.Quotas, LenientReferences: z.config.LenientReferences, IssuerHosts: z.config.OIDCIssuers,
			ControlPlane: eks.ControlPlane{
				FirstPort: z.config.ClusterPorts, PortsPerCluster: plan.PortsPerCluster, MostClusters: z.config.MostClusters,
				AWSPort: z.config.AWSPort, PortsFree: plan.PortsFree, AvailableMemory: process.AvailableMemory,
				Versions: version.KubernetesBuilds(), DefaultVersion: version.DefaultKubernetes,
				NewSecrets: newClusterSecrets, NewAuthority: newClusterAuthority,
			},
		},
		Zone: z.config.Zone, Lags: z.voter.Lags, History: calls, ClientAddress: z.config.ClientAddress,
		Throttle: z.config.Throttle, AllowRemoteUpstream: z.config.RemoteUpstream,
		Logger: z.logger.With("component", "aws-front"), Registerer: registerer,
	}
	if z.config.RealPace {
		front.ControlPlane.Pace = eks.RealPace
	}
	if z.config.Upstream != "" {
		if front.Upstream, err = upstream.ParseUpstream(z.config.Upstream, z.config.RemoteUpstream); err != nil {
			listener.Close()
			return err
		}
	}
	for _, peer := range z.config.Peers {
		front.Zones = append(front.Zones, peer.Zone)
	}
	handler := front.Handler()
	serving, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		settings := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
		if err := awsapi.Serve(serving, listener, handler, settings, z.logger); err != nil {
			z.logger.Error("AWS front ended", "error", err)
		}
	}()
	z.closes = append(z.closes, func() {
		cancel()
		<-done
		if err := calls.Close(); err != nil {
			z.logger.Warn("close the history", "error", err)
		}
	})
	return nil
}

func (z *Zone) startControl() error {
	listener, err := process.ListenUnix(plan.ControlSocket(z.config.RunDir()))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: z.controlHandler(), ReadHeaderTimeout: 5 * time.Second}
	z.wait.Go(func() { server.Serve(listener) })
	z.closes = append(z.closes, func() { server.Close() })
	return nil
}

// Stop ends the zone's clusters and then its own parts, in the reverse order of their start. The data is kept.
func (z *Zone) Stop(ctx context.Context) error {
	if z.cancel == nil {
		return nil
	}
	err := z.eachCluster(func(c *clusterZone) error { return c.stop(ctx) })
	z.close()
	return err
}

// Quiesce ends all that needs a quorum of etcd, as the first half of the stop of a whole region: an API server that has
// lost its etcd waits for it in vain.
func (z *Zone) Quiesce(ctx context.Context) error {
	return z.eachCluster(func(c *clusterZone) error { return c.quiesce(ctx) })
}

// eachCluster ends the reconciler, which then starts nothing more, and does something to all clusters side by side.
func (z *Zone) eachCluster(do func(*clusterZone) error) error {
	z.mu.Lock()
	z.ending = true
	z.mu.Unlock()
	z.starts.Wait()
	z.mu.Lock()
	clusters := make([]*clusterZone, 0, len(z.clusters))
	for _, cluster := range z.clusters {
		clusters = append(clusters, cluster)
	}
	z.mu.Unlock()
	errs := make([]error, len(clusters))
	var wait sync.WaitGroup
	for i, cluster := range clusters {
		wait.Go(func() { errs[i] = do(cluster) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func (z *Zone) close() {
	if z.cancel != nil {
		z.cancel()
	}
	for i := len(z.closes) - 1; i >= 0; i-- {
		z.closes[i]()
	}
	z.closes = nil
	z.wait.Wait()
}

func (z *Zone) event(e api.Event) {
	if e.Zone == "" {
		e.Zone = z.config.Zone
	}
	e.Time = time.Now()
	z.logger.Info(e.Message, "event", e.Type, "target", e.Target)
	z.OnReport(Report{Event: &e})
}

func (z *Zone) tellLoss(l loss.Loss) { z.OnReport(Report{Loss: &l}) }

func (z *Zone) leaderChanged(leader string) {
	if leader == z.config.Zone && !z.former.Returns(regionalState) {
		z.event(api.Event{Type: api.LeaderChanged, Target: "az/" + leader, Message: leader + " leads " + regionalState})
	}
	z.changed()
}

// changed asks for a report of the state, soon.
func (z *Zone) changed() {
	select {
	case z.changes <- struct{}{}:
	default:
	}
}

// loops are the zone's own; those of its part of a cluster are clusterZone.loops.
func (z *Zone) loops() []reconcile.Loop {
	return []reconcile.Loop{
		{Key: "run the zone's part of all clusters", Watch: z.voter.Watch, Do: z.reconcileClusters,
			Pauses: reconcile.Pauses{First: 5 * time.Second, Most: 5 * time.Second}, Logger: z.logger},
		{Key: "report the zone's state", Watch: func() (<-chan struct{}, func()) { return z.changes, func() {} }, Do: z.reportState,
			Logger: z.logger},
		{Key: "notice paused instances", Watch: process.ChildChanges, Do: z.observePauses, Logger: z.logger},
	}
}

func (z *Zone) reportState(context.Context) (time.Duration, error) {
	state := z.state()
	z.OnReport(Report{State: &state})
	return 0, nil
}

// observePauses looks which instances somebody has stopped by a signal, or let go on.
func (z *Zone) observePauses(context.Context) (time.Duration, error) {
	for _, i := range z.instances("") {
		i.ObservePause()
	}
	return 0, nil
}

func (z *Zone) state() State {
	z.telling.Lock()
	defer z.telling.Unlock()
	z.told++
	s := State{Seq: z.told, RaftLeader: z.voter.Leader(), Instances: []api.Instance{}, Clusters: []ClusterState{}}
	for _, i := range z.instances("") {
		s.Instances = append(s.Instances, i.Status())
	}
	z.mu.Lock()
	s.Serving, s.Parts = z.serving, slices.Sorted(maps.Keys(z.clusters))
	z.mu.Unlock()
	z.voter.View(func(tx *state.Txn) error {
		for _, c := range region.Clusters.List(tx) {
			s.Clusters = append(s.Clusters, ClusterState{Name: c.Name, ID: c.ID, Version: c.Version, Status: c.Status,
				EndpointPort: c.EndpointPort, CACert: c.BundleOf(c.Components), FaultedAt: c.FaultedAt, Access: c.EndpointAccess(), Trouble: c.EndpointTrouble(), NotBefore: c.NotBefore})
		}
		s.Index = tx.Index()
		return nil
	})
	return s
}

// instances of all clusters, or of the one with that name, in the order of cluster and start.
func (z *Zone) instances(cluster string) (found []*instance.Instance) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(z.clusters)) {
		c := z.clusters[id]
		if cluster == "" || c.record.Name == cluster {
			found = append(found, c.instances()...)
		}
	}
	return found
}

// reconcileClusters makes the zone's part of every cluster true.
func (z *Zone) reconcileClusters(ctx context.Context) (time.Duration, error) {
	var records []region.Cluster
	var deleted []region.DeletedCluster
	z.voter.View(func(tx *state.Txn) error {
		records, deleted = region.Clusters.List(tx), region.Deleted.List(tx)
		return nil
	})
	var errs []error
	for _, record := range records {
		switch {
		case record.Status == region.ClusterDeleting:
			z.release(ctx, record.ID, record.Name)
		case record.Runs():
			errs = append(errs, z.ensure(ctx, record))
		}
	}
	for _, cluster := range deleted {
		z.release(ctx, cluster.ID, cluster.Name)
	}
	for id, name := range z.orphans(records) {
		z.release(ctx, id, name)
	}
	z.changed()
	return 0, errors.Join(errs...)
}

// orphans are the names, by id, of clusters that run here and have no record. A copy of the regional state only moves
// on: what was in it, and is not any more, is deleted, while this zone was being caught up.
func (z *Zone) orphans(records []region.Cluster) map[string]string {
	z.mu.Lock()
	defer z.mu.Unlock()
	names := map[string]string{}
	for id, part := range z.clusters {
		names[id] = part.record.Name
	}
	for _, record := range records {
		delete(names, record.ID)
	}
	return names
}

// ensure starts the zone's part of a cluster, unless it runs: what changes of a record then is its own loops' matter.
// The zone's lock is not held while a part starts, as everybody who asks for the zone's instances takes it.
func (z *Zone) ensure(ctx context.Context, record region.Cluster) error {
	z.mu.Lock()
	if z.ending || z.clusters[record.ID] != nil {
		z.mu.Unlock()
		return nil
	}
	z.starts.Add(1)
	z.mu.Unlock()
	defer z.starts.Done()
	cluster := newClusterZone(z, record)
	if err := cluster.start(ctx); err != nil {
		z.event(api.Event{Cluster: record.Name, Type: api.ClusterFailed, Message: fmt.Sprintf(
			"zone %s cannot run its part of cluster %s: %v; it is tried again every 5 s", z.config.Zone, record.Name, err)})
		return fmt.Errorf("start cluster %s: %w", record.Name, err)
	}
	z.mu.Lock()
	z.clusters[record.ID] = cluster // before its processes run: the gateway has to know them
	z.mu.Unlock()
	cluster.run(ctx)
	return nil
}

// Run is the program `tripod internal zone CONFIG`.
func Run(ctx context.Context, args []string, parts Parts) error {
	ctx, line, err := process.Attach(ctx)
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errors.New("usage: tripod internal zone CONFIG")
	}
	config, err := plan.Read(args[0])
	if err != nil {
		return err
	}
	logger := slog.New(slog.NewTextHandler(os.Stderr, nil)).With("az", config.Zone)
	zone := New(config, logger)
	zone.Parts = parts
	zone.OnReport = func(r Report) { line.Report(r) }
	if err := zone.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	if context.Cause(ctx) == process.ErrOrphaned {
		os.Exit(1) // the region was killed: the zone's instances see the same of this process
	}
	stopping, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	return zone.Stop(stopping)
}

// stopTimeout is how long a zone's instances may take to end in order.
const stopTimeout = 15 * time.Second
