package region

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// schemaVersion is the version of the records, snapshots and log entries that this Tripod writes. It grows when an
// older Tripod could not read them any more.
const schemaVersion = 1

// rememberedOutcomes is how many proposals' outcomes are remembered, so that one proposed twice is applied once. A
// retry comes within seconds of the first attempt, and the state changes a few times a second at most.
const rememberedOutcomes = 1024

// proposal is what the log holds: the effects of one transaction and what must still be true for them.
type proposal struct {
	ID     string           `json:"id"`
	Reads  []condition      `json:"reads,omitempty"`
	Writes []recordOrDelete `json:"writes"`
}

// condition is a record's revision, or with an empty key a whole table's, at the time it was read; 0: it was not there.
type condition struct {
	Kind     string `json:"kind"`
	Key      string `json:"key,omitempty"`
	Revision uint64 `json:"revision"`
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
		p.Reads = append(p.Reads, condition{r.kind, r.key, revision})
	}
	for kind, revision := range tx.lists {
		p.Reads = append(p.Reads, condition{kind, "", revision})
	}
	for r, raw := range tx.writes {
		p.Writes = append(p.Writes, recordOrDelete{r.kind, r.key, raw})
	}
	slices.SortFunc(p.Writes, func(a, b recordOrDelete) int {
		return strings.Compare(a.Kind+"/"+a.Key, b.Kind+"/"+b.Key)
	})
	return p
}

// record is a stored value and the log index that last wrote it.
type record struct {
	Revision uint64          `json:"revision"`
	Value    json.RawMessage `json:"value"`
}

// table is all records of a kind. Revision is the log index that last wrote or deleted one.
type table struct {
	Revision uint64            `json:"revision"`
	Records  map[string]record `json:"records"`
}

// state is one version of everything. It never changes: a change makes a new state that shares the tables it did not
// touch. So readers need no lock, and a slow one holds nobody up.
type state struct {
	index  uint64
	tables map[string]*table
}

func (s *state) record(r ref) (record, bool) {
	t := s.tables[r.kind]
	if t == nil {
		return record{}, false
	}
	rec, ok := t.Records[r.key]
	return rec, ok
}

func (s *state) revision(kind string) uint64 {
	if t := s.tables[kind]; t != nil {
		return t.Revision
	}
	return 0
}

// conflict names the first of the conditions that no longer holds.
func (s *state) conflict(reads []condition) string {
	for _, c := range reads {
		if c.Key == "" {
			if s.revision(c.Kind) != c.Revision {
				return c.Kind
			}
			continue
		}
		r := ref{c.Kind, c.Key}
		if rec, _ := s.record(r); rec.Revision != c.Revision {
			return r.String()
		}
	}
	return ""
}

// with returns the state after the writes, made at that log index.
func (s *state) with(index uint64, writes []recordOrDelete) *state {
	next := &state{index: index, tables: s.tables}
	if len(writes) == 0 {
		return next
	}
	next.tables = maps.Clone(s.tables)
	fresh := map[string]bool{}
	for _, w := range writes {
		if !fresh[w.Kind] {
			t := &table{Revision: index, Records: map[string]record{}}
			if old := s.tables[w.Kind]; old != nil {
				t.Records = maps.Clone(old.Records)
			}
			next.tables[w.Kind], fresh[w.Kind] = t, true
		}
		if w.Value == nil {
			delete(next.tables[w.Kind].Records, w.Key)
			continue
		}
		next.tables[w.Kind].Records[w.Key] = record{Revision: index, Value: w.Value}
	}
	return next
}

// store is the state machine: the current state, what became of the last proposals, and who waits for changes.
type store struct {
	current atomic.Pointer[state]
	losers  chan struct{} // holds a token while an Update that had a conflict is tried again

	mu       sync.Mutex
	outcomes map[string]outcome
	order    []string // of outcomes, oldest first
	watchers map[chan struct{}]struct{}
	moved    chan struct{} // closed and replaced whenever the index grows
}

func newStore() *store {
	s := &store{losers: make(chan struct{}, 1), watchers: map[chan struct{}]struct{}{}, moved: make(chan struct{})}
	s.reset()
	return s
}

func (s *store) load() *state { return s.current.Load() }

// reset forgets everything but the watchers, as before a restore from disk.
func (s *store) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes, s.order = map[string]outcome{}, nil
	s.current.Store(&state{tables: map[string]*table{}})
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
func (s *store) become(next *state, changed bool) {
	s.current.Store(next)
	close(s.moved)
	s.moved = make(chan struct{})
	if !changed {
		return
	}
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

// snapshot is the whole store as it is written to disk and sent to a voter that lags far behind.
type snapshot struct {
	Schema   int               `json:"schema"`
	Index    uint64            `json:"index"`
	Tables   map[string]*table `json:"tables"`
	Outcomes []outcome         `json:"outcomes"` // oldest first
}

func (s *store) snapshot() *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.load()
	snap := &snapshot{Schema: schemaVersion, Index: now.index, Tables: now.tables}
	for _, id := range s.order {
		snap.Outcomes = append(snap.Outcomes, s.outcomes[id])
	}
	return snap
}

func (s *store) restore(r io.Reader) error {
	var snap snapshot
	if err := json.NewDecoder(r).Decode(&snap); err != nil {
		return fmt.Errorf("read the regional state's snapshot: %w", err)
	}
	if snap.Schema > schemaVersion {
		return fmt.Errorf("the snapshot of the regional state was written by a newer Tripod (schema %d, this one knows %d): use that Tripod",
			snap.Schema, schemaVersion)
	}
	next := &state{index: snap.Index, tables: map[string]*table{}}
	for kind, t := range snap.Tables {
		if t == nil {
			continue
		}
		if t.Records == nil {
			t.Records = map[string]record{}
		}
		next.tables[kind] = t
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outcomes, s.order = map[string]outcome{}, nil
	for _, out := range snap.Outcomes {
		s.remember(out)
	}
	s.become(next, true)
	return nil
}
