package emulator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/internal/diskfault"
	"tripod/internal/link"
	"tripod/internal/pki"
	"tripod/internal/process"
)

// zone is the life of one availability zone as the region sees it: a process group that can die.
type zone struct {
	site       *site
	life       *life
	supervisor *supervisor // is told of what happens to it
	index      int
	name       string // us-east-1a

	verbs  sync.Mutex // one verb at a time: held while one takes effect
	notice sync.Mutex // held while its gateway is told, so that the newest comes last

	mu       sync.Mutex
	is       zoneStatus
	changed  chan struct{}      // closed and made anew at every change
	expected bool               // the process was told to end
	crashes  map[string]crashes // by cluster and target
}

func newZone(site *site, life *life, supervisor *supervisor, index int) *zone {
	return &zone{site: site, life: life, supervisor: supervisor, index: index, name: site.zoneName(index),
		changed: make(chan struct{}), crashes: map[string]crashes{}}
}

func (z *zone) target() string { return api.KindZone + "/" + z.name }

// dir is the zone's disk.
func (z *zone) dir() string { return z.site.dir.file("zones", z.name) }

// runDir is where its sockets are.
func (z *zone) runDir() string { return z.site.zoneRunDir(z.index) }

// agent takes orders for the zone.
func (z *zone) agent() az.Agent { return az.Agent{RunDir: z.runDir()} }

// launch is start at the region's start.
func (z *zone) launch() error {
	z.verbs.Lock()
	defer z.verbs.Unlock()
	return z.start()
}

// start runs the zone's agent. It returns once the process exists. It assumes that the verbs lock is held, and takes no
// other while the process starts.
func (z *zone) start() error {
	if z.status().child != nil {
		return nil
	}
	config, err := z.writeConfig()
	if err != nil {
		return diskError(z.dir(), err)
	}
	if !z.life.beginStart() {
		return errStopping
	}
	defer z.life.starting.Done()
	known := make(chan struct{}) // closed when the zone has its process, of which the first report may come before
	defer close(known)
	child, err := process.Start(process.Spec{
		Name: z.name, Path: z.site.options.Executable, Args: []string{"internal", "zone", config},
		// An agent mostly waits and passes on: with more processors, Go's scheduler wakes a second thread for every
		// packet to look for more work, and on an idle region that is most of what it costs. (etcd is another matter:
		// with one, all of it waits for each fsync.)
		Env: []string{"GOGC=50", "GOMAXPROCS=1"}, Log: filepath.Join(z.dir(), "logs", "az.log"), Leader: true,
		OnReport: func(line json.RawMessage) { <-known; z.reported(line) },
	})
	if err != nil {
		return fmt.Errorf("zone %s: %w", z.name, diskError(z.dir(), err))
	}
	z.mu.Lock()
	z.is, z.expected = zoneStatus{child: child}, false
	z.notify()
	z.mu.Unlock()
	z.site.emit(api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneStarted,
		Message: fmt.Sprintf("zone %s started (pid %d)", z.name, child.PID())})
	z.life.wait.Go(func() { z.await(child) })
	return nil
}

// writeConfig makes what the agent reads, and its directories.
func (z *zone) writeConfig() (string, error) {
	for _, dir := range []string{filepath.Join(z.dir(), "logs"), z.runDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	s := z.site
	marker := s.dir.marker
	number, pairs := z.supervisor.links.atStart(z)
	diskNumber, disk := z.supervisor.disks.atStart(z)
	config := plan.Zone{
		Region: s.options.Region, AccountID: marker.AccountID, Zone: z.name, Dir: z.dir(), Executable: s.options.Executable,
		AWSPort: marker.Port, GatewayPort: marker.PortBase + gatewayOffset + z.index, GatewaySecret: rand.Text(),
		PKI: filepath.Join(z.dir(), "pki"), ClusterPorts: marker.PortBase + clusterOffset, MostClusters: mostClusters,
		Agent: s.options.Agent, OwnPorts: s.ownPorts(), Links: link.Settings{Number: number, Links: pairs},
		Disk: diskfault.Settings{Number: diskNumber, Disk: disk},
	}
	for i := range zoneLetters {
		config.Peers = append(config.Peers, plan.Peer{Zone: s.zoneName(i), ID: s.zoneID(i),
			RaftPort: marker.PortBase + raftOffset + i,
			RunDir:   s.zoneRunDir(i)})
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(z.dir(), "agent.json")
	return file, pki.Write(file, text)
}

// await notes the end of the agent, whoever brought it about, and takes the rest of its group along.
func (z *zone) await(child *process.Child) {
	identity, _ := process.Identify(child.PID())
	<-child.Done()
	if identity.PID != 0 {
		identity.KillGroup(0) // first: what others are told to be gone must not act beside them
	}
	z.supervisor.zoneEnds(z)
	if identity.PID != 0 {
		identity.KillGroup(5 * time.Second)
	}
	z.mu.Lock()
	expected := z.expected
	z.is.child, z.is.agent, z.is.paused = nil, az.State{}, false
	if !expected {
		z.is.down, z.is.reason, z.is.since = api.StateKilled, child.Err().Error(), time.Now()
	}
	z.notify()
	z.mu.Unlock()
	z.supervisor.zoneLost(z, expected, child.Err())
}

// notify wakes who waits for a change; it assumes the lock.
func (z *zone) notify() {
	close(z.changed)
	z.changed = make(chan struct{})
}

// freeze pauses or resumes the whole group.
func (z *zone) freeze(paused bool) error {
	z.mu.Lock()
	child := z.is.child
	z.mu.Unlock()
	if child == nil {
		if paused {
			return fmt.Errorf("zone %s does not run, so it cannot be paused: start it with 'tripod start %s'", z.name,
				z.target())
		}
		return nil
	}
	if !paused {
		z.endDeposed()
	}
	signal := syscall.SIGCONT
	if paused {
		signal = syscall.SIGSTOP
	}
	if err := child.Signal(signal); err != nil {
		return err
	}
	process.AwaitPaused(child, paused)
	z.supervisor.observePause(z)
	return nil
}

// endDeposed ends the controllers of a zone that was paused before it goes on. The other zones were told of the pause, and act in their
// place: until they noticed, both would. The zone's agent starts others.
func (z *zone) endDeposed() {
	z.mu.Lock()
	child, deposed, instances := z.is.child, z.is.deposed, z.is.agent.Instances
	z.is.deposed = false
	z.mu.Unlock()
	if child == nil || !deposed {
		return
	}
	for _, i := range instances {
		if i.Component != "controllers" || i.PID == 0 {
			continue
		}
		if group, err := syscall.Getpgid(i.PID); err == nil && group == child.PID() {
			syscall.Kill(i.PID, syscall.SIGKILL)
		}
	}
}

// kill ends the zone without a goodbye; it stays down.
func (z *zone) kill() {
	z.takeDown(api.StateKilled, "killed by 'tripod kill'", func(child *process.Child) error { child.Kill(); return nil })
}

// stop ends the zone in order; it stays down.
func (z *zone) stop(ctx context.Context) error {
	return z.takeDown(api.StateStopped, "stopped by 'tripod stop'",
		func(child *process.Child) error { return child.Stop(ctx) })
}

func (z *zone) takeDown(state, reason string, how func(*process.Child) error) error {
	z.mu.Lock()
	child := z.is.child
	if child == nil && z.is.down == state {
		z.mu.Unlock()
		return nil
	}
	z.expected, z.is.down, z.is.reason, z.is.since = true, state, reason, time.Now()
	z.notify()
	z.mu.Unlock()
	if child == nil {
		return nil
	}
	err := how(child)
	z.awaitGone(child)
	return err
}

// awaitGone returns when await has noted the end of the child.
func (z *zone) awaitGone(child *process.Child) {
	for {
		z.mu.Lock()
		gone, changed := z.is.child != child, z.changed
		z.mu.Unlock()
		if gone {
			return
		}
		<-changed
	}
}

// bringUp starts a zone that is down, resumes one that is paused, and returns when its agent serves.
func (z *zone) bringUp(ctx context.Context) error {
	if err := z.freeze(false); err != nil {
		return err
	}
	if err := z.start(); err != nil {
		return err
	}
	if err := z.supervisor.rememberAgents(); err != nil {
		return err
	}
	for {
		z.mu.Lock()
		child, serving, down, reason, changed := z.is.child, z.is.agent.Serving, z.is.down, z.is.reason, z.changed
		z.mu.Unlock()
		if serving {
			return nil
		}
		if down != "" {
			return fmt.Errorf("zone %s did not start: %s", z.name, reason)
		}
		if child == nil {
			return errStopping // only the region's own stop ends a zone without marking it down
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("zone %s did not start in time: see 'tripod logs %s'", z.name, z.target())
		}
	}
}

// quiesceTimeout leaves etcd time to end in order when something before it does not.
const quiesceTimeout = 12 * time.Second

// quiesce ends what needs a quorum, before any zone's etcd is stopped. A zone that cannot take the order has nothing to
// end in order.
func (z *zone) quiesce(ctx context.Context) error {
	if err := z.freeze(false); err != nil || z.reachable() != nil {
		return err
	}
	z.mu.Lock()
	z.expected = true
	z.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, quiesceTimeout)
	defer cancel()
	if err := z.agent().Quiesce(ctx); err != nil {
		z.site.logger.Warn("quiesce", "az", z.name, "error", err)
	}
	return nil
}

// end is stop when the whole region stops.
func (z *zone) end(ctx context.Context) error {
	z.mu.Lock()
	child := z.is.child
	z.expected = true
	z.mu.Unlock()
	if child == nil {
		return nil
	}
	return child.Stop(ctx)
}

func (z *zone) killNow() {
	z.mu.Lock()
	child := z.is.child
	z.expected = true
	z.mu.Unlock()
	if child != nil {
		child.Signal(syscall.SIGKILL)
	}
}
