package emulator

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"tripod/api"
	"tripod/az"
)

// record puts a fault of api.RecordFaults in force, or by the verb reset takes back those of the target. Any zone can do
// that; it stands in the regional state, and this process keeps nothing of it.
func (f *faults) record(ctx context.Context, verb string, order api.FaultOrder) (done api.FaultDone, err error) {
	switch verb {
	case api.FaultVerb:
		err = order.Check()
	case api.Reset:
		_, err = api.ParseFaultTarget(order.Target.String())
	default:
		return done, refuse("%s takes no %s: use 'tripod %s %[1]s' and 'tripod %s %[1]s'", order.Target, verb, api.FaultVerb,
			api.Reset)
	}
	if err != nil {
		return done, refuse("%v", err)
	}
	if kind, _ := api.FindRecordFault(order.Target.Kind); kind.Region {
		return f.disks.order(ctx, verb, order)
	}
	asked, err := f.zonesFor(order)
	if err != nil {
		return done, err
	}
	ctx, cancel := context.WithTimeout(ctx, repairTimeout)
	defer cancel()
	before := f.endpoints.recordFaults()
	var refused *az.Refusal
	err = asked.first(refuse("no zone runs that could write it down: start one"), func(z *zone) error {
		answer, err := z.agent().Fault(ctx, verb, order)
		if errors.As(err, &refused) {
			return nil // the others would say the same
		}
		if err == nil {
			done = answer.Done
			z.take(answer.State)
		}
		return err
	})
	if refused != nil {
		return done, refuse("%s", refused.Sentence)
	}
	if err != nil {
		return done, err
	}
	event := api.Event{Cluster: done.Cluster, Target: done.Target, Type: api.FaultInjected,
		Message: done.Target + " " + done.Said}
	if verb == api.Reset {
		if !slices.ContainsFunc(before, func(fault api.Fault) bool { return fault.Target == done.Target }) {
			return done, nil // there was nothing to mend
		}
		event.Type, event.Message = api.FaultCleared, "the faults of "+done.Target+" are taken back"
	}
	f.emit(event)
	return done, nil
}

// zonesFor are the zones that can follow an order: all, or the one that the target is in.
func (f *faults) zonesFor(order api.FaultOrder) (zones, error) {
	if kind, _ := api.FindRecordFault(order.Target.Kind); !kind.InZone() {
		return f.zones, nil
	}
	z := f.zones.named(order.Target.Name)
	if z == nil {
		return nil, f.noZone(order.Target.Name)
	}
	if err := z.reachable(); err != nil {
		return nil, refuse("%v", err)
	}
	return zones{z}, nil
}

// resetInstanceRecords takes back what no signal has made of an instance: of one cluster, or of all.
func (f *faults) resetInstanceRecords(ctx context.Context, order api.Order) (err error) {
	if _, found := api.FindRecordFault(order.Target.Kind); !found {
		return nil
	}
	for _, c := range f.endpoints.sorted() {
		if order.Cluster == "" || order.Cluster == c.state.Name {
			_, failed := f.record(ctx, api.Reset, api.FaultOrder{Target: order.Target, Cluster: c.state.Name})
			err = errors.Join(err, failed)
		}
	}
	return err
}

// outOfZones are the kinds whose targets are in no zone.
func outOfZones(kind api.RecordFault) bool { return !kind.InZone() }

// resetRecords takes back every fault in force of those kinds that can be.
func (f *faults) resetRecords(ctx context.Context, which func(api.RecordFault) bool) error {
	var errs []error
	done := map[api.FaultOrder]bool{}
	for _, fault := range f.endpoints.recordFaults() {
		target, err := api.ParseFaultTarget(fault.Target)
		order := api.FaultOrder{Target: target, Cluster: fault.Cluster}
		kind, _ := api.FindRecordFault(target.Kind)
		if err != nil || !which(kind) || fault.Final || done[order] {
			continue
		}
		done[order] = true
		_, err = f.record(ctx, api.Reset, order)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (c *control) handleFault(w http.ResponseWriter, r *http.Request) {
	var order api.FaultOrder
	if !readBody(w, r, &order, "the request is no JSON of a fault") {
		return
	}
	done, err := c.region.Fault(r.Context(), mux.Vars(r)["verb"], order)
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, done)
}
