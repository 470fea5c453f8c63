package emulator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/internal/loss"
	"tripod/internal/process"
)

func splitRegion(region string) []string { return strings.Split(region, "-") }

// rememberAgents writes down which processes are the zones', for the sweep of a later start.
func (e *Emulator) rememberAgents() error {
	agents := map[string]process.Identity{}
	for _, z := range e.zones {
		if _, child, _, _, _, _ := z.snapshot(); child != nil {
			if identity, err := process.Identify(child.PID()); err == nil {
				agents[z.name] = identity
			}
		}
	}
	return e.dir.writeAgents(agents)
}

// zoneLost is told when a zone's agent ended.
func (e *Emulator) zoneLost(z *zone, expected bool, err error) {
	for _, balancer := range e.balancers() {
		balancer.MarkDown(z.name, "the zone is down")
	}
	e.mu.Lock()
	stopping := e.stopping
	e.mu.Unlock()
	if stopping {
		return
	}
	_, _, _, down, _, _ := z.snapshot()
	message := fmt.Sprintf("zone %s is %s", z.name, down)
	if !expected {
		message = fmt.Sprintf("zone %s is lost: %v", z.name, err)
		e.fail(err)
	}
	e.emit(api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneLost, Message: message})
	e.evaluate()
	if !expected && e.options.Heal && isClosed(e.startedUp) {
		e.wait.Go(func() { e.heal(z) })
	}
}

func (e *Emulator) heal(z *zone) {
	z.verbs.Lock()
	defer z.verbs.Unlock()
	_, child, _, down, _, since := z.snapshot()
	if child != nil || down != api.StateKilled {
		return // somebody decided otherwise meanwhile
	}
	time.Sleep(time.Second - time.Since(since)) // a zone that dies at once must not burn the processor
	ctx, cancel := context.WithTimeout(context.Background(), verbTimeout)
	defer cancel()
	if err := z.bringUp(ctx); err != nil {
		e.emit(api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneFailed, Message: err.Error()})
	}
}

// watchPauses notices that somebody stopped a zone's agent by a signal, or let it go on.
func (e *Emulator) watchPauses(ctx context.Context) {
	children, end := process.ChildChanges()
	defer end()
	for {
		select {
		case <-children:
			for _, z := range e.zones {
				z.observePause()
			}
		case <-ctx.Done():
			return
		}
	}
}

func (e *Emulator) zonePaused(z *zone, paused bool) {
	event := api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneResumed, Message: "zone " + z.name + " runs again"}
	if paused {
		e.tellLoss(loss.Loss{Zone: z.name, At: time.Now()})
		event.Type, event.Message = api.ZonePaused, "zone "+z.name+" is paused: it accepts connections and answers nobody"
	}
	for _, balancer := range e.balancers() {
		if paused {
			balancer.MarkDown(z.name, "the zone is paused")
		} else {
			balancer.Probe(z.name)
		}
	}
	e.emit(event)
	e.evaluate()
}

// zoneChanged is told of every report of a zone's state.
func (e *Emulator) zoneChanged(z *zone) {
	state, _, _, _, _, _ := z.snapshot()
	e.ensureClusters(state.Index, state.Clusters)
	if state.Serving {
		e.aws.Probe(z.name)
	}
	for _, instance := range state.Instances {
		c, _ := e.clusterNamed(instance.Cluster)
		if instance.Component != "apiserver" || c.balancer == nil {
			continue
		}
		switch instance.State {
		case api.StateReady:
			c.balancer.Probe(z.name)
		case api.StateStarting:
			// its health check decides
		default:
			c.balancer.MarkDown(z.name, "the API server is "+instance.State)
		}
	}
	e.evaluate()
}

// evaluate draws the conclusions of a change: what the gateways must know, whether quorum is there, whether the start is over.
func (e *Emulator) evaluate() {
	e.judging.Lock()
	defer e.judging.Unlock()
	e.tellGateways()
	e.noteStages()
	quorum, phase := e.judge()
	e.mu.Lock()
	lost, restored := e.quorum && !quorum, !e.quorum && quorum
	e.quorum = quorum
	up := phase == api.PhaseReady && !isClosed(e.startedUp)
	if up {
		close(e.startedUp)
	}
	started := isClosed(e.startedUp) && !e.stopping
	e.mu.Unlock()
	switch {
	case lost && started:
		e.emit(api.Event{Type: api.QuorumLost, Message: "quorum is lost: reads may answer, writes do not until two zones run"})
	case restored && started:
		e.emit(api.Event{Type: api.QuorumRestored, Message: "quorum is restored"})
	}
}

// tellGateways keeps the zones' gateways from waiting for what is paused. Processes that died refuse by themselves.
func (e *Emulator) tellGateways() {
	names := []string{}
	for _, z := range e.zones {
		state, _, paused, _, _, _ := z.snapshot()
		if paused {
			names = append(names, z.name)
		}
		for _, instance := range state.Instances {
			if instance.State == api.StatePaused {
				names = append(names, instance.Target)
			}
		}
	}
	slices.Sort(names)
	e.mu.Lock()
	same := slices.Equal(names, e.unreachable) || e.stopping
	e.unreachable = names
	e.mu.Unlock()
	if same {
		return
	}
	for _, z := range e.zones {
		if z.reachable() == nil {
			e.wait.Go(func() { e.tellGateway(z) })
		}
	}
}

// tellGateway tells the newest there is, so that orders that overtake each other do no harm.
func (e *Emulator) tellGateway(z *zone) {
	z.telling.Lock()
	defer z.telling.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	e.mu.Lock()
	names := slices.Clone(e.unreachable)
	e.mu.Unlock()
	if err := az.Call(ctx, z.runDir, "POST", "/v1/unreachable", names, nil); err != nil {
		e.logger.Warn("tell gateway", "az", z.name, "error", err)
	}
}
