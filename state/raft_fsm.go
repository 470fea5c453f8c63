package state

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/hashicorp/raft"
)

// machine lets raft drive the store.
type machine struct {
	store   *store
	applied func(index uint64) // told after each entry; must not block
}

var _ raft.FSM = (*machine)(nil)

// Apply answers an outcome, or an error for an entry that no Tripod of this schema writes. Every voter must decide the
// same: nothing but the entry and the store may matter here.
func (m *machine) Apply(entry *raft.Log) any {
	defer m.applied(entry.Index)
	var p proposal
	if err := json.Unmarshal(entry.Data, &p); err != nil {
		return fmt.Errorf("entry %d of the regional log: %w", entry.Index, err)
	}
	return m.store.apply(entry.Index, p)
}

// Snapshot is quick: the state never changes, and is only written out in Persist.
func (m *machine) Snapshot() (raft.FSMSnapshot, error) { return m.store.snapshot(), nil }

// Restore replaces the store's content.
func (m *machine) Restore(r io.ReadCloser) error {
	defer r.Close()
	return m.store.restore(r)
}
