package state

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/raft"
)

// lossTurn is how long a voter waits at least for another one, which was told of the same loss and goes first, to
// become the leader. That takes some milliseconds, but two that stand at once, as on a busy machine, split the votes
// and wait for raft's own time-out: see staggerPart.
const lossTurn = 50 * time.Millisecond

// lossAttempts is how often a voter stands that was told of its leader's loss: another one may be ahead of it in the
// log, and has to be elected.
const lossAttempts = 6

// Lost tells the voter that the one of a zone is gone, or answers nobody. If that one leads, this voter becomes a
// candidate at once, as in a transfer of leadership, rather than when it has missed a heartbeat: with rank 0 now,
// otherwise when those before it had their turn. It returns when another voter leads, or nothing more can be done.
func (v *Voter) Lost(ctx context.Context, zone string, rank int) {
	l := v.running()
	if l == nil || zone == v.cfg.Zone {
		return
	}
	turn := max(lossTurn, v.cfg.Timing.Heartbeat/staggerPart)
	wait := time.Duration(rank) * turn
	for attempt := range lossAttempts {
		if !v.leaderless(ctx, zone, wait) {
			return
		}
		l.stand()
		// Two that stand at once take each other's votes: so the turns differ, and grow, as on a busy machine a vote
		// takes its time.
		wait = time.Duration(rank+1)*turn<<attempt + rand.N(turn)
	}
}

// leaderless says whether after that time the lost zone still counts as the leader, or nobody does.
func (v *Voter) leaderless(ctx context.Context, lost string, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		leader, changed := v.leaderSignal()
		if leader != lost && leader != "" {
			return false
		}
		select {
		case <-changed:
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// stand makes this voter a candidate whom the others do not refuse for the leader that they still know: raft's own
// message for a transfer.
func (l *life) stand() {
	id, address := raft.ServerID(l.cfg.Zone), raft.ServerAddress(l.address(l.cfg.Zone))
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(id), Addr: []byte(address)}
	if l.raft.State() != raft.Follower {
		return
	}
	request := &raft.TimeoutNowRequest{RPCHeader: header}
	if err := l.transport.TimeoutNow(id, address, request, &raft.TimeoutNowResponse{}); err != nil {
		l.cfg.Logger.Debug("stand for the lead", "az", l.cfg.Zone, "error", err)
	}
}
