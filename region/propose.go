package region

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/hashicorp/raft"
)

const (
	// proposeLimit bounds how long a change waits for a leader and a majority.
	proposeLimit = 5 * time.Second
	// proposalSize bounds a transaction's effects, in bytes of JSON.
	proposalSize = 1 << 20
	// proposeRetry is the pause after an attempt that failed though the leader seems to be known: a leader that has just
	// died, or hands over.
	proposeRetry = 20 * time.Millisecond
)

// errRefused marks a proposal that no retry would help.
var errRefused = errors.New("the change was refused")

// propose brings the proposal to the leader, this voter or another, until one answers what became of it. Each attempt has
// the same id: where an answer was lost, the next gets the first one's outcome.
func (v *Voter) propose(ctx context.Context, p proposal) (outcome, error) {
	data, err := json.Marshal(p)
	if err != nil {
		return outcome{}, err
	}
	if len(data) > proposalSize {
		return outcome{}, fmt.Errorf("the change is too large: %d bytes of JSON, at most %d are possible", len(data), proposalSize)
	}
	caller := ctx
	ctx, cancel := context.WithTimeout(ctx, proposeLimit)
	defer cancel()
	last := errors.New("no leader is known")
	for {
		l := v.running()
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
			return outcome{}, fmt.Errorf("%w: no majority of the %d zones agreed on the change in time (%v): start or heal a zone and try again: %w",
				ErrNoQuorum, len(v.cfg.Peers), last, err)
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

// reply answers a forwarded proposal.
type reply struct {
	Outcome outcome `json:"outcome"`
	// Error says why there is no outcome, and Refused that there will be none.
	Error   string `json:"error,omitempty"`
	Refused bool   `json:"refused,omitempty"`
}

// forward brings the proposal to the voter that leads. Changes are rare: each has a connection of its own.
func (l *life) forward(ctx context.Context, leader string, data []byte) (outcome, error) {
	conn, err := l.port.dial(ctx, l.address(leader), forForward)
	if err != nil {
		return outcome{}, err
	}
	defer conn.Close()
	// A leader that was paused answers nothing: when another is known, ask that one.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watched := make(chan struct{})
	defer func() { cancel(); <-watched }()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	go func() {
		defer close(watched)
		for {
			now, changed := l.voter.leaderSignal()
			if now != leader {
				cancel()
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	if err := writeFrame(conn, data); err != nil {
		return outcome{}, fmt.Errorf("forward to zone %s: %w", leader, err)
	}
	var r reply
	if err := readFrame(conn, &r); err != nil {
		return outcome{}, fmt.Errorf("forward to zone %s: %w", leader, err)
	}
	switch {
	case r.Refused:
		return outcome{}, fmt.Errorf("%w: %s", errRefused, r.Error)
	case r.Error != "":
		return outcome{}, fmt.Errorf("zone %s: %s", leader, r.Error)
	}
	return r.Outcome, nil
}

// answerForward decides what another voter forwards to this one, which it holds to be the leader.
func (l *life) answerForward(ctx context.Context, conn net.Conn) {
	var p proposal
	if err := readFrame(conn, &p); err != nil {
		l.cfg.Logger.Debug("read a forwarded change", "az", l.cfg.Zone, "error", err)
		return
	}
	data, err := json.Marshal(p)
	var r reply
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, proposeLimit)
		r.Outcome, err = l.decide(ctx, data)
		cancel()
	}
	if err != nil {
		r.Error, r.Refused = err.Error(), errors.Is(err, errRefused)
	}
	answer, err := json.Marshal(r)
	if err == nil {
		err = writeFrame(conn, answer)
	}
	if err != nil {
		l.cfg.Logger.Debug("answer a forwarded change", "az", l.cfg.Zone, "error", err)
	}
}

// A frame is four bytes of length, big endian, and JSON.
func writeFrame(w io.Writer, data []byte) error {
	frame := binary.BigEndian.AppendUint32(make([]byte, 0, 4+len(data)), uint32(len(data)))
	_, err := w.Write(append(frame, data...))
	return err
}

func readFrame(r io.Reader, into any) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint32(head[:])
	if n > proposalSize {
		return fmt.Errorf("a message of %d bytes is too large", n)
	}
	data := make([]byte, n)
	if _, err := io.ReadFull(r, data); err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}
