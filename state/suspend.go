package state

import (
	"context"
	"time"

	"github.com/hashicorp/raft"

	"tripod/internal/sleep"
)

const (
	// endless is a time-out of raft's that nobody waits for.
	endless = 365 * 24 * time.Hour
	// resumeLimit is how long a voter waits after Resume for the leader of before. If that one does not come back, the
	// time-outs decide again.
	resumeLimit = 5 * time.Second
	// resumePoll is how often it is looked meanwhile.
	resumePoll = 20 * time.Millisecond
)

// Suspend makes the voter ready for all voters to be stopped as a whole, for however long: when they go on, no follower
// takes its leader for dead. It is undone by Resume. A voter that does not run is left alone.
func (v *Voter) Suspend() error {
	l := v.running()
	if l == nil {
		return nil
	}
	l.led.Store(l.raft.State() == raft.Leader)
	if l.led.Load() {
		return nil // its heartbeats must go on until all are stopped
	}
	l.suspended.Store(true)
	return l.setTimeouts(endless, endless)
}

// Resume is for when all voters go on. Raft counts the time in which they did not run: so the leader finds that nobody
// has answered for long, and resigns. It becomes a candidate at once, with no other one beside it, and leads again some
// milliseconds later. Resume returns when this voter follows a leader that answers, or is one, or after five seconds.
func (v *Voter) Resume(ctx context.Context) error {
	l := v.running()
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, resumeLimit)
	defer cancel()
	if l.led.Swap(false) {
		l.leadAgain(ctx)
		return nil
	}
	since := time.Now()
	for l.raft.LastContact().Before(since) && l.raft.State() != raft.Leader {
		if sleep.For(ctx, resumePoll) != nil {
			break
		}
	}
	err := l.setTimeouts(l.cfg.Timing.Heartbeat, l.cfg.Timing.Election)
	l.suspended.Store(false)
	return err
}

// leadAgain returns when a majority says that this voter leads, or another one does.
func (l *life) leadAgain(ctx context.Context) {
	for sleep.For(ctx, resumePoll) == nil {
		switch _, leader := l.raft.LeaderWithID(); {
		case l.raft.State() == raft.Leader && l.raft.VerifyLeader().Error() == nil:
			return
		case leader != "" && string(leader) != l.cfg.Zone:
			return
		}
		l.stand() // if it follows
	}
}

func (l *life) setTimeouts(heartbeat, election time.Duration) error {
	config := l.raft.ReloadableConfig()
	config.HeartbeatTimeout, config.ElectionTimeout = heartbeat, election
	return l.raft.ReloadConfig(config)
}
