package az

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"tripod/internal/loss"
)

// lossTimeout bounds how long a part of the zone is waited for that is told of a loss.
const lossTimeout = 5 * time.Second

// handleLoss takes what the region knows of a process that is gone, in this zone or in another.
func (z *Zone) handleLoss(w http.ResponseWriter, r *http.Request) {
	var l loss.Loss
	if err := json.NewDecoder(r.Body).Decode(&l); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), lossTimeout)
	defer cancel()
	z.lost(ctx, l)
	answer(w, 0, nil)
}

// lost tells the zone's parts of a loss, all at once, and returns when they have done what they can.
func (z *Zone) lost(ctx context.Context, l loss.Loss) {
	var telling sync.WaitGroup
	if l.Of(loss.Voter) {
		telling.Go(func() { z.voter.Lost(ctx, l.Zone, l.Rank) })
	}
	if l.Component == "" && l.Zone != z.config.Zone {
		z.wait.Go(func() { z.noteOutage(z.running, l.Zone) })
	}
	for _, i := range z.instances("") {
		itself := l.Zone == z.config.Zone && l.Of(i.Component)
		if l.ClusterID != "" && i.ClusterID != l.ClusterID || itself || !i.Running() {
			continue
		}
		telling.Go(func() {
			if err := loss.Tell(ctx, i.Socket, l); err != nil {
				z.logger.Debug("tell of a loss", "target", i.Target(), "lost", l, "error", err)
			}
		})
	}
	telling.Wait()
}
