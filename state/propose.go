package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// proposeLimit bounds how long a change waits for a leader and a majority.
	proposeLimit = 5 * time.Second
	// proposalSize bounds a transaction's effects, in bytes of JSON.
	proposalSize = 1 << 20
	// proposeRetry is the pause after an attempt that failed though the leader seems to be known: a leader that has
	// just died, or hands over.
	proposeRetry = 20 * time.Millisecond
)

// errRefused marks a proposal that no retry would help.
var errRefused = errors.New("the change was refused")

// propose brings the proposal to the leader, this voter or another, until one answers what became of it. Each attempt
// has the same id: where an answer was lost, the next gets the first one's outcome.
func (v *Voter) propose(ctx context.Context, p proposal) (outcome, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return outcome{}, err
	}
	if len(data) > proposalSize {
		return outcome{}, fmt.Errorf("the change is too large: %d bytes of JSON, at most %d are possible",
			len(data), proposalSize)
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, proposeLimit)
	defer cancel()
	last := errors.New("no leader is known")
	for {
		l, err := v.current()
		if err != nil {
			return outcome{}, err
		}
		if l == nil {
			return outcome{}, fmt.Errorf("%w: this zone's voter is not running", ErrNoQuorum)
		}
		leader, changed := v.leaderSignal()
		pause := proposeLimit // until the leader changes
		if leader != "" {
			var out outcome
			if leader == v.cfg.Zone {
				out, err = l.decide(ctx, data)
			} else {
				out, err = l.forward(ctx, leader, data)
			}
			if err == nil || errors.Is(err, errRefused) {
				return out, err
			}
			last, pause = err, proposeRetry
		}
		retry := time.NewTimer(pause)
		select {
		case <-retry.C:
		case <-changed:
		case <-l.ctx.Done():
		case <-ctx.Done():
		}
		retry.Stop()
		if err := ctx.Err(); err != nil {
			if errors.Is(caller.Err(), context.Canceled) {
				return outcome{}, fmt.Errorf("change the regional state: %w", context.Canceled)
			}
			return outcome{}, fmt.Errorf("%w: no majority of the %d zones agreed on the change in time (%v): "+
				"start or heal a zone and try again: %w", ErrNoQuorum, len(v.cfg.Peers), last, err)
		}
	}
}

// decide has the proposal decided by this voter as leader.
func (l *life) decide(ctx context.Context, data []byte) (outcome, error) {
	type result struct {
		answer any
		err    error
	}
	done := make(chan result, 1)
	// Not waited for: raft forgets a future when it is shut down in the wrong moment, and has no way to give one up.
	go func() {
		f := l.raft.Apply(data, proposeLimit)
		if err := f.Error(); err != nil {
			done <- result{err: err}
			return
		}
		done <- result{answer: f.Response()}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return outcome{}, r.err
		}
		switch answer := r.answer.(type) {
		case outcome:
			return answer, nil
		case error:
			return outcome{}, fmt.Errorf("%w: %w", errRefused, answer)
		}
		return outcome{}, fmt.Errorf("%w: unexpected answer %T", errRefused, r.answer)
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	case <-l.ctx.Done():
		return outcome{}, raft.ErrRaftShutdown
	}
}
