package state

import (
	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"
)

// What follows asks Config.Disk about everything that a voter wants of its disk: here, and not in the kernel, as the voter shares its
// process with others.

// askingMeta is what the log knows of its segments, and raft's term and vote.
type askingMeta struct {
	*metadb.BoltMetaDB
	asks asks
}

// CommitState is types.MetaStore's.
func (m askingMeta) CommitState(s types.PersistentState) error {
	if err := m.asks.meet(DiskRewrite, DiskSync); err != nil {
		return err
	}
	return m.BoltMetaDB.CommitState(s)
}

// SetStable is types.MetaStore's.
func (m askingMeta) SetStable(key, value []byte) error {
	if err := m.asks.meet(DiskRewrite, DiskSync); err != nil {
		return err
	}
	return m.BoltMetaDB.SetStable(key, value)
}

// askingFile is a segment of the log, which has its full size from the beginning.
type askingFile struct {
	types.WritableFile
	asks asks
}

// WriteAt is io.WriterAt's.
func (f askingFile) WriteAt(p []byte, at int64) (int, error) {
	if err := f.asks.meet(DiskRewrite); err != nil {
		return 0, err
	}
	return f.WritableFile.WriteAt(p, at)
}

// Sync is types.WritableFile's.
func (f askingFile) Sync() error {
	if err := f.asks.meet(DiskSync); err != nil {
		return err
	}
	return f.WritableFile.Sync()
}

// askingSink is a snapshot that is being written.
type askingSink struct {
	raft.SnapshotSink
	asks asks
}

// Close is io.Closer's: the snapshot counts from then on.
func (s askingSink) Close() error {
	if err := s.asks.meet(DiskSync); err != nil {
		_ = s.Cancel()
		return err
	}
	return s.SnapshotSink.Close()
}
