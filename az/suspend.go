package az

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"

	"tripod/internal/loss"
)

// suspendTimeout bounds how long the zone's parts are waited for: a controller manager takes a moment to end.
const suspendTimeout = 10 * time.Second

// handleSuspension makes the zone ready for all zones to be stopped as a whole, or undoes it.
func (z *Zone) handleSuspension(w http.ResponseWriter, r *http.Request) {
	var s loss.Suspension
	if err := json.NewDecoder(r.Body).Decode(&s); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), suspendTimeout)
	defer cancel()
	answer(w, http.StatusConflict, z.suspend(ctx, s))
}

// suspend tells the zone's parts, all at once, and returns when they have done what they can.
func (z *Zone) suspend(ctx context.Context, s loss.Suspension) error {
	var telling sync.WaitGroup
	var raftErr error
	if s.Suspended {
		if z.voter.Leader() == z.config.Zone {
			z.former.Note(regionalState)
		}
		raftErr = z.voter.Suspend()
	} else {
		z.former.Forget()
		telling.Go(func() { raftErr = z.voter.Resume(ctx) })
	}
	instances := z.instances("")
	errs := make([]error, len(instances))
	for n, i := range instances {
		if i.Component != "controllers" || !i.Running() {
			continue
		}
		i.Suspend(s.Suspended)
		telling.Go(func() { errs[n] = loss.TellSuspension(ctx, i.Socket, s) })
	}
	telling.Wait()
	return errors.Join(append(errs, raftErr)...)
}

// regionalState is what a zone's voter may lead.
const regionalState = "the regional state"
