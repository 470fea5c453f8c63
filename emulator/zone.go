package emulator

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
	"tripod/internal/loss"
	"tripod/internal/pki"
	"tripod/internal/process"
)

// zoneLetters tell the zones of a region apart, as AWS names them.
var zoneLetters = [...]string{"a", "b", "c"}

func (e *Emulator) zoneName(i int) string { return e.options.Region + zoneLetters[i] }

// directions are how AWS shortens the middle of a region's name in the ids of its zones; other words by their first letter.
var directions = map[string]string{"northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw"}

// zoneID is AWS's name of the physical zone: use1-az1 for the first of us-east-1, apse2-az1 of ap-southeast-2.
func (e *Emulator) zoneID(i int) string {
	var area, direction, number string
	parts := splitRegion(e.options.Region)
	area, number = parts[0], parts[len(parts)-1]
	for _, word := range parts[1 : len(parts)-1] {
		short, ok := directions[word]
		if !ok {
			short = word[:1]
		}
		direction += short
	}
	return fmt.Sprintf("%s%s%s-az%d", area, direction, number, i+1)
}

// zone is the life of one availability zone as the region sees it: a process group that can die.
type zone struct {
	e      *Emulator
	index  int
	name   string // us-east-1a
	dir    string // its disk
	runDir string // its sockets

	verbs   sync.Mutex // one verb at a time: held while one takes effect
	telling sync.Mutex // held while its gateway is told, so that the newest comes last

	mu         sync.Mutex
	child      *process.Child
	state      az.State
	changed    chan struct{} // closed and made anew at every change
	paused     bool
	down       string // StateKilled or StateStopped while it does not run by decision or by death
	reason     string
	faultSince time.Time
	expected   bool               // the process was told to end
	crashes    map[string]crashes // by cluster and target
}

func newZone(e *Emulator, index int) *zone {
	name := e.zoneName(index)
	return &zone{e: e, index: index, name: name, dir: e.dir.file("zones", name), runDir: filepath.Join(e.runDir, plan.Letter(name)),
		changed: make(chan struct{}), crashes: map[string]crashes{}}
}

func (z *zone) target() string { return "az/" + z.name }

// start runs the zone's agent. It returns once the process exists.
func (z *zone) start() error {
	config, err := z.writeConfig()
	if err != nil {
		return diskError(z.dir, err)
	}
	z.e.mu.Lock() // a stop that begins now finds this zone, or this finds the stop
	defer z.e.mu.Unlock()
	if z.e.stopping {
		return errStopping
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.child != nil {
		return nil
	}
	child, err := process.Start(process.Spec{
		Name: z.name, Path: z.e.options.Executable, Args: []string{"internal", "zone", config},
		// An agent mostly waits and passes on: with more processors, Go's scheduler wakes a second thread for every packet to look for
		// more work, and on an idle region that is most of what it costs. (etcd is another matter: with one, all of it waits for each fsync.)
		Env: []string{"GOGC=50", "GOMAXPROCS=1"}, Log: filepath.Join(z.dir, "logs", "az.log"), Leader: true, OnReport: z.reported,
	})
	if err != nil {
		return fmt.Errorf("zone %s: %w", z.name, diskError(z.dir, err))
	}
	z.child, z.state, z.paused, z.expected, z.down, z.reason = child, az.State{}, false, false, "", ""
	z.notify()
	z.e.wait.Go(func() { z.await(child) })
	go z.e.emit(api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneStarted, Message: fmt.Sprintf("zone %s started (pid %d)", z.name, child.PID())})
	return nil
}

// writeConfig makes what the agent reads, and its directories.
func (z *zone) writeConfig() (string, error) {
	for _, dir := range []string{filepath.Join(z.dir, "logs"), z.runDir} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
	}
	e := z.e
	config := plan.Zone{
		Region: e.options.Region, AccountID: e.dir.marker.AccountID, Zone: z.name, Dir: z.dir, Executable: e.options.Executable,
		AWSPort: e.dir.marker.Port, GatewayPort: e.dir.marker.PortBase + gatewayOffset + z.index, GatewaySecret: rand.Text(),
		PKI: filepath.Join(z.dir, "pki"), ClusterPorts: e.dir.marker.PortBase + clusterOffset, MostClusters: mostClusters,
		Agent: e.options.Agent, OwnPorts: e.ownPorts(),
	}
	for i := range zoneLetters {
		config.Peers = append(config.Peers, plan.Peer{Zone: e.zoneName(i), ID: e.zoneID(i), RaftPort: e.dir.marker.PortBase + raftOffset + i,
			RunDir: filepath.Join(e.runDir, zoneLetters[i])})
	}
	text, err := json.MarshalIndent(config, "", "  ")
	if err != nil {
		return "", err
	}
	file := filepath.Join(z.dir, "agent.json")
	return file, pki.Write(file, text)
}

// await notes the end of the agent, whoever brought it about, and takes the rest of its group along.
func (z *zone) await(child *process.Child) {
	identity, _ := process.Identify(child.PID())
	<-child.Done()
	z.e.Wake("zone " + z.name + " ended")
	z.e.tellLoss(loss.Loss{Zone: z.name, At: time.Now()})
	if identity.PID != 0 {
		identity.KillGroup(5 * time.Second)
	}
	z.mu.Lock()
	expected := z.expected
	z.child, z.state, z.paused = nil, az.State{}, false
	if !expected {
		z.down, z.reason, z.faultSince = api.StateKilled, child.Err().Error(), time.Now()
	}
	z.notify()
	z.mu.Unlock()
	z.e.zoneLost(z, expected, child.Err())
}

// notify wakes who waits for a change; it assumes the lock.
func (z *zone) notify() {
	close(z.changed)
	z.changed = make(chan struct{})
}

func (z *zone) reported(line json.RawMessage) {
	var report az.Report
	if err := json.Unmarshal(line, &report); err != nil {
		z.e.logger.Warn("unreadable report", "az", z.name, "error", err)
		return
	}
	if report.Loss != nil {
		z.e.tellLoss(*report.Loss) // first: others wait for what is gone
	}
	if report.State != nil {
		z.take(*report.State)
	}
	if report.Event != nil {
		z.e.emit(*report.Event)
		z.countCrash(*report.Event)
	}
}

// take keeps a state of the agent's, unless a newer one is known.
func (z *zone) take(state az.State) {
	z.mu.Lock()
	if z.child == nil || state.Seq <= z.state.Seq {
		z.mu.Unlock()
		return
	}
	first := state.Serving && !z.state.Serving // a new agent's gateway knows of nothing
	z.state = state
	z.notify()
	z.mu.Unlock()
	z.e.zoneChanged(z)
	if first {
		z.e.wait.Go(func() { z.e.tellGateway(z) })
	}
}

// hopeless is how often in a row an instance may die young during a start before that is given up. A crash or two may be the fault of a neighbour
// that is not there yet. What lives longer than young before it gives up has waited for something, on a machine that is slow.
const (
	hopeless = 4
	young    = 10 * time.Second
)

// countCrash gives a start up when an instance can never come.
func (z *zone) countCrash(event api.Event) {
	instance := event.Cluster + " " + event.Target
	z.mu.Lock()
	crashes := z.crashes[instance]
	switch event.Type {
	case api.InstanceStarted:
		crashes.started = event.Time
	case api.InstanceReady:
		crashes.count = 0
	case api.InstanceExited:
		if event.Time.Sub(crashes.started) < young {
			crashes.count++
		}
	}
	z.crashes[instance] = crashes
	z.mu.Unlock()
	if event.Type == api.InstanceExited && crashes.count >= hopeless || event.Type == api.ClusterFailed {
		z.e.fail(fmt.Errorf("%s: see 'tripod logs %s'", event.Message, orElse(event.Target, z.target())))
	}
}

// crashes are an instance's during a start: those in a row, and when it was started last.
type crashes struct {
	started time.Time
	count   int
}

func orElse(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// observePause looks whether somebody stopped the agent by a signal. While all zones are frozen it does not.
func (z *zone) observePause() {
	if !z.e.still.TryRLock() {
		return
	}
	defer z.e.still.RUnlock()
	z.mu.Lock()
	child := z.child
	z.mu.Unlock()
	if child == nil {
		return
	}
	paused := process.Paused(child.PID())
	z.mu.Lock()
	if z.child != child || z.paused == paused { // another looked at the same time
		z.mu.Unlock()
		return
	}
	z.paused = paused
	if paused {
		z.faultSince = time.Now()
	}
	z.notify()
	z.mu.Unlock()
	z.e.zonePaused(z, paused)
}

// freeze pauses or resumes the whole group.
func (z *zone) freeze(paused bool) error {
	z.mu.Lock()
	child := z.child
	z.mu.Unlock()
	if child == nil {
		if paused {
			return fmt.Errorf("zone %s does not run, so it cannot be paused: start it with 'tripod start %s'", z.name, z.target())
		}
		return nil
	}
	signal := syscall.SIGCONT
	if paused {
		signal = syscall.SIGSTOP
	}
	if err := child.Signal(signal); err != nil {
		return err
	}
	process.AwaitPaused(child, paused)
	z.observePause()
	return nil
}

// kill ends the zone without a goodbye; it stays down.
func (z *zone) kill() {
	z.takeDown(api.StateKilled, "killed by 'tripod kill'", func(child *process.Child) error { child.Kill(); return nil })
}

// stop ends the zone in order; it stays down.
func (z *zone) stop(ctx context.Context) error {
	return z.takeDown(api.StateStopped, "stopped by 'tripod stop'", func(child *process.Child) error { return child.Stop(ctx) })
}

func (z *zone) takeDown(state, reason string, how func(*process.Child) error) error {
	z.mu.Lock()
	child := z.child
	if child == nil && z.down == state {
		z.mu.Unlock()
		return nil
	}
	z.expected, z.down, z.reason, z.faultSince = true, state, reason, time.Now()
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
		gone, changed := z.child != child, z.changed
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
	if err := z.e.rememberAgents(); err != nil {
		return err
	}
	for {
		z.mu.Lock()
		child, serving, down, reason, changed := z.child, z.state.Serving, z.down, z.reason, z.changed
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

// quiesce ends what needs a quorum, before any zone's etcd is stopped. A zone that cannot take the order has nothing to end in order.
func (z *zone) quiesce(ctx context.Context) error {
	if err := z.freeze(false); err != nil || z.reachable() != nil {
		return err
	}
	z.mu.Lock()
	z.expected = true
	z.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, quiesceTimeout)
	defer cancel()
	if err := az.Call(ctx, z.runDir, "POST", "/v1/quiesce", nil, nil); err != nil {
		z.e.logger.Warn("quiesce", "az", z.name, "error", err)
	}
	return nil
}

// end is stop when the whole region stops.
func (z *zone) end(ctx context.Context) error {
	z.mu.Lock()
	child := z.child
	z.expected = true
	z.mu.Unlock()
	if child == nil {
		return nil
	}
	return child.Stop(ctx)
}

func (z *zone) killNow() {
	z.mu.Lock()
	child := z.child
	z.expected = true
	z.mu.Unlock()
	if child != nil {
		child.Signal(syscall.SIGKILL)
	}
}

// snapshot is what others may know.
func (z *zone) snapshot() (state az.State, child *process.Child, paused bool, down, reason string, since time.Time) {
	z.mu.Lock()
	defer z.mu.Unlock()
	s := z.state
	s.Instances = slices.Clone(s.Instances)
	return s, z.child, z.paused, z.down, z.reason, z.faultSince
}

// reachable says whether the zone's agent can take orders, and otherwise why not.
func (z *zone) reachable() error {
	_, child, paused, down, _, _ := z.snapshot()
	switch {
	case child == nil && down != "":
		return fmt.Errorf("zone %s is %s: start it with 'tripod start %s'", z.name, down, z.target())
	case child == nil:
		return fmt.Errorf("zone %s does not run: start it with 'tripod start %s'", z.name, z.target())
	case paused:
		return fmt.Errorf("zone %s is paused: resume it with 'tripod resume %s'", z.name, z.target())
	}
	return nil
}

var errStopping = errors.New("the region is stopping: start it again with 'tripod up'")
