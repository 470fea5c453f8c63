package region

import "tripod/state"

// NewMemory is a regional state of one process that holds what the seeds write, for tests: see state.NewMemory.
func NewMemory(seeds ...func(tx *state.Txn)) *state.Memory { return state.NewMemory(Schema, seeds...) }
