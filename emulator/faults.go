package emulator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"tripod/api"
	"tripod/az/plan"
)

// verbTimeout bounds a verb: the slowest is the start of a zone on a loaded machine.
const verbTimeout = 60 * time.Second

// repairTimeout bounds a verb that may replace an etcd member, which copies all that the others have.
const repairTimeout = 5 * time.Minute

// effects are what the verbs of api.Verbs do to a zone; the zone's verbs lock is held. What they do to an instance, the
// zone's agent does (az, handleVerb).
var effects = map[string]func(context.Context, *faults, *zone) error{
	"kill":    func(_ context.Context, _ *faults, z *zone) error { z.kill(); return nil },
	"pause":   func(_ context.Context, _ *faults, z *zone) error { return z.freeze(true) },
	"resume":  func(_ context.Context, _ *faults, z *zone) error { return z.freeze(false) },
	"stop":    func(ctx context.Context, _ *faults, z *zone) error { return z.stop(ctx) },
	"start":   func(ctx context.Context, _ *faults, z *zone) error { return z.bringUp(ctx) },
	api.Reset: func(ctx context.Context, f *faults, z *zone) error { return f.resetZone(ctx, z) },
}

// faults is what people do to the region: break it, and mend it.
type faults struct {
	*site
	zones      zones
	links      *links
	disks      *disks
	endpoints  *endpoints
	observer   *observer
	supervisor *supervisor
	spans      *spans
}

// refusal is an order that cannot be followed as it was given.
type refusal struct {
	sentence string
	cause    error // may be nil
}

func (r refusal) Error() string { return r.sentence }
func (r refusal) Unwrap() error { return r.cause }

func refuse(format string, args ...any) error { return refusal{sentence: fmt.Sprintf(format, args...)} }

// Do gives an order to a target and returns when the effect is there.
func (f *faults) Do(ctx context.Context, order api.Order) error {
	return f.follow(ctx, order, nil, "")
}

// errNoCluster is in the refusal of an order that names a cluster that is not there.
var errNoCluster = errors.New("'tripod status' lists them")

// follow is Do, of which why stands behind the event. One that ends a fault whose time has come is asked whether it is still wanted when
// its turn comes; nil: somebody has given the order.
func (f *faults) follow(ctx context.Context, order api.Order, wanted func() bool, why string) error {
	verb, z, err := f.check(order)
	if err != nil {
		return err
	}
	timeout := verbTimeout
	if verb.Name == api.Reset {
		timeout = repairTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	z.verbs.Lock()
	defer z.verbs.Unlock()
	if wanted != nil && !wanted() {
		return nil
	}
	if order.Target.Kind != api.KindZone {
		if err := z.reachable(); err != nil {
			return err
		}
	}
	before := len(f.observer.status().Faults)
	at := api.Target{Kind: order.Target.Kind, Name: plan.Letter(z.name)}
	if order.For > 0 {
		why = " for " + order.For.String()
	}
	if wanted == nil {
		f.span(at, order, verb)
	}
	if order.Target.Kind == api.KindZone {
		err = effects[verb.Name](ctx, f, z)
	} else {
		err = f.orderInstances(ctx, z, order)
	}
	if err == nil && verb.Name == api.Reset && order.Target.Kind != api.KindZone {
		err = f.resetInstanceRecords(ctx, order)
	}
	if err != nil {
		return err
	}
	f.supervisor.evaluate()
	target := at.String()
	event := api.Event{Zone: z.name, Cluster: order.Cluster, Target: target, Message: verb.Name + " " + target +
		" took effect" + why}
	switch {
	case verb.Fault != "":
		event.Type = api.FaultInjected
	case before > 0:
		event.Type = api.FaultCleared
	default:
		return nil // there was nothing to mend
	}
	f.emit(event)
	return nil
}

// span has an order's fault end when its time has come, and lets those last that the order is in the place of. It comes before the
// effect: of an order that fails half-way something may be in force, and to take back what is not does nothing.
func (f *faults) span(at api.Target, order api.Order, verb api.Verb) {
	f.spans.forget(at, order.Cluster)
	if order.For <= 0 {
		return
	}
	clusters := []string{order.Cluster}
	if at.Kind != api.KindZone {
		clusters = f.clustersOf(order)
	}
	for _, cluster := range clusters {
		f.spans.add(api.Order{Target: at, Verb: verb.Lift, Cluster: cluster}, verb.Fault, order.For)
	}
}

// clustersOf are the names of the clusters that an order to instances means.
func (f *faults) clustersOf(order api.Order) (names []string) {
	if order.Cluster != "" {
		return []string{order.Cluster}
	}
	for _, c := range f.endpoints.sorted() {
		names = append(names, c.state.Name)
	}
	return names
}

// check finds the verb and the zone of an order, and refuses one that names what is not there.
func (f *faults) check(order api.Order) (api.Verb, *zone, error) {
	verb, found := api.FindVerb(order.Verb)
	if !found {
		return verb, nil, refuse("there is no verb %q: use %s", order.Verb, strings.Join(api.VerbNames(), ", "))
	}
	if !slices.Contains(api.TargetKinds, order.Target.Kind) {
		return verb, nil, refuse("there is no target type %q: use %s", order.Target.Kind, strings.Join(api.TargetKinds, ", "))
	}
	if err := verb.CheckSpan(order.Target.Kind, order.For); err != nil {
		return verb, nil, refuse("%v", err)
	}
	z := f.zones.named(order.Target.Name)
	if z == nil {
		return verb, nil, f.noZone(order.Target.Name)
	}
	if order.Cluster != "" {
		if _, found := f.endpoints.named(order.Cluster); !found {
			return verb, nil, refusal{sentence: fmt.Sprintf("there is no cluster %q: %v", order.Cluster, errNoCluster), cause: errNoCluster}
		}
	}
	return verb, z, nil
}

func (f *faults) resetZone(ctx context.Context, z *zone) error {
	fresh := z.status().child == nil
	if err := z.bringUp(ctx); err != nil || fresh {
		return err // the instances of a zone that just started are well, and may not be there yet
	}
	for _, component := range api.TargetKinds {
		if component == api.KindZone || len(f.endpoints.sorted()) == 0 {
			continue
		}
		order := api.Order{Target: api.Target{Kind: component, Name: z.name}, Verb: api.Reset}
		if err := f.orderInstances(ctx, z, order); err != nil {
			return err
		}
	}
	return nil
}

// orderInstances passes an order on to the zone's agent, for the instance of one cluster or of all.
func (f *faults) orderInstances(ctx context.Context, z *zone, order api.Order) error {
	if err := z.reachable(); err != nil {
		return err
	}
	component, names := order.Target.Kind, f.clustersOf(order)
	if len(names) == 0 {
		return refuse("the region has no cluster, and so no %s", component)
	}
	for _, name := range names {
		state, err := z.agent().Instance(ctx, component, name, order.Verb)
		if err != nil {
			return err
		}
		z.take(state)
	}
	return nil
}

// Reset makes everything healthy again and returns when it is.
func (f *faults) Reset(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, repairTimeout)
	defer cancel()
	if err := errors.Join(f.links.clear(ctx), f.disks.clear(ctx)); err != nil {
		f.logger.Warn("heal links and disks", "error", err) // a zone may not answer that is mended now, and is told then
	}
	for _, z := range f.zones {
		if err := f.Do(ctx, api.Order{Target: api.Target{Kind: api.KindZone, Name: z.name}, Verb: api.Reset}); err != nil {
			return err
		}
	}
	if err := f.resetRecords(ctx, api.RecordFault.InZone); err != nil {
		return err // the region cannot become healthy before
	}
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	calm := errors.New("nobody was asked")
	for {
		if calm != nil { // as soon as there is quorum: what meets calls of AWS's APIs can keep the region from being ready
			if err := f.stopExperiments(ctx); ctx.Err() == nil {
				calm = err
			}
		}
		if _, phase := f.observer.judge(); phase == api.PhaseReady && calm == nil {
			return errors.Join(f.links.tell(ctx), f.disks.tell(ctx), f.resetRecords(ctx, outOfZones)) // now that all API servers answer
		}
		select {
		case <-poll.C:
		case <-ctx.Done():
			if calm != nil {
				return refuse("experiments or faults of AWS's APIs do not end: %v", calm)
			}
			return refuse("the region is not healthy yet: 'tripod status' says what is missing")
		}
	}
}

// stopExperiments ends what would break the region anew, and the faults of calls of AWS's APIs.
func (f *faults) stopExperiments(ctx context.Context) error {
	err := f.zones.first(errNoZone, func(z *zone) error { return z.agent().StopExperiments(ctx) })
	if err != nil {
		return err
	}
	return f.resetRecords(ctx, func(kind api.RecordFault) bool { return kind.Kind == api.KindAWS })
}
