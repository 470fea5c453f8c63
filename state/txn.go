package state

import (
	"context"
	random "crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"tripod/internal/sleep"
)

// ErrConflict says that the records an Update read were changed by others each time it was tried.
var ErrConflict = errors.New("conflict in the regional state")

// ErrNoQuorum says that a change could not be agreed on by a majority of the zones in time. The change may still
// take effect later, when it had reached a voter before the majority was lost.
var ErrNoQuorum = errors.New("no quorum in the regional state")

// ErrCutOff says that this zone's copy may have missed changes, as the zone reaches no majority, whose voters may live.
var ErrCutOff = fmt.Errorf("%w: the zone is cut off", ErrNoQuorum)

// ErrDown says that this zone's disk keeps its voter down: the others go on without it.
var ErrDown = fmt.Errorf("%w: this zone's part of it is down", ErrNoQuorum)

// updateAttempts bounds how often an Update runs its function again after a conflict. Of those that conflict one always
// succeeds; who has lost waits for a random while, longer each time, so that of many writers of one record nobody loses
// for ever.
const (
	updateAttempts = 64
	conflictPause  = 2 * time.Millisecond // times the number of conflicts, up to longestPauses
	longestPauses  = 4
)

// Viewer reads the regional state.
type Viewer interface {
	// View runs fn on one consistent copy of the state, which may lag behind the leader's.
	View(fn func(*Txn) error) error
}

// Updater reads and changes the regional state.
type Updater interface {
	Viewer
	// Update runs fn and commits what it wrote if nothing it read has changed; fn may run several times.
	Update(ctx context.Context, fn func(*Txn) error) error
}

// ref names a record.
type ref struct{ kind, key string }

func (r ref) String() string { return r.kind + "/" + r.key }

// Txn is one transaction on a fixed copy of the state. It belongs to the function it was given to: it must not be
// used after that returned, nor by two goroutines at once.
type Txn struct {
	version  *version
	readOnly bool
	reads    map[ref]uint64
	parts    map[span]bounds
	writes   map[ref]json.RawMessage // nil: delete
	err      error
}

// newTxn begins one that may write.
func newTxn(s *store) *Txn {
	return &Txn{
		version: s.load(), reads: map[ref]uint64{}, parts: map[span]bounds{}, writes: map[ref]json.RawMessage{},
	}
}

// Index is the log index of the copy. That of a newer copy, of this zone's or of another's, is higher.
func (tx *Txn) Index() uint64 { return tx.version.index }

func (tx *Txn) fail(err error) {
	if tx.err == nil {
		tx.err = err
	}
}

func (tx *Txn) get(r ref) (json.RawMessage, bool) {
	if r.key == "" { // nothing stands there: write refuses it
		return nil, false
	}
	if raw, ok := tx.writes[r]; ok {
		return raw, raw != nil
	}
	return tx.stored(r)
}

// stored is the record as it was before the transaction.
func (tx *Txn) stored(r ref) (json.RawMessage, bool) {
	rec, ok := tx.version.record(r)
	if !tx.readOnly {
		tx.reads[r] = rec.Revision
	}
	return rec.Value, ok
}

func (tx *Txn) write(r ref, raw json.RawMessage) {
	switch {
	case tx.readOnly:
		tx.fail(fmt.Errorf("write %s: a View cannot write, use Update", r))
	case r.key == "":
		tx.fail(fmt.Errorf("write %s: the key is empty", r))
	default:
		tx.writes[r] = raw
	}
}

// view is what every View does.
func view(s *store, fn func(*Txn) error) error {
	tx := &Txn{version: s.load(), readOnly: true}
	if err := fn(tx); err != nil {
		return err
	}
	return tx.err
}

// proposer brings a proposal to where it is decided.
type proposer = func(context.Context, proposal) (outcome, error)

// update is what every Update does: it runs fn on the store's copy, has the effects proposed, waits until the copy has
// them and lets them spread to the others, and runs fn again where a record it read had changed.
func update(
	ctx context.Context, s *store, fn func(*Txn) error, propose proposer,
	spread func(ctx context.Context, index uint64),
) error {
	index, err := commit(ctx, s, fn, propose)
	if err == nil && index > 0 {
		spread(ctx, index)
	}
	return err
}

// commit returns the log index of the change, or 0 where there was nothing to write.
func commit(
	ctx context.Context, s *store, fn func(*Txn) error, propose proposer,
) (index uint64, err error) {
	var conflict string
	for lost := range updateAttempts {
		if lost == 1 { // those of a zone go one by one: all at once they would make each other lose again and again
			select {
			case s.losers <- struct{}{}:
				defer func() { <-s.losers }()
			case <-ctx.Done():
				return 0, fmt.Errorf("change the regional state: %w", ctx.Err())
			}
		}
		if lost > 1 {
			sleep.For(ctx, rand.N(time.Duration(min(lost, longestPauses))*conflictPause))
		}
		tx := newTxn(s)
		if err := fn(tx); err != nil {
			return 0, err
		}
		if tx.err != nil {
			return 0, tx.err
		}
		if len(tx.writes) == 0 {
			return 0, nil
		}
		out, err := propose(ctx, newProposal(random.Text(), tx))
		if err != nil {
			return 0, err
		}
		// Also after a conflict: the copy must be at least as new as the one that conflicted, else the next run
		// conflicts again.
		if err := s.wait(ctx, out.Index); err != nil {
			if out.Conflict == "" {
				return 0, fmt.Errorf("%w: the change was made, but this zone's copy has not caught up with it yet: %w",
					ErrNoQuorum, err)
			}
			return 0, fmt.Errorf("%w: this zone's copy has not caught up: %w", ErrNoQuorum, err)
		}
		if out.Conflict == "" {
			return out.Index, nil
		}
		conflict = out.Conflict
	}
	return 0, fmt.Errorf("%w: %s was changed by others in each of %d attempts; try again",
		ErrConflict, conflict, updateAttempts)
}
