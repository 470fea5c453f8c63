package controlplane

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"time"

	"tripod/apiserver/launch"
	"tripod/awsapi/kms"
	"tripod/az/plan"
	"tripod/etcdcluster"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/region"
	"tripod/state"
)

func (c *Part) logFile(component string) string {
	return filepath.Join(c.host.Plan.Dir, "logs", component+"-"+c.cluster.ID+".log")
}

func (c *Part) metricsSocket(component string) string {
	return c.host.Plan.InstanceSocket(component, c.cluster.ID)
}

func (c *Part) spec(component string, env []string, args ...string) process.Spec {
	return process.Spec{
		Name: component + "/" + plan.Letter(c.host.Plan.Zone), Path: c.host.Plan.Executable,
		Args: append([]string{"internal", component}, args...), Env: env, Log: c.logFile(component),
	}
}

// noProxy keeps the user's own proxy settings away from the components.
var noProxy = []string{"HTTPS_PROXY=", "https_proxy=", "HTTP_PROXY=", "http_proxy=", "ALL_PROXY=", "all_proxy=",
	"NO_PROXY=", "no_proxy="}

// collector makes the components trade a little processor time for memory: a region is nine of them on somebody's
// laptop.
var collector = []string{"GOGC=50"}

// allProcessors undoes what the zone's agent itself was given, and keeps Go from looking every second whether their
// number has changed.
var allProcessors = []string{"GOMAXPROCS=", "GODEBUG=updatemaxprocs=0"}

func (c *Part) prepareEtcd() (process.Spec, error) {
	port := c.cluster.EndpointPort
	config := etcdcluster.Config{
		Name: etcdcluster.MemberName(plan.Letter(c.host.Plan.Zone)), Token: c.cluster.ID, Dir: c.etcdDir(),
		ListenClient: fmt.Sprintf("127.0.0.1:%d", plan.EtcdClientPort(port, c.index)),
		ListenPeer:   fmt.Sprintf("127.0.0.1:%d", plan.EtcdPeerPort(port, c.index)),
		ClientURL:    c.etcdServers()[c.index], Members: map[string]string{},
		TLS: etcdcluster.TLS{CA: c.pki(launch.EtcdCA, "crt"), Cert: c.pki(launch.EtcdMember, "crt"),
			Key: c.pki(launch.EtcdMember, "key")},
		Timers:     etcdTimers(c.host.Plan.FastTimers),
		QuotaBytes: int64(cmp.Or(c.wanted.Load().DatabaseGB, defaultDatabaseGB)) << 30,
	}
	if c.host.Disk != nil {
		config.Disk = c.host.Disk(c.cluster.Name)
	}
	for _, peer := range c.host.Plan.Peers {
		config.Members[etcdcluster.MemberName(plan.Letter(peer.Zone))] = c.etcdPeerURL(peer.Zone)
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return process.Spec{}, err
	}
	file := filepath.Join(c.dir, "etcd.json")
	if err := pki.Write(file, text); err != nil {
		return process.Spec{}, err
	}
	proxy := fmt.Sprintf("http://zone:%s@127.0.0.1:%d", c.host.Plan.GatewaySecret, c.host.Plan.GatewayPort)
	env := append(slices.Clone(noProxy), "HTTPS_PROXY="+proxy)
	return c.spec("etcd", slices.Concat(env, collector, allProcessors), file, c.metricsSocket("etcd")), nil
}

// defaultDatabaseGB is the size of a cluster's database in EKS's standard mode.
const defaultDatabaseGB = 8

// etcdPeersServe says which of the other zones' members does not answer.
func (c *Part) etcdPeersServe(ctx context.Context) error {
	for _, peer := range c.host.Plan.Peers {
		if peer.Zone == c.host.Plan.Zone {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, 2*time.Second)
		conn, err := c.host.Dial(asking, plan.EtcdName(peer.Zone, c.cluster.ID)+":2379")
		if err == nil {
			settings := &tls.Config{RootCAs: poolOf([]byte(c.secrets.EtcdCACert)),
				ServerName: plan.EtcdName(peer.Zone, c.cluster.ID)}
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

func (c *Part) etcdServers() (urls []string) {
	for _, peer := range c.host.Plan.Peers {
		urls = append(urls, fmt.Sprintf("https://%s:2379", plan.EtcdName(peer.Zone, c.cluster.ID)))
	}
	return urls
}

// ownEtcdFirst are the members as the zone's API server is to try them.
func (c *Part) ownEtcdFirst() []string {
	servers := c.etcdServers()
	return slices.Concat(servers[c.index:], servers[:c.index])
}

func (c *Part) launchOptions(component string) launch.APIServer {
	wanted := c.wanted.Load()
	return launch.APIServer{
		Dir: c.dir, Zone: c.host.Plan.Zone, ClusterID: c.cluster.ID, Version: wanted.Version,
		Port: plan.APIServerPort(c.cluster.EndpointPort, c.index), Advertise: plan.Interface(c.index),
		EtcdServers: c.ownEtcdFirst(), ServiceCIDR: c.cluster.ServiceCIDR, Issuer: c.cluster.Issuer,
		GatewaySocket: c.host.Plan.GatewaySocket(c.cluster.ID), MetricsSocket: c.metricsSocket(component),
		Socket:   plan.APIServerSocket(c.host.Plan.RunDir(), c.cluster.ID),
		AuditLog: c.logFile("audit"),
		Provider: c.launchProvider(),
		Faults:   c.serverFaults().process,
		Tuning: launch.Tuning{
			RequestSeats: wanted.RequestSeats, PodsPerSecond: wanted.PodsPerSecond, EventTTL: wanted.EventTTL,
			NodePorts:     wanted.NodePorts,
			HPASyncPeriod: wanted.HPASyncPeriod, TerminatedPods: wanted.TerminatedPods, Scoring: wanted.Scoring,
			ScoringWeights: wanted.ScoringWeights,
		},
	}
}

func (c *Part) prepareAPIServer() (process.Spec, error) {
	c.leash.take()
	options := c.launchOptions("apiserver")
	err := c.host.State.View(func(tx *state.Txn) (err error) {
		// The newest record: the key may be under a KMS key since, and then an API server starts only while that can be
		// used.
		record, found := region.Clusters.Get(tx, c.cluster.ID)
		if !found {
			return c.gone()
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
	// until it is ready: see apiserver's settle
	return c.spec("apiserver", slices.Concat(noProxy, allProcessors, []string{"GOGC=800"}), file), nil
}

// giveWay lets the first zone's API server go first when the whole cluster starts: three at once share the processors
// and are all late, and the endpoint answers as soon as one does. It returns at once when some zone's API server
// answers a handshake.
func (c *Part) giveWay() {
	if c.index == 0 {
		return
	}
	settings := &tls.Config{RootCAs: poolOf(c.trust.Load().bundle), ServerName: "localhost"}
	for end := time.Now().Add(c.host.Timing.Precedence); time.Now().Before(end); time.Sleep(25 * time.Millisecond) {
		if !c.apiserver.Wanted() {
			return
		}
		for i := range c.host.Plan.Peers {
			dialer := &net.Dialer{Timeout: 50 * time.Millisecond}
			if conn, err := tls.DialWithDialer(dialer, "tcp", plan.APIServerAddress(c.cluster.EndpointPort, i),
				settings); err == nil {
				conn.Close()
				return
			}
		}
	}
}

func (c *Part) prepareControllers() (process.Spec, error) {
	cloud, err := c.cloudOptions()
	if err != nil {
		return process.Spec{}, err
	}
	file, err := launch.Controllers{APIServer: c.launchOptions("controllers"), ClusterName: c.cluster.Name,
		Cloud: cloud, Lease: leases(c.host.Plan.FastTimers)}.Write()
	if err != nil {
		return process.Spec{}, err
	}
	return c.spec("controllers", slices.Concat(noProxy, collector, allProcessors), file), nil
}

// etcdTimers are those that guess at deaths after fractions of a second where that is wanted.
func etcdTimers(fast bool) etcdcluster.Timers {
	if fast {
		return etcdcluster.FastTimers
	}
	return etcdcluster.CalmTimers
}

// leases are the same of the controllers.
func leases(fast bool) launch.LeaseTiming {
	if fast {
		return launch.FastLeases
	}
	return launch.CalmLeases
}
