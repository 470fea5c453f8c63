// Package emulator is the region: the zones' lives, the balancers, and the `tripod up` program as a value.
package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/internal/options"
	"tripod/internal/series"
	"tripod/internal/sleep"
)

// Emulator is one region: its parts, and their start and stop in order. Each part has its own state and its own lock;
// they know each other by pointers.
type Emulator struct {
	*site
	*life
	zones      zones
	links      *links
	disks      *disks
	endpoints  *endpoints
	fronts     *fronts
	observer   *observer
	supervisor *supervisor
	faults     *faults
	freezer    *freezer
	sleeper    *sleeper
	saver      *saver
	control    *control
	recorder   *recorder
	registry   *prometheus.Registry

	stopOnce sync.Once
	stopErr  error
	done     chan struct{}
}

// New returns a region that is not started.
func New(up options.Up) *Emulator {
	e := &Emulator{
		site: &site{options: up, logger: up.Logger}, life: newLife(), registry: prometheus.NewRegistry(),
		done: make(chan struct{}),
	}
	e.supervisor = &supervisor{site: e.site, life: e.life, quorum: true}
	for i := range zoneLetters {
		e.zones = append(e.zones, newZone(e.site, e.life, e.supervisor, i))
	}
	e.freezer = &freezer{life: e.life, zones: e.zones}
	e.links = newLinks(e.site, e.life, e.zones)
	e.disks = newDisks(e.site, e.life, e.zones)
	e.endpoints = newEndpoints(e.site, e.life, e.links, e.zones, e.registry)
	e.fronts = newFronts(e.site, e.life, e.links, e.zones)
	e.sleeper = &sleeper{site: e.site, life: e.life, zones: e.zones, endpoints: e.endpoints, freezer: e.freezer}
	e.observer = &observer{site: e.site, life: e.life, zones: e.zones, endpoints: e.endpoints, fronts: e.fronts, sleeper: e.sleeper}
	e.supervisor.zones, e.supervisor.endpoints, e.supervisor.observer = e.zones, e.endpoints, e.observer
	e.supervisor.sleeper, e.supervisor.freezer = e.sleeper, e.freezer
	e.supervisor.fronts, e.fronts.wake = e.fronts, e.sleeper.Wake
	e.supervisor.links, e.observer.links = e.links, e.links
	e.supervisor.disks, e.observer.disks = e.disks, e.disks
	e.disks.cluster = func(name string) bool { _, found := e.endpoints.named(name); return found }
	e.endpoints.wake, e.endpoints.evaluate = e.sleeper.Wake, e.supervisor.evaluate
	e.faults = &faults{site: e.site, zones: e.zones, links: e.links, disks: e.disks, endpoints: e.endpoints, observer: e.observer,
		supervisor: e.supervisor, spans: newSpans(e.life)}
	e.faults.spans.lift = e.faults.follow
	e.observer.spans, e.sleeper.spans = e.faults.spans, e.faults.spans
	e.saver = &saver{site: e.site, life: e.life, endpoints: e.endpoints, freezer: e.freezer}
	e.sleeper.saver, e.sleeper.links, e.sleeper.disks = e.saver, e.links, e.disks
	e.links.asleep = func() bool { return e.sleeper.asleep.Load() != nil }
	e.disks.asleep, e.faults.spans.asleep = e.links.asleep, e.links.asleep
	e.recorder = &recorder{site: e.site, zones: e.zones, sleeper: e.sleeper, store: series.New(),
		gather: func() prometheus.Gatherers { return e.gatherers(true) }}
	e.control = &control{region: e, scraper: newScraper()}
	return e
}

// Start brings the region up and returns when all its zones serve. When it fails, or ctx ends first, it has undone its
// work.
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
		err = e.awaitUp(ctx)
	}
	if err != nil {
		stopping, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return errors.Join(err, e.Stop(stopping))
	}
	e.emit(api.Event{Type: api.RegionReady, Message: fmt.Sprintf("region %s is ready: three zones after %.1f s",
		e.options.Region, time.Since(e.started).Seconds())})
	e.events.callback.flush() // what the caller prints next comes after it
	if e.options.SleepAfter > 0 {
		e.wait.Go(func() { e.sleeper.keepHours(e.running, e.options.SleepAfter) })
	}
	if e.options.DownAfter > 0 {
		e.sleeper.spoken.Store(time.Now().UnixNano()) // the start was no idleness
		e.wait.Go(func() { e.downWhenIdle(e.options.DownAfter) })
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
	if err := errors.Join(e.links.open(), e.disks.open()); err != nil {
		return err
	}
	e.endpoints.aws = e.endpoints.newAWSBalancer(listener)
	e.registry.MustRegister(&collector{e.observer}, collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return nil
}

// launch starts everything; it does not wait for readiness.
func (e *Emulator) launch(ctx context.Context) error {
	if err := e.endpoints.aws.Start(ctx); err != nil {
		return err
	}
	if err := e.control.start(); err != nil {
		return err
	}
	if err := e.control.startAddress(); err != nil {
		return err
	}
	if err := e.control.startMetrics(); err != nil {
		return err
	}
	e.control.reopenScrapeDoor()
	for _, z := range e.zones {
		if err := z.launch(); err != nil {
			return err
		}
	}
	if err := e.dir.writeAgents(e.zones.identities()); err != nil {
		return err
	}
	e.wait.Go(func() { e.supervisor.watchPauses(e.running) })
	e.wait.Go(func() { e.links.keep(e.running) })
	e.wait.Go(func() { e.disks.keep(e.running) })
	e.wait.Go(func() { e.faults.spans.keep(e.running) })
	e.wait.Go(func() { e.recorder.keep(e.running) })
	if !e.dir.marker.Founded {
		return e.found(ctx)
	}
	return nil
}

// downWhenIdle stops the region when nobody has spoken with it for as long as after.
func (e *Emulator) downWhenIdle(after time.Duration) {
	for sleep.For(e.running, min(after/10, 10*time.Second)) == nil {
		if e.sleeper.idle() >= after {
			go e.Stop(context.Background()) // owned by Done, which whoever runs the region waits for; it waits for this goroutine
			return
		}
	}
}

// Done is closed when the region is stopped, by Stop or by `tripod down`.
func (e *Emulator) Done() <-chan struct{} { return e.done }

// Stop ends the region in order: the balancers let go, then the zones stop side by side. The data is kept. When ctx
// ends first the rest is killed. Stopping twice is no error.
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
	if e.endpoints.aws == nil {
		return nil // it never started
	}
	ctx, cancelStop := context.WithTimeout(ctx, stopLimit)
	defer cancelStop()
	e.cancel()
	e.sleeper.Wake("the region stops")
	// Whoever has frozen the zones is through in a moment, and nobody begins to any more: see freeze
	e.freezer.still.RLock()
	e.beginStop()
	e.freezer.still.RUnlock()
	e.emit(api.Event{Type: api.RegionStopping, Message: "region " + e.options.Region + " stops"})
	e.fronts.stop()
	e.endpoints.stop(ctx)
	e.links.shut()
	err := e.zones.stop(ctx)
	e.wait.Wait()
	e.sleeper.resuming.Wait()
	os.Remove(e.dir.file("agents.json"))
	e.emit(api.Event{Type: api.RegionStopped, Message: "region " + e.options.Region + " is stopped; its data is in " +
		e.dir.path})
	close(e.quiet)
	e.events.close() // lets go who follows them, whom the control server's stop would wait for
	e.control.stop()
	os.RemoveAll(e.runDir) // nothing but sockets
	return err
}

// stopLimit is when a stop in order ends in a kill: under systemd or Docker nobody presses Ctrl-C a second time.
const stopLimit = 30 * time.Second

// Kill ends all processes of the region at once. The next start finds their data.
func (e *Emulator) Kill() {
	e.beginStop()
	for _, z := range e.zones {
		z.killNow()
	}
}

// Status describes the region, with what its processes use.
func (e *Emulator) Status() api.Status { return e.observer.Status() }

// Do gives an order to a target and returns when the effect is there.
func (e *Emulator) Do(ctx context.Context, order api.Order) error { return e.faults.Do(ctx, order) }

// Fault puts a fault of api.RecordFaults in force by the verb fault, or takes back those of the target by reset.
func (e *Emulator) Fault(ctx context.Context, verb string, order api.FaultOrder) (api.FaultDone, error) {
	return e.faults.record(ctx, verb, order)
}

// Link follows one of api.LinkVerbs for the ways between zones, or between a zone and clients.
func (e *Emulator) Link(ctx context.Context, order api.LinkOrder) error {
	return e.links.order(ctx, order)
}

// Sleep stops all processes of the zones until somebody speaks with the region.
func (e *Emulator) Sleep(ctx context.Context) error { return e.sleeper.Sleep(ctx) }

// SaveSnapshot saves the region as one file while it runs.
func (e *Emulator) SaveSnapshot(ctx context.Context, request api.SnapshotRequest,
	each func(api.SnapshotProgress)) (*api.Snapshot, error) {
	return e.saver.Save(ctx, request, each)
}

// Reset makes everything healthy again and returns when it is.
func (e *Emulator) Reset(ctx context.Context) error { return e.faults.Reset(ctx) }
