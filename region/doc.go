// Package region is the regional state: a small typed record store that three voters, one per zone, keep
// the same through raft. Records are read and written in optimistic transactions; see DESIGN.md.
package region
