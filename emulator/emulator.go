// Package emulator is the region: the zones' lives, the balancers, and the `tripod up` program as a value.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/lb"
)

// Emulator is one region.
type Emulator struct {
	options options.Up
	logger  *slog.Logger

	dir       *dataDir
	runDir    string
	events    *journal
	zones     []*zone
	registry  *prometheus.Registry
	aws       *lb.Balancer
	control   *http.Server
	started   time.Time
	startedUp chan struct{} // closed when all zones were ready for the first time

	judging sync.Mutex   // held while conclusions are drawn, so that an older one never overtakes a newer
	still   sync.RWMutex // held while all zones are frozen, and to read while it is looked whether one is paused
	saving  sync.Mutex   // held while a snapshot is made
	night   night

	mu          sync.Mutex
	clusters    map[string]*cluster // by id, as of the newest copy of the regional state that a zone has told of, which has this index
	index       uint64
	retrying    bool // endpoints are looked at again soon
	stopping    bool
	quorum      bool     // as last announced
	unreachable []string // as last told to the gateways
	failed      error    // why the start cannot succeed
	failedC     chan struct{}

	running  context.Context // ends when the region begins to stop, by cancel
	cancel   context.CancelFunc
	wait     sync.WaitGroup
	stopOnce sync.Once
	stopErr  error
	quiet    chan struct{} // closed when all but the control socket is stopped
	done     chan struct{}
}

// New returns a region that is not started.
func New(options options.Up) *Emulator {
	return &Emulator{options: options, logger: options.Logger, clusters: map[string]*cluster{}, quorum: true, startedUp: make(chan struct{}),
		failedC: make(chan struct{}), quiet: make(chan struct{}), done: make(chan struct{}), registry: prometheus.NewRegistry()}
}

// Start brings the region up and returns when all its zones serve. When it fails, or ctx ends first, it has undone its work.
func (e *Emulator) Start(ctx context.Context) error {
	if isClosed(e.done) {
		return errors.New("this region was stopped: make a new one to start it again")
	}
	e.started = time.Now()
	if err := e.open(ctx); err != nil {
		return err
	}
	err := e.launch(ctx)
	if err == nil {
		err = e.awaitReady(ctx)
	}
	if err != nil {
		stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(err, e.Stop(stopping))
	}
	e.emit(api.Event{Type: api.RegionReady, Message: fmt.Sprintf("region %s is ready: three zones after %.1f s", e.options.Region, time.Since(e.started).Seconds())})
	e.events.told.flush() // what the caller prints next comes after it
	if e.options.SleepAfter > 0 {
		e.wait.Go(func() { e.keepHours(e.running) })
	}
	return nil
}

// open takes the data directory and the AWS port. Until both are ours, nothing is written.
func (e *Emulator) open(ctx context.Context) (err error) {
	runtime, err := datadir.RuntimeDir()
	if err != nil {
		return err
	}
	dir, err := openDataDir(e.options.DataDir)
	if err != nil {
		return err
	}
	e.dir = dir
	defer func() {
		if err != nil {
			dir.close()
		}
	}()
	if err := dir.checkWhole(); err != nil {
		return err
	}
	if err := dir.sweep(); err != nil {
		return err
	}
	e.runDir = filepath.Dir(datadir.SocketPath(e.options.DataDir))
	listener, err := e.settlePorts(ctx)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			listener.Close()
		}
	}()
	if filepath.Dir(e.runDir) != runtime {
		return fmt.Errorf("%s is not in %s", e.runDir, runtime)
	}
	if err := os.MkdirAll(e.runDir, 0o700); err != nil {
		return diskError(e.runDir, err)
	}
	if e.events, err = openJournal(dir.file("events.jsonl"), e.options.OnEvent); err != nil {
		return diskError(dir.path, err)
	}
	if err := e.prepareTrust(); err != nil {
		return diskError(dir.path, err)
	}
	e.aws = e.newAWSBalancer(listener)
	e.registry.MustRegister(&collector{e})
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range zoneLetters { // before anybody can ask for them
		e.zones = append(e.zones, newZone(e, i))
	}
	return nil
}

// launch starts everything; it does not wait for readiness.
func (e *Emulator) launch(ctx context.Context) error {
	running, cancel := context.WithCancel(context.Background())
	e.running, e.cancel = running, cancel
	e.quorum = true
	if err := e.aws.Start(ctx); err != nil {
		return err
	}
	if err := e.startControl(); err != nil {
		return err
	}
	if err := e.startMetrics(running); err != nil {
		return err
	}
	for _, z := range e.zones {
		if err := z.start(); err != nil {
			return err
		}
	}
	if err := e.rememberAgents(); err != nil {
		return err
	}
	e.wait.Go(func() { e.watchPauses(running) })
	if !e.dir.marker.Founded {
		return e.found(ctx)
	}
	return nil
}

// awaitReady returns when everything serves, or something failed for good.
func (e *Emulator) awaitReady(ctx context.Context) error {
	select {
	case <-e.startedUp:
		return nil
	case <-e.failedC:
		return e.failed
	case <-e.quiet:
		return errStoppedMeanwhile
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

var errStoppedMeanwhile = errors.New("the region was stopped while it started")

// fail ends a start that cannot succeed. Once the region is up, faults are what it is for.
func (e *Emulator) fail(err error) {
	if datadir.DiskFull(e.options.DataDir) {
		err = diskError(e.options.DataDir, syscall.ENOSPC) // the cause of whatever it was
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.failed == nil && !e.stopping && !isClosed(e.startedUp) {
		e.failed = err
		close(e.failedC)
	}
}

// Done is closed when the region is stopped, by Stop or by `tripod down`.
func (e *Emulator) Done() <-chan struct{} { return e.done }

// Stop ends the region in order: the balancers let go, then the zones stop side by side. The data is kept. When ctx ends first the rest is
// killed. Stopping twice is no error.
func (e *Emulator) Stop(ctx context.Context) error {
	e.stopOnce.Do(func() {
		defer close(e.done)
		e.stopErr = e.stop(ctx)
		if e.dir != nil {
			e.dir.close()
		}
	})
	<-e.done
	return e.stopErr
}

func (e *Emulator) stop(ctx context.Context) error {
	if e.aws == nil {
		return nil // it never started
	}
	ctx, cancelStop := context.WithTimeout(ctx, stopLimit)
	defer cancelStop()
	if e.cancel != nil {
		e.cancel()
	}
	e.Wake("the region stops")
	e.still.RLock() // whoever has frozen the zones is through in a moment, and nobody begins to any more: see freeze
	e.mu.Lock()
	e.stopping = true
	balancers := []*lb.Balancer{e.aws}
	for _, c := range e.clusters {
		if c.balancer != nil {
			balancers = append(balancers, c.balancer)
		}
	}
	e.mu.Unlock()
	e.still.RUnlock()
	e.emit(api.Event{Type: api.RegionStopping, Message: "region " + e.options.Region + " stops"})
	draining, cancel := context.WithTimeout(ctx, drainTime)
	defer cancel()
	var wait sync.WaitGroup
	for _, balancer := range balancers {
		wait.Go(func() { balancer.Stop(draining) })
	}
	wait.Wait()
	errs := make([]error, len(e.zones))
	for _, end := range []func(*zone, context.Context) error{(*zone).quiesce, (*zone).end} {
		for i, z := range e.zones {
			wait.Go(func() { errs[i] = errors.Join(errs[i], end(z, ctx)) })
		}
		wait.Wait()
	}
	e.wait.Wait()
	e.night.resuming.Wait()
	os.Remove(e.dir.file("agents.json"))
	e.emit(api.Event{Type: api.RegionStopped, Message: "region " + e.options.Region + " is stopped; its data is in " + e.dir.path})
	close(e.quiet)
	e.events.close() // lets go who follows them, whom Shutdown would wait for
	if e.control != nil {
		// Not ctx: whoever asked for the stop is told of its end.
		closing, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		e.control.Shutdown(closing)
	}
	os.RemoveAll(e.runDir) // nothing but sockets
	return errors.Join(errs...)
}

// stopLimit is when a stop in order ends in a kill: under systemd or Docker nobody presses Ctrl-C a second time.
const stopLimit = 30 * time.Second

// drainTime is what open connections get to finish when the region stops: requests are short, and watches never end by themselves.
const drainTime = 300 * time.Millisecond

// Kill ends all processes of the region at once. The next start finds their data.
func (e *Emulator) Kill() {
	e.mu.Lock()
	e.stopping = true
	zones := e.zones
	e.mu.Unlock()
	for _, z := range zones {
		z.killNow()
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
