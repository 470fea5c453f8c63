package emulator

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/az"
	"tripod/az/plan"
)

// verbTimeout bounds a verb: the slowest is the start of a zone on a loaded machine.
const verbTimeout = 60 * time.Second

// Verbs that a target takes.
var verbs = []string{"kill", "pause", "resume", "stop", "start", "reset"}

// refusal is an order that cannot be followed as it was given.
type refusal struct{ sentence string }

func (r refusal) Error() string { return r.sentence }

func refuse(format string, args ...any) error { return refusal{fmt.Sprintf(format, args...)} }

// Do applies a verb to a target and returns when the effect is there.
func (e *Emulator) Do(ctx context.Context, kind, name, verb, cluster string) error {
	if kind == api.KindUpdate {
		return e.faultUpdate(ctx, name, verb)
	}
	if !slices.Contains(verbs, verb) {
		return refuse("there is no verb %q: use %s", verb, strings.Join(verbs, ", "))
	}
	if !slices.Contains(api.TargetKinds, kind) {
		return refuse("there is no target type %q: use %s", kind, strings.Join(api.TargetKinds, ", "))
	}
	z := e.zoneNamed(name)
	if z == nil {
		return refuse("there is no zone %q in %s: its zones are %s", name, e.options.Region, strings.Join(zoneLetters[:], ", "))
	}
	if cluster != "" {
		if _, found := e.clusterNamed(cluster); !found {
			return refuse("there is no cluster %q: 'tripod status' lists them", cluster)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	z.verbs.Lock()
	defer z.verbs.Unlock()
	before := len(e.status().Faults)
	err := e.apply(ctx, z, kind, verb, cluster)
	if err != nil {
		return err
	}
	e.evaluate()
	target := kind + "/" + plan.Letter(z.name)
	if verb == "kill" || verb == "pause" || verb == "stop" {
		e.emit(api.Event{Zone: z.name, Cluster: cluster, Target: target, Type: api.FaultInjected, Message: verb + " " + target + " took effect"})
	} else if before > 0 {
		e.emit(api.Event{Zone: z.name, Cluster: cluster, Target: target, Type: api.FaultCleared, Message: verb + " " + target + " took effect"})
	}
	return nil
}

func (e *Emulator) zoneNamed(name string) *zone {
	for _, z := range e.zones {
		if name == z.name || name == plan.Letter(z.name) {
			return z
		}
	}
	return nil
}

// apply assumes that the zone's verbs lock is held.
func (e *Emulator) apply(ctx context.Context, z *zone, kind, verb, cluster string) error {
	if kind != api.KindZone {
		return e.order(ctx, z, kind, verb, cluster)
	}
	switch verb {
	case "kill":
		z.kill()
		return nil
	case "stop":
		return z.stop(ctx)
	case "pause":
		return z.freeze(true)
	case "resume":
		return z.freeze(false)
	case "start":
		return z.bringUp(ctx)
	default:
		_, child, _, _, _, _ := z.snapshot()
		if err := z.bringUp(ctx); err != nil || child == nil {
			return err // the instances of a zone that just started are well, and may not be there yet
		}
		return e.resetInstances(ctx, z)
	}
}

// order passes a verb on to the zone's agent, for the instance of one cluster or of all.
func (e *Emulator) order(ctx context.Context, z *zone, component, verb, cluster string) error {
	if err := z.reachable(); err != nil {
		return err
	}
	names := []string{cluster}
	if cluster == "" {
		names = nil
		for _, c := range e.sortedClusters() {
			names = append(names, c.state.Name)
		}
	}
	if len(names) == 0 {
		return refuse("the region has no cluster, and so no %s", component)
	}
	for _, name := range names {
		var state az.State
		if err := az.Call(ctx, z.runDir, "POST", fmt.Sprintf("/v1/instances/%s/%s?cluster=%s", component, verb, name), nil, &state); err != nil {
			return err
		}
		z.take(state)
	}
	return nil
}

func (e *Emulator) resetInstances(ctx context.Context, z *zone) error {
	for _, component := range api.TargetKinds {
		if component == api.KindZone || len(e.sortedClusters()) == 0 {
			continue
		}
		if err := e.order(ctx, z, component, "reset", ""); err != nil {
			return err
		}
	}
	return nil
}

// Reset makes everything healthy again and returns when it is.
func (e *Emulator) Reset(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	for _, z := range e.zones {
		if err := e.Do(ctx, api.KindZone, z.name, "reset", ""); err != nil {
			return err
		}
	}
	for _, c := range e.sortedClusters() {
		if c.state.FaultedAt == nil {
			continue
		}
		if err := e.faultUpdate(ctx, c.state.Name, "reset"); err != nil {
			return err
		}
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for {
		if _, phase := e.judge(); phase == api.PhaseReady {
			return nil
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			return refuse("the region is not healthy yet: 'tripod status' says what is missing")
		}
	}
}
