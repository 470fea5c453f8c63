package emulator

import (
	"context"
	"encoding/json"
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
	ctx, cancel := context.WithTimeout(ctx, verbTimeout)
	defer cancel()
	before := f.endpoints.recordFaults()
	var refused *az.Refusal
	err = f.zones.first(refuse("no zone runs that could write it down: start one"), func(z *zone) error {
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

// resetRecords takes back every fault in force that can be.
func (f *faults) resetRecords(ctx context.Context) error {
	var errs []error
	done := map[api.FaultOrder]bool{}
	for _, fault := range f.endpoints.recordFaults() {
		target, err := api.ParseFaultTarget(fault.Target)
		order := api.FaultOrder{Target: target, Cluster: fault.Cluster}
		if err != nil || fault.Final || done[order] {
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
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostBody)).Decode(&order); err != nil {
		answer(w, refuse("the request is no JSON of a fault: %v", err))
		return
	}
	done, err := c.region.Fault(r.Context(), mux.Vars(r)["verb"], order)
	if err != nil {
		answer(w, err)
		return
	}
	writeJSON(w, http.StatusOK, done)
}
