// Package lb is the region's load balancer: it takes TCP connections on one address and carries each to one of a few
// targets, usually one per availability zone, as an AWS Network Load Balancer does.
//
// It knows nothing of what runs behind it. It watches the targets with a health check and by what happens to the
// connections it carries, resets the connections of a target that died, and moves connections that nobody has answered
// yet to a target that lives. DESIGN.md says what it promises and what it does not.
package lb

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultAddress  = "127.0.0.1:0"
	defaultInterval = time.Second

	// A process that hangs is found after at most Interval + 2*Timeout = 5 s (a time-out counts from the second one on).
	// Less than this would take an API server for dead that only waits for its turn on a busy laptop; of what did die the
	// owner is told.
	defaultTimeout = 2 * time.Second

	defaultFirstByteDeadline = 2 * time.Second

	// quickest is the first pause between two checks of a target that something is wrong with; each is twice the one
	// before, up to Interval.
	quickest = 50 * time.Millisecond
)

var (
	// ErrStarted is returned by Start of a balancer that runs, or that is still stopping.
	ErrStarted = errors.New("it is already running: stop it first")

	// ErrNotTheTarget is why a target cannot be dialled for a client, though it may be well.
	ErrNotTheTarget = errors.New("the client's own way there is cut")

	// ErrListenerUsed is returned by Start of a stopped balancer whose Config.Listener was given: Stop closed it.
	ErrListenerUsed = errors.New("the listener it was given is closed: make a new balancer with a new listener")
)

// Target is one place that connections are carried to. It is comparable.
type Target struct {
	Name    string // the zone: us-east-1a; unique within a balancer
	Network string // "tcp" (also when empty) or "unix"
	Address string // host:port, or a socket's path
}

// Thresholds are numbers of consecutive health checks. A zero means the default.
type Thresholds struct {
	Healthy int // successes until an unhealthy target is healthy; default 1
	Refused int // refused or reset connections until a target is unhealthy; default 1
	Failing int // time-outs and bad answers until a target is unhealthy; default 2
}

// Config says what a Balancer does. Only Name and Targets are necessary.
type Config struct {
	Name    string   // in logs, and the value of the label "balancer" in metrics
	Targets []Target // fixed for the balancer's life

	// Listener is served if it is not nil; the balancer closes it. Otherwise it listens on Address, by default
	// 127.0.0.1:0, and keeps the port it was given when it is stopped and started again.
	Listener net.Listener
	Address  string

	// Check asks a target for its health: nil means healthy. It is called by one goroutine per target, with a context that
	// ends after Timeout. When the balancer stops it calls Check once more per target, with a context that has ended
	// already, so that a check that keeps a connection can close it. Nil means that a target is healthy when it can be
	// dialled; this does not find a paused process, whose kernel still takes connections. See HTTPCheck.
	Check func(ctx context.Context, target Target) error

	Interval          time.Duration // between two health checks of a target while all is well; default 1 s
	Timeout           time.Duration // of one health check; default 2 s
	Thresholds        Thresholds
	FirstByteDeadline time.Duration // for a dial, and for the answer to a complete TLS ClientHello; default 2 s

	// ChecksAlone says that nothing but health checks tells how a target is, once it has been healthy for the first time, and that no
	// connection is moved to another target, as with a Network Load Balancer: MarkDown and Probe do nothing, and what clients meet
	// counts for nothing. A target's open connections are reset when it becomes unhealthy.
	ChecksAlone bool

	// Starved says that this machine has not enough processor time for all that runs on it: then a target counts as silent
	// only after five times as many health checks in a row. Nil: it never says so.
	Starved func() bool

	// Wake is called before a connection is carried to a target, and returns when targets can be dialled, or ctx ends:
	// they may be stopped as a whole while nobody speaks to them. See Suspend. Nil: they always can.
	Wake func(ctx context.Context)

	// Admit says whether a client's connection may be served; one that may not is reset. It must not block. Nil admits
	// all.
	Admit func(client net.Conn) bool

	// OnChange is told when a target becomes healthy or unhealthy, in the order in which it happened. It is called outside
	// all locks, from any goroutine, one call at a time; it may call the balancer's methods, except Stop and Kill.
	OnChange func(TargetStatus)

	// Dial connects to a target, on behalf of a client's connection or, where that is nil, of a health check; nil means
	// net.Dialer. Connections that are not *net.TCPConn or *net.UnixConn, and know no ReadFrom and WriteTo that make use of
	// one, work, but are copied through user space. An error that wraps ErrNotTheTarget says nothing of the target's health.
	Dial func(ctx context.Context, client net.Conn, target Target) (net.Conn, error)

	Logger     *slog.Logger          // nil logs nothing
	Registerer prometheus.Registerer // nil registers no metrics; they are unregistered on Stop
}

// Balancer carries connections from one address to several targets. Make it with New.
type Balancer struct {
	cfg      Config
	targets  []*target // in the order of Config.Targets; what mu guards is said at target
	notices  notices
	unserved atomic.Int64 // connections for which no target could be reached

	life sync.Mutex // held while the balancer starts
	used bool       // Config.Listener has been served

	mu         sync.Mutex // guards what follows, and the targets; taken before a flow's own
	run        *run       // nil unless started
	addr       net.Addr
	next       int           // index of the target whose turn it is
	rest       chan struct{} // closed by Resume; nil unless suspended
	lastClient time.Time     // when a client's connection ended last
}

// New makes a balancer. It does nothing until it is started.
func New(cfg Config) *Balancer {
	if cfg.Address == "" {
		cfg.Address = defaultAddress
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	cfg.Logger = cfg.Logger.With("component", "lb", "balancer", cfg.Name)
	setDefault(&cfg.Interval, defaultInterval)
	setDefault(&cfg.Timeout, defaultTimeout)
	setDefault(&cfg.FirstByteDeadline, defaultFirstByteDeadline)
	setDefault(&cfg.Thresholds.Healthy, 1)
	setDefault(&cfg.Thresholds.Refused, 1)
	setDefault(&cfg.Thresholds.Failing, 2)
	if cfg.Dial == nil {
		cfg.Dial = func(ctx context.Context, _ net.Conn, t Target) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, t.Network, t.Address)
		}
	}
	b := &Balancer{cfg: cfg}
	if cfg.Starved == nil {
		b.cfg.Starved = func() bool { return false }
	}
	if cfg.Wake == nil {
		b.cfg.Wake = func(context.Context) {}
	}
	if cfg.Check == nil {
		b.cfg.Check = b.checkDial
	}
	if cfg.Listener != nil {
		b.addr = cfg.Listener.Addr()
	}
	for i, t := range cfg.Targets {
		if t.Network == "" {
			t.Network = "tcp"
		}
		b.targets = append(b.targets, newTarget(i, t))
	}
	return b
}

func setDefault[T int | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

// Start listens, and returns once connections are taken. It does not wait for a target to be healthy. The context
// bounds the start alone. A stopped balancer can be started again on the same port, unless its listener was given.
func (b *Balancer) Start(ctx context.Context) error {
	b.life.Lock()
	defer b.life.Unlock()
	if err := b.start(ctx); err != nil {
		return fmt.Errorf("balancer %s: start: %w", b.cfg.Name, err)
	}
	return nil
}

// start assumes that life is locked.
func (b *Balancer) start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.mu.Lock()
	running := b.run != nil
	b.mu.Unlock()
	if running {
		return ErrStarted
	}
	if b.used {
		return ErrListenerUsed
	}
	if len(b.targets) == 0 {
		return errors.New("it has no targets: give it at least one")
	}
	if err := b.register(); err != nil {
		return fmt.Errorf("register metrics: %w", err)
	}
	listener, err := b.listen(ctx)
	if err != nil {
		b.unregister()
		return err
	}
	r := newRun(b, listener)
	b.mu.Lock()
	b.run, b.addr = r, listener.Addr()
	b.mu.Unlock()
	r.start()
	b.cfg.Logger.Info("balancer listens", "address", listener.Addr().String())
	return nil
}

func (b *Balancer) listen(ctx context.Context) (net.Listener, error) {
	if b.cfg.Listener != nil {
		b.used = true
		return b.cfg.Listener, nil
	}
	address := b.cfg.Address
	if addr := b.Addr(); addr != nil {
		address = addr.String() // the port that its clients know
	}
	var lc net.ListenConfig
	lc.SetMultipathTCP(false) // on loopback it would only be in the way of splice
	return lc.Listen(ctx, "tcp", address)
}

// Addr is where the balancer listens: nil before the first start unless Config.Listener was given, and what it was once
// the balancer is stopped.
func (b *Balancer) Addr() net.Addr {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.addr
}

// Stop takes no more connections, lets the open ones finish until the context ends, resets those that are left, and
// returns when nothing of the balancer runs any more. Stopping a balancer that does not run does nothing. The error is
// always nil.
func (b *Balancer) Stop(ctx context.Context) error {
	b.life.Lock() // a start under way is let finish, so that it is then stopped
	b.mu.Lock()
	r := b.run
	b.mu.Unlock()
	b.life.Unlock()
	if r != nil {
		r.stop(ctx)
	}
	return nil
}

// Kill resets every connection and returns when nothing of the balancer runs any more.
func (b *Balancer) Kill() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = b.Stop(ended)
}
