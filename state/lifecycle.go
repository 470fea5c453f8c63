package state

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// snapshotAfter entries the log is replaced by a snapshot, but for the last trailingLogs, from which a voter that
	// was away for a while is caught up. The log stays within a segment or two.
	snapshotAfter = 1024
	trailingLogs  = 512
	// snapshotCheck is how often that is looked at.
	snapshotCheck = time.Minute
)

// life is a voter between a Start and its Stop.
type life struct {
	voter     *Voter
	cfg       *Config
	disk      *disk
	port      *port
	transport *transport
	raft      *raft.Raft
	rank      int         // of this zone among the peers' names
	led       atomic.Bool // when it was suspended
	suspended atomic.Bool // takes nobody for dead
	broken    chan error  // what its disk has refused

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	// unflushed holds a token when an entry was applied that the followers may not know to be committed.
	unflushed chan struct{}
	nudgeMu   sync.Mutex
	forwards  forwards // to the leader
	askers    []*asker // of all others, about their copies and logs
}

// begin starts everything, or nothing. again: the copy is that of a life before, and stays.
func (v *Voter) begin(ctx context.Context, again bool) (l *life, err error) {
	if err := v.cfg.check(); err != nil {
		return nil, err
	}
	l = &life{
		voter: v, cfg: &v.cfg, rank: rankOf(v.cfg.Zone, v.cfg.Peers), unflushed: make(chan struct{}, 1),
		broken: make(chan error, 1),
	}
	for _, zone := range l.others() {
		l.askers = append(l.askers, &asker{life: l, zone: zone})
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			err = errors.Join(err, l.end())
		}
	}()
	logger := newRaftLog(v.cfg.Logger.With("az", v.cfg.Zone))
	if l.disk, err = openDisk(v.cfg.Dir, logger, v.cfg.asks(l.ctx), l.lose); err != nil {
		return l, err
	}
	listener, err := v.listener(ctx)
	if err != nil {
		return l, err
	}
	l.openPort(listener)
	timing := v.cfg.Timing
	// A voter that is paused or cut off holds up a connection for this long, and so its return.
	l.transport = newTransport(l.port, l.address(v.cfg.Zone), max(time.Second, 2*timing.Heartbeat), logger)
	l.transport.term = func() uint64 { return l.raft.CurrentTerm() }

	conf := raft.DefaultConfig()
	conf.LocalID = raft.ServerID(v.cfg.Zone)
	conf.Logger = logger
	conf.HeartbeatTimeout, conf.ElectionTimeout = timing.Heartbeat, timing.Election
	conf.LeaderLeaseTimeout, conf.CommitTimeout = timing.LeaderLease, timing.Commit
	conf.SnapshotThreshold, conf.TrailingLogs, conf.SnapshotInterval = snapshotAfter, trailingLogs, snapshotCheck
	conf.NoLegacyTelemetry = true
	if l.disk.schema == 0 {
		err := l.apart(func() error {
			return raft.BootstrapCluster(conf, l.disk.log, l.disk.log, l.disk.snapshots, l.transport, l.servers())
		})
		if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
			return l, fmt.Errorf("set up: %w", err)
		}
	}
	// What an older Tripod wrote is read as it is; what is added to it, that one could not read.
	if l.disk.schema < schemaVersion {
		if err := l.disk.noteSchema(); err != nil {
			return l, fmt.Errorf("set up: %w", err)
		}
	}
	if !again {
		v.store.reset()
	}
	m := &machine{store: v.store, applied: l.applied}
	if err := l.apart(func() (err error) {
		l.raft, err = raft.NewRaft(conf, m, l.disk.log, l.disk.log, l.disk.snapshots, l.transport)
		return err
	}); err != nil {
		return l, err
	}
	if err := l.disk.replay(v.store); err != nil {
		return l, err
	}
	if v.cfg.Registerer != nil {
		if err := v.cfg.Registerer.Register(metrics{l}); err != nil {
			return l, fmt.Errorf("register metrics: %w", err)
		}
	}
	l.port.wg.Add(1)
	go l.port.serve()
	l.wg.Add(3)
	go l.followLeader()
	go l.firstElection()
	go l.flush()
	return l, nil
}

func (l *life) openPort(listener net.Listener) {
	server := l.cfg.ServerTLS.Clone()
	server.ClientAuth = tls.RequireAndVerifyClientCert
	p := &port{
		listener: listener, serverTLS: server, clientTLS: l.cfg.ClientTLS, dialRaw: l.cfg.Dial,
		forward: l.answerForwards, applied: l.answerApplied, leader: l.voter.Leader,
		logger: l.cfg.Logger.With("az", l.cfg.Zone),
		raft:   make(chan net.Conn), bulk: l.voter.bulk, conns: map[net.Conn]struct{}{},
	}
	p.ctx, p.cancel = context.WithCancel(l.ctx)
	l.port = p
}

// servers is the configuration that all voters start with. It must be the same bytes on all of them.
func (l *life) servers() raft.Configuration {
	var c raft.Configuration
	peers := slices.Clone(l.cfg.Peers)
	slices.SortFunc(peers, func(a, b Peer) int {
		if a.Zone < b.Zone {
			return -1
		}
		return 1
	})
	for _, p := range peers {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(p.Zone), Address: raft.ServerAddress(p.Address)})
	}
	return c
}

func (l *life) address(zone string) string {
	i := slices.IndexFunc(l.cfg.Peers, func(p Peer) bool { return p.Zone == zone })
	return l.cfg.Peers[i].Address
}

// applied is called after each entry, on raft's goroutine.
func (l *life) applied(index uint64) {
	if err := l.disk.noteApplied(index); err != nil {
		l.cfg.Logger.Debug("note the applied index", "az", l.cfg.Zone, "error", err)
	}
	select {
	case l.unflushed <- struct{}{}:
	default:
	}
}

// flush lets the followers know at once that an entry is committed. Raft itself tells them with the next entry, or
// after Timing.Commit, and a forwarded Update waits for its own zone's copy: so the leader adds an entry that does
// nothing. Its outcome is of no interest.
func (l *life) flush() {
	defer l.wg.Done()
	for {
		select {
		case <-l.unflushed:
			if l.raft.State() == raft.Leader {
				l.raft.Barrier(time.Second)
			}
		case <-l.ctx.Done():
			return
		}
	}
}

// handOver makes another voter leader if this one is. Raft would choose the one with the longest log, though it may
// have died a moment ago; here it is the one that was heard last.
func (l *life) handOver() {
	if l.raft.State() != raft.Leader {
		return
	}
	var to *Peer
	var heard time.Time
	for i, p := range l.cfg.Peers {
		at := l.transport.lastHeard(raft.ServerID(p.Zone))
		if at.After(heard) && time.Since(at) < l.cfg.Timing.Heartbeat {
			to, heard = &l.cfg.Peers[i], at
		}
	}
	if to == nil {
		return
	}
	// Raft gives up after the election timeout.
	err := l.raft.LeadershipTransferToServer(raft.ServerID(to.Zone), raft.ServerAddress(to.Address)).Error()
	if err != nil {
		l.cfg.Logger.Debug("hand over the regional state", "az", l.cfg.Zone, "to", to.Zone, "error", err)
	}
}

// end stops what runs and closes what is open, in whatever state begin left it.
func (l *life) end() error {
	var errs []error
	l.cancel()
	if l.raft != nil && l.cfg.Registerer != nil {
		l.cfg.Registerer.Unregister(metrics{l})
	}
	var down raft.Future
	if l.raft != nil {
		down = l.raft.Shutdown()
	}
	if l.port != nil {
		l.port.close() // raft's goroutines may be in the middle of a call to a voter that does not answer
	}
	if down != nil {
		errs = append(errs, down.Error())
	} else if l.transport != nil {
		errs = append(errs, l.transport.Close())
	}
	for _, a := range l.askers {
		a.end()
	}
	l.wg.Wait()
	if l.port != nil {
		l.port.wait()
	}
	if l.disk != nil {
		errs = append(errs, l.disk.close())
	}
	return errors.Join(errs...)
}
