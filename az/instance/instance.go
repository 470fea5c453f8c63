// Package instance keeps one process of a zone running: an etcd member, an API server, the controllers of a cluster.
package instance

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/internal/loss"
	"tripod/internal/process"
)

// Config says which process it is.
type Config struct {
	Component   string // etcd, apiserver, controllers
	Zone        string // us-east-1a
	ClusterID   string
	ClusterName string
	// Socket is where the process serves its metrics, and is told of losses.
	Socket string
	// Prepare makes the process's files and says how to run it.
	Prepare func() (process.Spec, error)
	// After, when set, must be ready before this one is started.
	After   *Instance
	OnEvent func(api.Event)
	// OnLoss is told when the process ended without having been asked to, or was stopped by a signal.
	OnLoss func(loss.Loss)
	// Deposed is of a process whose part others take as soon as it is paused: it is never let go on, as it would act beside them until it
	// noticed. Another one is started in its place.
	Deposed bool
	// BeforeEnd, when set, is called before the process is asked to end in order.
	BeforeEnd func()
	// OnChange is called without locks held whenever the state changed.
	OnChange func()
	Logger   *slog.Logger
}

// Target is what users call the process, such as apiserver/a.
func (c Config) Target() string { return c.Component + "/" + plan.Letter(c.Zone) }

func (c Config) event(kind api.EventType, message string) {
	c.OnEvent(api.Event{Zone: c.Zone, Cluster: c.ClusterName, Target: c.Target(), Type: kind, Message: message})
}

func (c Config) lost(paused bool) {
	c.OnLoss(loss.Loss{Zone: c.Zone, Component: c.Component, ClusterID: c.ClusterID, At: time.Now(), Paused: paused})
}

// Instance is one process that is kept running by Supervise.
type Instance struct {
	Config

	wake   chan struct{} // an order was given
	done   chan struct{} // closed when Supervise returned
	former FormerLeads

	mu sync.Mutex
	orders
	state
}

// orders are what the process is to do.
type orders struct {
	stopped  bool // by the verb stop
	held     bool // by the zone, while what it needs is replaced
	ending   bool
	renewing bool // ends to be made anew
	outdated bool // what Prepare said last does not hold any more
}

// state is what the process does.
type state struct {
	starting chan struct{} // closed when the start of a process that is under way is over; nil: none is
	child    *process.Child
	gone     chan struct{} // closed when Supervise has noted the end of child
	ready    bool
	readyC   chan struct{} // closed while ready; a new one otherwise
	leads    []string
	alone    bool // it hears of no leader
	paused   bool
	since    time.Time // when it was stopped or paused
	failed   string    // why it does not run
	restarts int
}

// New returns an instance that is not supervised yet.
func New(config Config) *Instance {
	return &Instance{
		Config: config, wake: make(chan struct{}, 1), done: make(chan struct{}), state: state{readyC: make(chan struct{})},
	}
}

// Report is what etcdcluster.Report and launch.Report have in common.
type Report struct {
	Ready bool     `json:"ready"`
	Leads []string `json:"leads"`
	// Leaderless is an etcd member that hears of no leader: it is cut off from most others.
	Leaderless bool `json:"leaderless"`
}

// restartPauses are between restarts: the first is at once, since a killed instance should come back as fast as it
// can; one that dies again and again must not burn the processor.
var restartPauses = []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second,
	8 * time.Second}

// steady is how long an instance must live for its next restart to be at once again.
const steady = 10 * time.Second

// Supervise keeps the process running until End. It owns the child.
func (i *Instance) Supervise(ctx context.Context) {
	defer close(i.done)
	for failures := 0; ; {
		if !i.awaitStart(ctx) {
			return
		}
		started := time.Now()
		child, err := i.launch()
		if err == nil {
			<-child.Done()
			err = child.Err()
		}
		if i.exited(err) {
			continue // as it was told to
		}
		if time.Since(started) > steady {
			failures = 0
		}
		pause := restartPauses[min(failures, len(restartPauses)-1)]
		failures++
		i.rest(ctx, pause)
	}
}

// awaitStart returns when the process should be started, or false when it never should again.
func (i *Instance) awaitStart(ctx context.Context) bool {
	for {
		i.mu.Lock()
		stopped, ending := i.stopped || i.held, i.ending
		i.mu.Unlock()
		if ending || ctx.Err() != nil {
			return false
		}
		var first <-chan struct{}
		if i.After != nil {
			first = i.After.Readiness()
		}
		if !stopped && (first == nil || isClosed(first)) {
			return true
		}
		select {
		case <-first:
		case <-i.wake:
		case <-ctx.Done():
			return false
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// rest waits for the pause to be over, or for an order.
func (i *Instance) rest(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.wake:
	case <-ctx.Done():
	}
}

func (i *Instance) poke() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *Instance) launch() (*process.Child, error) {
	i.mu.Lock()
	i.outdated = false
	i.mu.Unlock()
	spec, err := i.Prepare()
	if err != nil {
		return nil, err
	}
	spec.OnReport = i.reported
	i.mu.Lock()
	if i.outdated && !i.ending { // Prepare takes its time
		i.mu.Unlock()
		return i.launch()
	}
	if i.stopped || i.held || i.ending {
		i.mu.Unlock()
		return nil, errStopped
	}
	i.starting = make(chan struct{})
	i.mu.Unlock()
	child, err := process.Start(spec)
	i.mu.Lock()
	if err == nil {
		i.child, i.gone, i.failed, i.paused = child, make(chan struct{}), "", false
	}
	close(i.starting)
	i.starting = nil
	i.mu.Unlock()
	if err != nil {
		return nil, err
	}
	i.event(api.InstanceStarted, fmt.Sprintf("%s started (pid %d)", i.Target(), child.PID()))
	i.OnChange()
	return child, nil
}

// settle assumes the lock and returns with it when no start of a process is under way: the lock is not held through
// one. Whether there is a process is known then, so that an order can wait for its effect; launch minds an order that
// was noted before.
func (i *Instance) settle() {
	for i.starting != nil {
		starting := i.starting
		i.mu.Unlock()
		<-starting
		i.mu.Lock()
	}
}

var errStopped = errors.New("it was stopped")

func (i *Instance) reported(line json.RawMessage) {
	var r Report
	if err := json.Unmarshal(line, &r); err != nil {
		i.Logger.Warn("unreadable report", "target", i.Target(), "error", err)
		return
	}
	i.mu.Lock()
	i.settle()
	becameReady := r.Ready && !i.ready
	if becameReady {
		i.ready = true
		close(i.readyC)
	}
	gained := minus(r.Leads, i.leads)
	alone := r.Leaderless != i.alone
	i.leads, i.alone = r.Leads, r.Leaderless
	took := time.Duration(0)
	if i.child != nil {
		took = time.Since(i.child.StartedAt())
	}
	i.mu.Unlock()
	if becameReady {
		i.event(api.InstanceReady, fmt.Sprintf("%s is ready after %.1f s", i.Target(), took.Seconds()))
	}
	switch {
	case alone && r.Leaderless:
		i.event(api.InstanceUnready, i.Target()+" hears of no leader")
	case alone:
		i.event(api.InstanceReady, i.Target()+" hears of a leader again")
	}
	for _, what := range gained {
		if i.former.Returns(what) {
			continue
		}
		i.event(api.LeaderChanged, fmt.Sprintf("%s leads %s of cluster %s", i.Zone, what, i.ClusterName))
	}
	i.OnChange()
}

func minus(a, b []string) (only []string) {
	seen := map[string]bool{}
	for _, s := range b {
		seen[s] = true
	}
	for _, s := range a {
		if !seen[s] {
			only = append(only, s)
		}
	}
	return only
}

// exited notes the end of the process and says whether it was asked for.
func (i *Instance) exited(err error) (asked bool) {
	i.mu.Lock()
	asked = i.stopped || i.held || i.ending || i.renewing || errors.Is(err, errStopped)
	i.renewing = false
	if i.ready {
		i.ready, i.readyC = false, make(chan struct{})
	}
	if i.child != nil {
		close(i.gone)
	}
	i.child, i.leads, i.alone, i.paused = nil, nil, false, false
	if !asked {
		i.failed = err.Error()
		i.restarts++
	}
	i.mu.Unlock()
	if !asked {
		i.lost(false)
		i.Logger.Warn("instance ended", "target", i.Target(), "error", err)
		i.event(api.InstanceExited, err.Error())
	}
	i.OnChange()
	return asked
}
