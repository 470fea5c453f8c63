// Package etcdcluster runs one member of an etcd cluster whose members live in different availability zones.
package etcdcluster

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/client/pkg/v3/logutil"
	"go.etcd.io/etcd/client/pkg/v3/transport"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"tripod/internal/diskfault"
	"tripod/internal/loglevel"
)

// Config of a member. It is read from a JSON file by the member's process.
type Config struct {
	Name  string `json:"name"`  // "etcd-a", unique in the cluster
	Token string `json:"token"` // the same for all members, different from every other cluster's
	Dir   string `json:"dir"`
	// ListenClient and ListenPeer are loopback addresses with a port: "127.0.0.1:2379".
	ListenClient string `json:"listenClient"`
	ListenPeer   string `json:"listenPeer"`
	// Members are all members' peer URLs by name, as the others reach them: names that do not resolve, so that etcd, which
	// dials by HTTPS_PROXY, must ask the zone's gateway.
	Members map[string]string `json:"members"`
	// ClientURL is how clients reach this member.
	ClientURL string `json:"clientUrl"`
	TLS       TLS    `json:"tls"`
	Timers    Timers `json:"timers"`
	// QuotaBytes limits the database, as EKS does (8 GB, 16 GB in the provisioned tiers).
	QuotaBytes int64 `json:"quotaBytes"`
	// Disk is what is wrong with the disk from the start of the member's process.
	Disk diskfault.Fault `json:"disk"`
}

// MemberName is what the member of a zone is called, by the letter that tells the zone from the others.
func MemberName(letter string) string { return "etcd-" + letter }

// TLS names the PEM files of a member: one certificate, for both roles and both sides.
type TLS struct {
	CA   string `json:"ca"`
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

func (t TLS) info() transport.TLSInfo {
	return transport.TLSInfo{CertFile: t.Cert, KeyFile: t.Key, TrustedCAFile: t.CA, ClientCertAuth: true}
}

// Timers of the election, in milliseconds. A leader that is known to be gone is replaced at once (Lost), one that is found cut off after a
// second (silence.go), another silent one after one to two elections.
type Timers struct {
	Heartbeat uint `json:"heartbeatMs"`
	Election  uint `json:"electionMs"`
}

// CalmTimers are three times etcd's own, as its tuning guide has them for slow disks. FastTimers take a leader for dead
// that waited for the processor or the disk for a third of a second. DESIGN.md says more.
var (
	CalmTimers = Timers{Heartbeat: 250, Election: 3000}
	FastTimers = Timers{Heartbeat: 60, Election: 300}
)

// Member is one running member.
type Member struct {
	config Config
	// OnRole is called, from one goroutine, with what this member is, first and at every change.
	OnRole func(Role)
	// ask returns nil when the member at a peer URL answers: askPeer, but for tests.
	ask func(ctx context.Context, url string) error

	level zap.AtomicLevel // of its log
	told  atomic.Int32    // losses for which Lost has this member stand

	mu      sync.Mutex
	etcd    *embed.Etcd
	cancel  context.CancelFunc
	watcher sync.WaitGroup
}

// New returns a member that is not started.
func New(config Config) *Member {
	m := &Member{config: config, level: zap.NewAtomicLevelAt(zap.WarnLevel)}
	m.ask = m.askPeer
	return m
}

// SetLogLevel says how much it logs from now on: warn, until then.
func (m *Member) SetLogLevel(l loglevel.Level) { m.level.SetLevel(l.Zap()) }

// logger is etcd's own, as its package embed makes it, with a level that can be changed.
func (m *Member) logger() (*zap.Logger, error) {
	config := logutil.DefaultZapLoggerConfig
	config.Level = m.level
	config.OutputPaths, config.ErrorOutputPaths = []string{embed.StdErrLogOutput}, []string{embed.StdErrLogOutput}
	return config.Build()
}

// Start runs the member and returns when it serves clients, which takes a quorum of members. When ctx ends first, or
// the member fails, nothing keeps running. One that joins a cluster serves when it has been promoted.
func (m *Member) Start(ctx context.Context) error {
	config, err := m.config.embedded()
	if err != nil {
		return fmt.Errorf("etcd member %s: %w", m.config.Name, err)
	}
	logger, err := m.logger()
	if err != nil {
		return fmt.Errorf("etcd member %s: %w", m.config.Name, err)
	}
	config.ZapLoggerBuilder = embed.NewZapLoggerBuilder(logger)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.etcd != nil {
		return fmt.Errorf("etcd member %s runs already", m.config.Name)
	}
	if err := m.discardUnborn(); err != nil {
		return fmt.Errorf("etcd member %s: %w", m.config.Name, err)
	}
	joins, err := m.joins()
	if err == nil && joins {
		err = m.join(ctx, *config)
	}
	if err != nil {
		return fmt.Errorf("etcd member %s: %w", m.config.Name, err)
	}
	etcd, err := m.serve(ctx, config)
	if err != nil {
		return fmt.Errorf("etcd member %s: %w", m.config.Name, err)
	}
	watch, cancel := context.WithCancel(context.Background())
	m.etcd, m.cancel = etcd, cancel
	m.watcher.Go(func() { m.watchRole(watch, etcd) })
	return nil
}

// serve runs etcd and returns when it serves. When ctx ends first, or etcd fails, nothing keeps running.
func (m *Member) serve(ctx context.Context, config *embed.Config) (*embed.Etcd, error) {
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return nil, err
	}
	standing, elected := context.WithCancel(ctx)
	var candidacy sync.WaitGroup
	candidacy.Go(func() { m.firstElection(standing, etcd.Server) })
	select {
	case <-etcd.Server.ReadyNotify():
	case err = <-etcd.Err():
	case <-etcd.Server.StopNotify():
		err = errors.New("it stopped while it started")
	case <-ctx.Done():
		err = fmt.Errorf("it found no quorum: %w", context.Cause(ctx))
	}
	elected()
	candidacy.Wait()
	if err == nil {
		err = m.markFormed()
	}
	if err != nil {
		etcd.Server.HardStop() // Close alone waits for a member that serves, and so for a quorum
		etcd.Close()
		return nil, err
	}
	return etcd, nil
}

// Err delivers the error that ends a started member by itself, such as a full disk.
func (m *Member) Err() <-chan error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.etcd.Err()
}

// Stop ends the member in order: a leader hands its lead over first. The data is kept. Stopping twice, or what never
// ran, is no error.
func (m *Member) Stop(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.etcd == nil {
		return nil
	}
	m.cancel()
	m.watcher.Wait()
	etcd, closed := m.etcd, make(chan struct{})
	m.etcd = nil
	go func() {
		etcd.Close()
		close(closed)
	}()
	patience := time.NewTimer(handover)
	defer patience.Stop()
	select {
	case <-closed:
	case <-patience.C:
		etcd.Server.HardStop() // nobody is there to take the lead: the others stop too
		<-closed
	}
	return nil
}

// batchInterval is how often a member writes what the log has already into its database file: etcd's own 100 ms is most
// of what an idle member writes to the disk. After a kill what the file lacks comes from the log, as always.
const batchInterval = time.Second

// handover is how long a stopping leader tries to hand its lead over; etcd itself would try for more than 5 s.
const handover = 400 * time.Millisecond

// embedded translates the configuration for etcd's own embed package.
func (c Config) embedded() (*embed.Config, error) {
	e := embed.NewConfig()
	e.Name, e.Dir, e.InitialClusterToken = c.Name, c.Dir, c.Token
	var members []string
	for name, peerURL := range c.Members {
		members = append(members, name+"="+peerURL)
	}
	sort.Strings(members)
	e.InitialCluster = strings.Join(members, ",")
	var err error
	for _, field := range []struct {
		urls *[]url.URL
		text string
	}{
		{&e.ListenClientUrls, "https://" + c.ListenClient},
		{&e.AdvertiseClientUrls, c.ClientURL},
		{&e.ListenPeerUrls, "https://" + c.ListenPeer},
		{&e.AdvertisePeerUrls, c.Members[c.Name]},
	} {
		parsed, parseErr := url.Parse(field.text)
		if parseErr != nil || parsed.Host == "" {
			err = errors.Join(err, fmt.Errorf("%q is not a URL with a host", field.text))
			continue
		}
		*field.urls = []url.URL{*parsed}
	}
	e.ClientTLSInfo, e.PeerTLSInfo = c.TLS.info(), c.TLS.info()
	e.TickMs, e.ElectionMs = c.Timers.Heartbeat, c.Timers.Election
	e.QuotaBackendBytes = c.QuotaBytes
	e.BackendBatchInterval = batchInterval
	e.PreVote = true // a member that comes back from a pause must not unseat a leader
	e.StrictReconfigCheck = true
	e.Logger = "zap"
	e.EnableGRPCGateway = false
	return e, err
}
