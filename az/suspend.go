package az

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"tripod/internal/loss"
)

// suspendTimeout bounds how long the zone's parts are waited for: a controller manager takes a moment to end.
const suspendTimeout = 10 * time.Second

// sameLeader is how long after a suspension the leader of before is no news.
const sameLeader = 30 * time.Second

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
			z.before.note(regionalState)
		}
		raftErr = z.voter.Suspend()
	} else {
		z.before.forget(time.Now().Add(sameLeader))
		telling.Go(func() { raftErr = z.voter.Resume(ctx) })
	}
	instances := z.instances("")
	errs := make([]error, len(instances))
	for n, i := range instances {
		if i.component != "controllers" || i.running() == nil {
			continue
		}
		i.suspend(s.Suspended)
		telling.Go(func() { errs[n] = loss.TellSuspension(ctx, z.config.InstanceSocket(i.component, i.clusterID), s) })
	}
	telling.Wait()
	return errors.Join(append(errs, raftErr)...)
}

// regionalState is what a zone's voter may lead.
const regionalState = "the regional state"

// suspend notes what the instance leads, so that it is not told as news when it does again.
func (i *instance) suspend(suspended bool) {
	if !suspended {
		i.before.forget(time.Now().Add(sameLeader))
		return
	}
	i.mu.Lock()
	leads := slices.Clone(i.leads)
	i.mu.Unlock()
	i.before.note(leads...)
}

// before is what led before a suspension: that it leads again is no change.
type before struct {
	mu    sync.Mutex
	leads []string
	until time.Time // zero: no end is known yet
}

func (b *before) note(leads ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leads, b.until = leads, time.Time{}
}

// forget says from when on a leader is news again.
func (b *before) forget(at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.until = at
}

// again says whether that led before, and forgets it.
func (b *before) again(what string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.leads, what)
	if i < 0 || !b.until.IsZero() && time.Now().After(b.until) {
		return false
	}
	b.leads = slices.Delete(b.leads, i, i+1)
	return true
}
