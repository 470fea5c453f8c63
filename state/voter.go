package state

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a voter needs. All fields must be set unless their comment says otherwise.
type Config struct {
	// Zone is this voter's name among the Peers, such as "us-east-1a".
	Zone string
	// Schema is the same for all voters, and may be the zero one.
	Schema Schema
	// Dir holds this voter's log and snapshots; it is made if needed, 0700. One voter at a time may use it.
	Dir string
	// Listener is raw TCP. The voter closes it; a Start after a Stop listens at the same address again.
	Listener net.Listener
	// Peers are all voters, this one too, and the same on all of them. Only the first Start in an empty Dir uses them.
	Peers []Peer
	// Dial opens a raw connection to a Peer's Address; it must heed the context.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Gone says of an error of Dial that nobody is there: the other voter has ended, or is paused. Any other error may be of a link that is
	// cut, behind which it lives. Nil: none says so.
	Gone func(err error) bool
	// ServerTLS has a certificate and ClientCAs; peers without a certificate are refused.
	ServerTLS *tls.Config
	// ClientTLS has a certificate and RootCAs; the server's name is the host of the address that is dialled.
	ClientTLS *tls.Config
	// Logger is optional.
	Logger *slog.Logger
	// Registerer is optional; it has the voter's metrics while it runs.
	Registerer prometheus.Registerer
	// Timing is optional.
	Timing Timing
	// Disk is optional. It is asked before every use of the disk, waits as long as that one is slow or until ctx ends, and says what it meets:
	// nil for nothing. A voter whose disk refuses something goes down until that is over: see TryDisk, Down.
	Disk func(ctx context.Context, of DiskOperation) error
	// OnDown is optional. It is called, and must not block, with the reason when the voter goes down, and with nil when it is back.
	OnDown func(why error)
	// OnLeader is optional. It is called in order, and must not block, whenever the zone known to lead changes; "":
	// none is known.
	OnLeader func(zone string)
}

// Peer is a voter and the address at which the others dial it: host:port, where the host is a name in its certificate.
type Peer struct{ Zone, Address string }

// Timing is raft's. A zero field means its default.
type Timing struct {
	// Heartbeat is how long a leader may be silent before it is replaced; it speaks about every seventh part of this.
	// Default 400 ms.
	Heartbeat time.Duration
	// Election is how long a candidate waits for votes, at least Heartbeat. Default: Heartbeat.
	Election time.Duration
	// LeaderLease is how long a leader goes on without hearing from a majority, below Heartbeat. Default: 9/10 of
	// Heartbeat.
	LeaderLease time.Duration
	// Commit is how often an idle leader says how far the log is committed. Writes do not wait for it; a voter that
	// returns does. Default 150 ms.
	Commit time.Duration
}

func (t Timing) withDefaults() Timing {
	set := func(d *time.Duration, to time.Duration) {
		if *d == 0 {
			*d = to
		}
	}
	set(&t.Heartbeat, 400*time.Millisecond)
	set(&t.Election, t.Heartbeat)
	set(&t.LeaderLease, t.Heartbeat*9/10)
	set(&t.Commit, 150*time.Millisecond)
	return t
}

// Voter is one zone's copy of the regional state and its vote on changes.
type Voter struct {
	cfg   Config
	store *store
	bulk  *bulkListener
	// patience is how long Fresh waits: freshLimit, but for tests.
	patience time.Duration

	mu      sync.Mutex // held while starting and stopping
	started int        // Starts so far that took the listener

	lifeMu sync.Mutex
	life   *life   // nil unless running
	keeper *keeper // of a voter that was started
	down   error   // why it does not run though it was started

	leaderMu sync.Mutex
	leader   string
	changed  chan struct{} // closed and replaced when leader changes
}

var _ Updater = (*Voter)(nil)

// NewVoter returns a voter that does nothing yet; its state is empty until Start.
func NewVoter(cfg Config) *Voter {
	cfg.Timing = cfg.Timing.withDefaults()
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Voter{
		cfg: cfg, store: newStore(cfg.Schema), bulk: newBulkListener(name(cfg.Zone)), patience: freshLimit,
		changed: make(chan struct{}),
	}
}

// Start returns once the voter runs and its copy is as new as when it last ran, or has undone its work and says why.
// There may be no leader yet. Starting a voter that runs does nothing.
func (v *Voter) Start(ctx context.Context) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.kept() != nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("start the regional state of zone %s: %w", v.cfg.Zone, err)
	}
	l, err := v.begin(ctx, false)
	if errors.Is(err, errDisk) {
		l, err = nil, v.startDown(ctx, err)
	}
	if err != nil {
		return fmt.Errorf("start the regional state of zone %s: %w", v.cfg.Zone, err)
	}
	k := v.newKeeper()
	v.lifeMu.Lock()
	v.life, v.keeper = l, k
	v.lifeMu.Unlock()
	k.done.Go(k.run)
	return nil
}

// Stop hands leadership to another voter if it can within the election timeout, and ends. The data and this copy stay.
// Stopping a voter that does not run does nothing. When ctx has ended, leadership is not handed over.
func (v *Voter) Stop(ctx context.Context) error {
	v.mu.Lock()
	k, l := v.kept(), v.running()
	if k == nil {
		v.mu.Unlock()
		return nil
	}
	k.cancel()
	if l != nil && ctx.Err() == nil {
		l.handOver()
	}
	err := v.end(l)
	v.mu.Unlock()
	k.stop()
	return err
}

// Kill ends the voter without a word to the others, as a crash does; it is for tests. The data stay. A Kill during a
// Start takes effect when that has returned.
func (v *Voter) Kill() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if err := v.Stop(ended); err != nil {
		v.cfg.Logger.Warn("kill the regional state", "az", v.cfg.Zone, "error", err)
	}
}

// end assumes mu. l is nil for a voter that is down.
func (v *Voter) end(l *life) error {
	v.lifeMu.Lock()
	v.life, v.keeper, v.down = nil, nil, nil
	v.lifeMu.Unlock()
	if l == nil {
		return nil
	}
	if err := l.end(); err != nil {
		return fmt.Errorf("stop the regional state of zone %s: %w", v.cfg.Zone, err)
	}
	return nil
}

// listener returns the configured listener the first time, and one at its address later. It assumes mu.
func (v *Voter) listener(ctx context.Context) (net.Listener, error) {
	v.started++
	if v.started == 1 {
		return v.cfg.Listener, nil
	}
	at := v.cfg.Listener.Addr()
	var lc net.ListenConfig
	return lc.Listen(ctx, at.Network(), at.String())
}

func (v *Voter) running() *life {
	v.lifeMu.Lock()
	defer v.lifeMu.Unlock()
	return v.life
}

func (v *Voter) kept() *keeper {
	v.lifeMu.Lock()
	defer v.lifeMu.Unlock()
	return v.keeper
}

// View runs fn on this voter's copy, which may lag behind the leader's: see Update. It answers always: without quorum,
// and also when the voter is stopped (what it had then). fn must not keep the Txn.
func (v *Voter) View(fn func(tx *Txn) error) error { return view(v.store, fn) }

// Update runs fn on this voter's copy, and commits what it wrote if by then nothing that it read has changed; else it
// runs fn again. So fn may run several times, and must do nothing but read and write tx. When Update returns nil, this
// voter's copy has the change, and so have those of all other voters that answer: a client that writes through one zone
// and reads through another sees what it wrote.
//
// An error of fn is returned as it is, and nothing is written; it may rest on a copy that lags. An Update that writes
// nothing needs no quorum. Other errors wrap ErrConflict, or ErrNoQuorum where no majority agreed before ctx ended or
// 5 s had passed: then the change may still happen later.
func (v *Voter) Update(ctx context.Context, fn func(tx *Txn) error) error {
	return update(ctx, v.store, fn, v.propose, v.spread)
}

// Watch returns a channel that is signalled after every change of this voter's copy and of who leads, several changes at
// once perhaps, and a function that ends it. It works across Stop and Start.
func (v *Voter) Watch() (<-chan struct{}, func()) { return v.store.watch() }

// Leader returns the zone of the voter that leads as far as this one knows; "": none is known.
func (v *Voter) Leader() string {
	zone, _ := v.leaderSignal()
	return zone
}

// leaderSignal returns the leader and a channel that is closed when it changes.
func (v *Voter) leaderSignal() (string, <-chan struct{}) {
	v.leaderMu.Lock()
	defer v.leaderMu.Unlock()
	return v.leader, v.changed
}

// setLeader is called by one goroutine at a time.
func (v *Voter) setLeader(zone string) {
	v.leaderMu.Lock()
	same := v.leader == zone
	if !same {
		v.leader = zone
		close(v.changed)
		v.changed = make(chan struct{})
	}
	v.leaderMu.Unlock()
	if same {
		return
	}
	v.store.wakeAll()
	v.cfg.Logger.Info("leader of the regional state", "az", v.cfg.Zone, "leader", zone)
	if v.cfg.OnLeader != nil {
		v.cfg.OnLeader(zone)
	}
}

// check finds what NewVoter could not say.
func (c *Config) check() error {
	known := false
	for _, p := range c.Peers {
		known = known || p.Zone == c.Zone
		if len(p.Zone) == 0 || len(p.Zone) > 255 {
			return fmt.Errorf("the name %q of a peer must have 1 to 255 bytes", p.Zone)
		}
		if _, _, err := net.SplitHostPort(p.Address); err != nil {
			return fmt.Errorf("the address of peer %s: %w", p.Zone, err)
		}
	}
	switch {
	case !known:
		return fmt.Errorf("zone %q is not among the peers", c.Zone)
	case c.Listener == nil || c.Dial == nil || c.ServerTLS == nil || c.ClientTLS == nil || c.Dir == "":
		return errors.New("Config lacks Dir, Listener, Dial, ServerTLS or ClientTLS")
	}
	return nil
}
