package az

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"tripod/api"
	"tripod/az/plan"
	"tripod/internal/loss"
	"tripod/internal/process"
)

// instance is one process of the zone that is kept running: an etcd member, an API server, the controllers of a cluster.
type instance struct {
	component   string // etcd, apiserver, controllers
	zone        string
	clusterID   string
	clusterName string
	// prepare makes the process's files and says how to run it.
	prepare func() (process.Spec, error)
	// after, when set, must be ready before this one is started.
	after   *instance
	onEvent func(api.Event)
	// onLoss is told when the process ended without having been asked to, or was stopped by a signal.
	onLoss func(loss.Loss)
	// beforeEnd, when set, is called before the process is asked to end in order.
	beforeEnd func()
	// changed is called without locks held whenever the state did.
	changed func()
	logger  *slog.Logger

	mu       sync.Mutex
	child    *process.Child
	gone     chan struct{} // closed when supervise has noted the end of child
	ready    bool
	readyC   chan struct{} // closed while ready; a new one otherwise
	leads    []string
	stopped  bool // by the verb stop
	held     bool // by the zone, while what it needs is replaced
	paused   bool
	since    time.Time // when it was stopped or paused
	failed   string    // why it does not run
	restarts int
	wake     chan struct{}
	ending   bool
	renewing bool          // ends to be made anew
	outdated bool          // what prepare said last does not hold any more
	done     chan struct{} // closed when supervise returned
	before   before        // a suspension
}

// report is what etcdcluster.Report and launch.Report have in common.
type report struct {
	Ready bool     `json:"ready"`
	Leads []string `json:"leads"`
}

// Pauses between restarts: the first is at once, since a killed instance should come back as fast as it can; one that dies again and again must
// not burn the processor.
var restartPauses = []time.Duration{0, 500 * time.Millisecond, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second}

// steady is how long an instance must live for its next restart to be at once again.
const steady = 10 * time.Second

func newInstance(i *instance) *instance {
	i.readyC, i.wake, i.done = make(chan struct{}), make(chan struct{}, 1), make(chan struct{})
	return i
}

func (i *instance) target() string { return i.component + "/" + plan.Letter(i.zone) }

// supervise keeps the process running until end. It owns the child.
func (i *instance) supervise(ctx context.Context) {
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
		i.sleep(ctx, pause)
	}
}

// awaitStart returns when the process should be started, or false when it never should again.
func (i *instance) awaitStart(ctx context.Context) bool {
	for {
		i.mu.Lock()
		stopped, ending := i.stopped || i.held, i.ending
		i.mu.Unlock()
		if ending || ctx.Err() != nil {
			return false
		}
		var first <-chan struct{}
		if i.after != nil {
			first = i.after.readiness()
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

func (i *instance) sleep(ctx context.Context, pause time.Duration) {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-i.wake:
	case <-ctx.Done():
	}
}

func (i *instance) poke() {
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *instance) launch() (*process.Child, error) {
	i.mu.Lock()
	i.outdated = false
	i.mu.Unlock()
	spec, err := i.prepare()
	if err != nil {
		return nil, err
	}
	spec.OnReport = i.reported
	i.mu.Lock()
	if i.outdated && !i.ending { // prepare takes its time
		i.mu.Unlock()
		return i.launch()
	}
	if i.stopped || i.held || i.ending {
		i.mu.Unlock()
		return nil, errStopped
	}
	child, err := process.Start(spec)
	if err == nil {
		i.child, i.gone, i.failed, i.paused = child, make(chan struct{}), "", false
	}
	i.mu.Unlock()
	if err != nil {
		return nil, err
	}
	i.event(api.InstanceStarted, fmt.Sprintf("%s started (pid %d)", i.target(), child.PID()))
	i.changed()
	return child, nil
}

var errStopped = errors.New("it was stopped")

func (i *instance) reported(line json.RawMessage) {
	var r report
	if err := json.Unmarshal(line, &r); err != nil {
		i.logger.Warn("unreadable report", "target", i.target(), "error", err)
		return
	}
	i.mu.Lock()
	becameReady := r.Ready && !i.ready
	if becameReady {
		i.ready = true
		close(i.readyC)
	}
	gained := minus(r.Leads, i.leads)
	i.leads = r.Leads
	took := time.Duration(0)
	if i.child != nil {
		took = time.Since(i.child.StartedAt())
	}
	i.mu.Unlock()
	if becameReady {
		i.event(api.InstanceReady, fmt.Sprintf("%s is ready after %.1f s", i.target(), took.Seconds()))
	}
	for _, what := range gained {
		if i.before.again(what) {
			continue
		}
		i.event(api.LeaderChanged, fmt.Sprintf("%s leads %s of cluster %s", i.zone, what, i.clusterName))
	}
	i.changed()
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
func (i *instance) exited(err error) (asked bool) {
	i.mu.Lock()
	asked = i.stopped || i.held || i.ending || i.renewing || errors.Is(err, errStopped)
	i.renewing = false
	if i.ready {
		i.ready, i.readyC = false, make(chan struct{})
	}
	if i.child != nil {
		close(i.gone)
	}
	i.child, i.leads, i.paused = nil, nil, false
	if !asked {
		i.failed = err.Error()
		i.restarts++
	}
	i.mu.Unlock()
	if !asked {
		i.lost()
		i.logger.Warn("instance ended", "target", i.target(), "error", err)
		i.event(api.InstanceExited, err.Error())
	}
	i.changed()
	return asked
}

func (i *instance) lost() {
	i.onLoss(loss.Loss{Zone: i.zone, Component: i.component, ClusterID: i.clusterID, At: time.Now()})
}

func (i *instance) event(kind api.EventType, message string) {
	i.onEvent(api.Event{Zone: i.zone, Cluster: i.clusterName, Target: i.target(), Type: kind, Message: message})
}

// readiness is closed while the instance is ready.
func (i *instance) readiness() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.readyC
}

// wanted says that the process should run.
func (i *instance) wanted() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return !i.stopped && !i.ending
}

// kill ends the process without a goodbye; supervise replaces it.
func (i *instance) kill() {
	i.mu.Lock()
	child, gone := i.child, i.gone
	i.mu.Unlock()
	if child != nil {
		child.Kill()
		<-gone
	}
}

func (i *instance) pause() error { return i.freeze(syscall.SIGSTOP, true) }

func (i *instance) resume() error { return i.freeze(syscall.SIGCONT, false) }

func (i *instance) freeze(signal syscall.Signal, paused bool) error {
	child := i.running()
	if child == nil {
		if paused {
			return fmt.Errorf("%s does not run, so it cannot be paused: start it with 'tripod start %s'", i.target(), i.target())
		}
		return nil
	}
	if err := child.Signal(signal); err != nil {
		return err
	}
	process.AwaitPaused(child, paused)
	i.observePause()
	return nil
}

// observePause looks whether the process is stopped by a signal, whoever sent it.
func (i *instance) observePause() {
	child := i.running()
	if child == nil {
		return
	}
	paused := process.Paused(child.PID())
	i.mu.Lock()
	was := i.paused
	i.paused = paused
	if paused && !was {
		i.since = time.Now()
	}
	i.mu.Unlock()
	switch {
	case paused && !was:
		i.lost()
		i.event(api.InstancePaused, i.target()+" is paused: it accepts connections and answers nobody")
	case was && !paused:
		i.event(api.InstanceResumed, i.target()+" runs again")
	default:
		return
	}
	i.changed()
}

// stop ends the process in order and keeps it so.
func (i *instance) stop(ctx context.Context) error {
	i.mu.Lock()
	if !i.stopped {
		i.stopped, i.since = true, time.Now()
	}
	child, gone := i.child, i.gone
	i.mu.Unlock()
	defer i.changed()
	if child == nil {
		return nil
	}
	err := i.ask(ctx, child)
	<-gone // else a start that comes at once would make a crash of it
	return err
}

// renew ends the process in order; its successor, with what prepare says now, is started at once. One that does not run, or is
// stopped, has it at its next start.
func (i *instance) renew(ctx context.Context) error {
	i.mu.Lock()
	child, gone := i.child, i.gone
	i.renewing, i.outdated = child != nil, true
	i.mu.Unlock()
	if child == nil {
		i.poke() // it may be in the pause after a crash
		return nil
	}
	err := i.ask(ctx, child)
	<-gone
	return err
}

// ask ends a process in order.
func (i *instance) ask(ctx context.Context, child *process.Child) error {
	if i.beforeEnd != nil {
		i.beforeEnd()
	}
	return child.Stop(ctx)
}

// hold ends the process in order and keeps it down until release.
func (i *instance) hold(ctx context.Context) error {
	i.mu.Lock()
	i.held = true
	i.mu.Unlock()
	return i.renew(ctx)
}

// release lets a process that was held run again, unless a user stopped it.
func (i *instance) release() {
	i.mu.Lock()
	i.held = false
	i.mu.Unlock()
	i.poke()
}

// start lets the process run (again).
func (i *instance) start() {
	i.mu.Lock()
	i.stopped = false
	i.mu.Unlock()
	i.poke()
}

// reset makes it healthy.
func (i *instance) reset() error {
	i.start()
	return i.resume()
}

// end is stop for good: supervise returns.
func (i *instance) end(ctx context.Context) error {
	i.mu.Lock()
	i.ending = true
	child := i.child
	i.mu.Unlock()
	i.poke()
	var err error
	if child != nil {
		err = i.ask(ctx, child)
	}
	<-i.done
	return err
}

func (i *instance) running() *process.Child {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.child
}

// status describes the instance; its memory is the region's to measure, on demand.
func (i *instance) status() api.Instance {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := api.Instance{Target: i.target(), Component: i.component, Cluster: i.clusterName, Restarts: i.restarts, Leads: i.leads}
	if i.child != nil {
		started := i.child.StartedAt()
		s.PID, s.StartedAt = i.child.PID(), &started
	}
	switch {
	case i.child == nil && i.stopped:
		s.State, s.Reason = api.StateStopped, "stopped by 'tripod stop'"
	case i.paused:
		s.State, s.Reason = api.StatePaused, "stopped by SIGSTOP"
		s.Leads = nil // it cannot say so any more: by now another leads
	case i.child == nil && i.failed != "":
		s.State, s.Reason = api.StateFailed, i.failed
	case i.child == nil && i.after != nil:
		s.State, s.Reason = api.StateStarting, "waits for "+i.after.target()
	case i.ready:
		s.State = api.StateReady
	default:
		s.State = api.StateStarting
	}
	if s.State == api.StatePaused || s.State == api.StateStopped {
		since := i.since
		s.FaultSince = &since
	}
	return s
}
