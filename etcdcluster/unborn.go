package etcdcluster

import (
	"errors"
	"os"
	"path/filepath"

	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.etcd.io/etcd/server/v3/storage/wal/walpb"
	"go.uber.org/zap"
)

// formed is a file in a member's directory: it has served once.
const formed = "formed"

// discardUnborn deletes the directory of a member that was ended while it was made, between the creation of its log and
// the first entries: etcd would take it for a member that knows of no cluster, not even of itself, and wait for ever.
// Such a log has no entry and no vote, so the member has promised nobody anything, and is made anew.
func (m *Member) discardUnborn() error {
	if _, err := os.Stat(filepath.Join(m.config.Dir, formed)); err == nil {
		return nil
	}
	logs := m.config.logDir()
	if !wal.Exist(logs) {
		return nil
	}
	log, err := wal.OpenForRead(zap.NewNop(), logs, &walpb.Snapshot{})
	if err != nil {
		return nil // its first part is gone, so it is old; or it is damaged, and etcd says so better
	}
	_, state, entries, err := log.ReadAll()
	log.Close() // of a log opened for reading it always says an error
	if err != nil || len(entries) > 0 || state.GetTerm() != 0 {
		return nil // it holds something; if it is damaged, etcd says so better
	}
	return os.RemoveAll(m.config.Dir)
}

// markFormed notes that the member has served, in its directory and beside it.
func (m *Member) markFormed() error {
	return errors.Join(os.WriteFile(filepath.Join(m.config.Dir, formed), nil, 0o600),
		os.WriteFile(m.config.served(), nil, 0o600))
}
