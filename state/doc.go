// Package state is the replicated store: typed tables that three voters, one per zone, keep the same through raft.
// Records are read and written in optimistic transactions. It knows nothing of what the records mean: package region
// says that. See DESIGN.md.
package state
