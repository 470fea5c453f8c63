package emulator

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tripod/api"
	"tripod/internal/loss"
)

// supervisor draws the conclusions of what happens to the zones. It computes everything anew from what is known now,
// and so has hardly a state.
type supervisor struct {
	*site
	life      *life
	zones     zones
	links     *links
	disks     *disks
	endpoints *endpoints
	fronts    *fronts
	observer  *observer
	sleeper   *sleeper
	freezer   *freezer

	unreachable names // as last told to the gateways

	judging sync.Mutex // held while conclusions are drawn, so that an older one never overtakes a newer
	quorum  bool       // as last announced

	isolation isolation
}

// rememberAgents writes down which processes are the zones', for the sweep of a later start.
func (v *supervisor) rememberAgents() error { return v.dir.writeAgents(v.zones.identities()) }

// zoneEnds is told at once when a zone's agent ends.
func (v *supervisor) zoneEnds(z *zone) {
	v.sleeper.Wake("zone " + z.name + " ended")
	v.tellLoss(loss.Loss{Zone: z.name, At: time.Now()})
}

// zoneLost is told when nothing of a zone runs any more.
func (v *supervisor) zoneLost(z *zone, expected bool, err error) {
	for _, balancer := range v.endpoints.balancers() {
		balancer.MarkDown(z.name, "the zone is down")
	}
	if v.life.isStopping() {
		return
	}
	message := fmt.Sprintf("zone %s is %s", z.name, z.status().down)
	if !expected {
		message = fmt.Sprintf("zone %s is lost: %v", z.name, err)
		v.life.fail(v.options.DataDir, err)
	}
	v.emit(api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneLost, Message: message})
	v.evaluate()
	if !expected && v.options.Heal && v.life.isUp() {
		v.life.wait.Go(func() { v.heal(z) })
	}
}

func (v *supervisor) heal(z *zone) {
	z.verbs.Lock()
	defer z.verbs.Unlock()
	is := z.status()
	if is.child != nil || is.down != api.StateKilled {
		return // somebody decided otherwise meanwhile
	}
	time.Sleep(time.Second - time.Since(is.since)) // a zone that dies at once must not burn the processor
	ctx, cancel := context.WithTimeout(context.Background(), verbTimeout)
	defer cancel()
	if err := z.bringUp(ctx); err != nil {
		v.emit(api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneFailed, Message: err.Error()})
	}
}

func (v *supervisor) zonePaused(z *zone, paused bool) {
	event := api.Event{Zone: z.name, Target: z.target(), Type: api.ZoneResumed, Message: "zone " + z.name + " runs again"}
	if paused {
		v.tellLoss(loss.Loss{Zone: z.name, At: time.Now(), Paused: true})
		event.Type, event.Message = api.ZonePaused, "zone "+z.name+" is paused: it accepts connections and answers nobody"
	}
	for _, balancer := range v.endpoints.balancers() {
		if paused {
			balancer.MarkDown(z.name, "the zone is paused")
		} else {
			balancer.Probe(z.name)
		}
	}
	v.emit(event)
	v.evaluate()
}

// zoneChanged is told of every report of a zone's state.
func (v *supervisor) zoneChanged(z *zone) {
	state := z.status().agent
	v.endpoints.update(state.Index, state.Clusters, state.Faults)
	if state.Serving { // else its copy may not have been read yet
		v.fronts.update(state.Index, state.LoadBalancers)
	}
	if state.Serving {
		v.endpoints.aws.Probe(z.name)
	}
	for _, instance := range state.Instances {
		c, _ := v.endpoints.named(instance.Cluster)
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
	v.evaluate()
}

// evaluate draws the conclusions of a change: what the gateways must know, whether quorum is there, whether the start
// is over.
func (v *supervisor) evaluate() {
	v.judging.Lock()
	defer v.judging.Unlock()
	v.tellGateways()
	v.links.nudge()
	v.disks.nudge()
	v.noteStages()
	v.holdIsolated()
	quorum, phase := v.observer.judge()
	lost, restored := v.quorum && !quorum, !v.quorum && quorum
	v.quorum = quorum
	if phase == api.PhaseReady && !v.life.isUp() {
		v.life.setUp()
		v.links.nudge()
		v.disks.nudge()
	}
	if !v.life.isUp() || v.life.isStopping() {
		return
	}
	switch {
	case lost:
		v.emit(api.Event{Type: api.QuorumLost, Message: "quorum is lost: reads may answer, writes do not until two zones " +
			"run"})
	case restored:
		v.emit(api.Event{Type: api.QuorumRestored, Message: "quorum is restored"})
	}
}
