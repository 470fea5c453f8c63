package emulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/internal/process"
)

// zoneStatus is what is known of a zone at one moment.
type zoneStatus struct {
	agent  az.State       // as its agent told last
	child  *process.Child // nil while it does not run
	paused bool
	// deposed is since the others were told of a pause, until what led in the zone has ended.
	deposed bool
	down    string // api.StateKilled or StateStopped while it does not run by decision or by death
	reason  string
	since   time.Time // of the fault
	// leaderless is since when its voter hears of no leader; zero: it hears of one.
	leaderless time.Time
}

// status is what others may know.
func (z *zone) status() zoneStatus {
	z.mu.Lock()
	defer z.mu.Unlock()
	is := z.is
	is.agent.Instances = slices.Clone(is.agent.Instances)
	return is
}

// reachable says whether the zone's agent can take orders, and otherwise why not.
func (z *zone) reachable() error {
	is := z.status()
	switch {
	case is.child == nil && is.down != "":
		return fmt.Errorf("zone %s is %s: start it with 'tripod start %s'", z.name, is.down, z.target())
	case is.child == nil:
		return fmt.Errorf("zone %s does not run: start it with 'tripod start %s'", z.name, z.target())
	case is.paused:
		return fmt.Errorf("zone %s is paused: resume it with 'tripod resume %s'", z.name, z.target())
	}
	return nil
}

// describe tells the zone's state, whom it takes for the regional state's leader, and what is done to it.
func (z *zone) describe() (view api.Zone, leader string, faults []api.Fault) {
	is := z.status()
	view = api.Zone{Name: z.name, ID: z.site.zoneID(z.index), Instances: is.agent.Instances}
	if view.Instances == nil {
		view.Instances = []api.Instance{}
	}
	if is.child != nil {
		started := is.child.StartedAt().UTC()
		view.PID, view.StartedAt = is.child.PID(), &started
	}
	switch {
	case is.child == nil && is.down != "":
		view.State, view.Reason = is.down, is.reason
	case is.paused:
		view.State, view.Reason = api.StatePaused, "stopped by SIGSTOP"
	case is.child == nil || !is.agent.Serving:
		view.State = api.StateStarting
	case is.agent.VoterDown != "":
		view.State, view.Reason = api.StateUnready, heldForDisk+": "+is.agent.VoterDown
	default:
		view.State = api.StateReady
	}
	if _, found := api.FindFault(view.State); found {
		faults = append(faults, api.Fault{Target: z.target(), Fault: view.State, Since: is.since.UTC()})
	}
	for i := range view.Instances {
		instance := &view.Instances[i]
		if is.paused {
			instance.State, instance.Reason, instance.Leads = api.StatePaused, "its zone is paused", nil
			continue
		}
		if instance.FaultSince != nil {
			faults = append(faults, api.Fault{Target: instance.Target, Cluster: instance.Cluster, Fault: instance.State,
				Since: instance.FaultSince.UTC()})
		}
	}
	return view, is.agent.RaftLeader, faults
}

func (z *zone) reported(line json.RawMessage) {
	var report az.Report
	if err := json.Unmarshal(line, &report); err != nil {
		z.site.logger.Warn("unreadable report", "az", z.name, "error", err)
		return
	}
	if report.Loss != nil {
		z.supervisor.tellLoss(*report.Loss) // first: others wait for what is gone
	}
	if report.State != nil {
		z.take(*report.State)
	}
	if report.Event != nil {
		z.site.emit(*report.Event)
		z.countCrash(*report.Event)
	}
}

// take keeps a state of the agent's, unless a newer one is known.
func (z *zone) take(state az.State) {
	z.mu.Lock()
	if z.is.child == nil || state.Seq <= z.is.agent.Seq {
		z.mu.Unlock()
		return
	}
	first := state.Serving && !z.is.agent.Serving // a new agent's gateway knows of nothing
	z.noteLeader(state)
	z.is.agent = state
	z.notify()
	z.mu.Unlock()
	z.supervisor.zoneChanged(z)
	if first {
		z.life.wait.Go(func() { z.supervisor.tellGateway(z) })
	}
}

// hopeless is how often in a row an instance may die young during a start before that is given up. A crash or two may
// be the fault of a neighbour that is not there yet. What lives longer than young before it gives up has waited for
// something, on a machine that is slow.
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
		if event.Time.Sub(crashes.started) < young && !atFault(z.supervisor.endpoints.recordFaults(), event.Target, event.Cluster) {
			crashes.count++
		}
	}
	z.crashes[instance] = crashes
	z.mu.Unlock()
	if event.Type == api.InstanceExited && crashes.count >= hopeless || event.Type == api.ClusterFailed {
		z.life.fail(z.site.options.DataDir, fmt.Errorf("%s: see 'tripod logs %s'", event.Message,
			cmp.Or(event.Target, z.target())))
	}
}

// crashes are an instance's during a start: those in a row, and when it was started last.
type crashes struct {
	started time.Time
	count   int
}
