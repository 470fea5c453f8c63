package state

import (
	"context"
	"sync"
)

// Memory is the regional state of one process, without raft or disk, with the transactions of a Voter: for tests of
// those who read and write it.
type Memory struct {
	store *store

	mu    sync.Mutex
	index uint64
}

// NewMemory returns a state that holds what the seeds write, in their order. A seed that fails is a programming error
// and panics.
func NewMemory(schema Schema, seeds ...func(tx *Txn)) *Memory {
	m := &Memory{store: newStore(schema)}
	for _, seed := range seeds {
		err := m.Update(context.Background(), func(tx *Txn) error {
			seed(tx)
			return nil
		})
		if err != nil {
			panic(err)
		}
	}
	return m
}

// View is as Voter.View.
func (m *Memory) View(fn func(*Txn) error) error { return view(m.store, fn) }

// Update is as Voter.Update; fn may run several times here too. It never has to wait for a quorum.
func (m *Memory) Update(ctx context.Context, fn func(*Txn) error) error {
	return update(ctx, m.store, fn, func(_ context.Context, p proposal) (outcome, error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.index++
		return m.store.apply(m.index, p), nil
	}, func(context.Context, uint64) {})
}

// Fresh is as Voter.Fresh: there is no other copy.
func (m *Memory) Fresh(context.Context) error { return nil }

// Watch is as Voter.Watch.
func (m *Memory) Watch() (<-chan struct{}, func()) { return m.store.watch() }
