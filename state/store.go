package state

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// schemaVersion is the version of the records, snapshots and log entries that this Tripod writes. It grows when an
// older Tripod could not read them any more.
//
//  1. the first
//  2. conditions about parts of tables (condition.Part). Records and snapshots are as before.
const schemaVersion = 2

// rememberedOutcomes is how many proposals' outcomes are remembered, so that one proposed twice is applied once. A
// retry comes within seconds of the first attempt, and the state changes a few times a second at most.
const rememberedOutcomes = 1024

// proposal is what the log holds: the effects of one transaction and what must still be true for them.
type proposal struct {
	ID     string           `json:"id"`
	Reads  []condition      `json:"reads,omitempty"`
	Writes []recordOrDelete `json:"writes"`
}

type recordOrDelete struct {
	Kind  string          `json:"kind"`
	Key   string          `json:"key"`
	Value json.RawMessage `json:"value,omitempty"` // absent: delete
}

// outcome is what became of a proposal.
type outcome struct {
	ID string `json:"id"`
	// Index is the log index at which it was decided.
	Index uint64 `json:"index"`
	// Conflict names the record or table that had changed; empty: applied.
	Conflict string `json:"conflict,omitempty"`
}

func newProposal(id string, tx *Txn) proposal {
	p := proposal{ID: id}
	for r, revision := range tx.reads {
		p.Reads = append(p.Reads, condition{Kind: r.kind, Key: r.key, Revision: revision})
	}
	for sp, b := range tx.parts {
		p.Reads = append(p.Reads, b.condition(tx.version, sp))
	}
	for r, raw := range tx.writes {
		p.Writes = append(p.Writes, recordOrDelete{r.kind, r.key, raw})
	}
	slices.SortFunc(p.Writes, func(a, b recordOrDelete) int {
		return strings.Compare(a.Kind+"/"+a.Key, b.Kind+"/"+b.Key)
	})
	return p
}

// store is the state machine: the current state, what became of the last proposals, and who waits for changes.
type store struct {
	schema  Schema
	current atomic.Pointer[version]
	losers  chan struct{} // holds a token while an Update that had a conflict is tried again

	mu       sync.Mutex
	outcomes map[string]outcome
	order    []string // of outcomes, oldest first
	watchers map[chan struct{}]struct{}
	moved    chan struct{} // closed and replaced whenever the index grows
}

func newStore(schema Schema) *store {
	s := &store{
		schema: schema, losers: make(chan struct{}, 1), watchers: map[chan struct{}]struct{}{},
		moved: make(chan struct{}),
	}
	s.reset()
	return s
}

func (s *store) load() *version { return s.current.Load() }

// reset forgets everything but the watchers, as before a restore from disk.
func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes, s.order = map[string]outcome{}, nil
	s.current.Store(&version{schema: s.schema, tables: map[string]*table{}})
}

// apply decides the proposal at that log index. An index that was applied before is left alone: after a restart raft
// hands out again what this copy has already taken from the log.
func (s *store) apply(index uint64, p proposal) outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.load()
	if index <= now.index {
		return outcome{ID: p.ID, Index: now.index}
	}
	if out, ok := s.outcomes[p.ID]; ok {
		s.become(now.with(index, nil), false)
		return out
	}
	out := outcome{ID: p.ID, Index: index, Conflict: now.conflict(p.Reads)}
	if out.Conflict != "" {
		p.Writes = nil
	}
	s.remember(out)
	s.become(now.with(index, p.Writes), len(p.Writes) > 0)
	return out
}

// become and remember assume the lock.
func (s *store) become(next *version, changed bool) {
	s.current.Store(next)
	close(s.moved)
	s.moved = make(chan struct{})
	if changed {
		s.wake()
	}
}

// wakeAll signals all watchers.
func (s *store) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wake()
}

// wake assumes the lock.
func (s *store) wake() {
	for w := range s.watchers {
		select {
		case w <- struct{}{}:
		default: // it has not looked at the last signal yet
		}
	}
}

func (s *store) remember(out outcome) {
	if len(s.order) == rememberedOutcomes {
		delete(s.outcomes, s.order[0])
		s.order = s.order[1:]
	}
	s.outcomes[out.ID] = out
	s.order = append(s.order, out.ID)
}

// wait returns once the copy has reached the log index, or with the context's error.
func (s *store) wait(ctx context.Context, index uint64) error {
	for {
		s.mu.Lock()
		reached, moved := s.load().index >= index, s.moved
		s.mu.Unlock()
		if reached {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (s *store) watch() (<-chan struct{}, func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watchers[ch] = struct{}{}
	return ch, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.watchers, ch)
	}
}
