package state

import (
	"context"
	"encoding/json"
	"net"
	"sync"
	"time"
)

// spreadLimit is how long a change waits for the other voters' copies, and a voter that starts for its own. Who is dead
// or cut off refuses at once; who hangs holds a change up for this long.
const spreadLimit = 500 * time.Millisecond

// spread returns when the copies of all other voters have reached the log index, but for those that do not answer in
// time.
func (v *Voter) spread(ctx context.Context, index uint64) {
	if l := v.running(); l != nil {
		l.askAll(ctx, index)
	}
}

// CatchUp returns when this voter's copy has all that the others had when it was called, as far as they answer; after
// half a second at most. Who serves reads from the copy calls it after Start.
func (v *Voter) CatchUp(ctx context.Context) {
	l := v.running()
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, spreadLimit)
	defer cancel()
	if err := v.store.wait(ctx, l.askAll(ctx, 0)); err != nil {
		v.cfg.Logger.Info("the regional state is still behind the other zones'", "az", v.cfg.Zone)
	}
}

// Lags says that the leader has not been heard for longer than is usual, as after a pause: what this copy says may be
// old. Without a leader nobody has anything newer to say.
func (v *Voter) Lags() bool {
	l, leader := v.running(), v.Leader()
	if l == nil || leader == "" || leader == v.cfg.Zone {
		return false
	}
	return time.Since(l.raft.LastContact()) > 2*v.cfg.Timing.Heartbeat
}

// askAll asks all other voters to say how far their copies are once they have reached the index. It returns the highest
// answer.
func (l *life) askAll(ctx context.Context, index uint64) (highest uint64) {
	ctx, cancel := context.WithTimeout(ctx, spreadLimit)
	defer cancel()
	question, err := json.Marshal(index)
	if err != nil {
		return 0 // never: it is a number
	}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, a := range l.askers {
		wait.Go(func() {
			r, err := l.ask(ctx, &a.idle, a.zone, forApplied, question)
			if err != nil {
				l.cfg.Logger.Debug("ask for the copy of another zone", "az", l.cfg.Zone, "zone", a.zone, "error", err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			highest = max(highest, r.Outcome.Index)
		})
	}
	wait.Wait()
	return highest
}

// answerApplied answers the questions of askAll.
func (l *life) answerApplied(ctx context.Context, conn net.Conn) {
	answerEach(ctx, l, conn, func(ctx context.Context, index uint64) reply {
		ctx, cancel := context.WithTimeout(ctx, spreadLimit)
		defer cancel()
		if err := l.voter.store.wait(ctx, index); err != nil {
			l.cfg.Logger.Debug("this copy lags", "az", l.cfg.Zone, "index", index, "error", err)
		}
		return reply{Outcome: outcome{Index: l.voter.store.load().index}, Logged: l.disk.log.newest.Load()}
	})
}

// others are the names of all zones but this one.
func (l *life) others() (zones []string) {
	for _, p := range l.cfg.Peers {
		if p.Zone != l.cfg.Zone {
			zones = append(zones, p.Zone)
		}
	}
	return zones
}
