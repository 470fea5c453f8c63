package state

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/segment"
	"github.com/hashicorp/raft-wal/types"
)

const (
	// segmentSize is small, because a segment is allocated in full and the log is a few hundred KiB long.
	segmentSize = 4 << 20
	// keptSnapshots is one more than needed, in case the newest cannot be read.
	keptSnapshots = 2
)

// disk is what a voter keeps in its directory:
//
//	lock        held while the voter runs
//	schema      the schema version of everything here; written last, so that its presence says that the voter was set up
//	applied     the log index that the voter's copy had reached
//	log/        raft's log, term and vote
//	snapshots/  of the store
type disk struct {
	dir string
	// schema is that of what is here; 0: no voter has completed its set-up here yet.
	schema int

	asks      asks
	lock      *os.File
	applied   *os.File
	meta      *metadb.BoltMetaDB
	log       *proposals
	snapshots raft.SnapshotStore
}

// openDisk opens or makes the directory. What a set-up that was cut short has left there is deleted. lose is told what the log meets
// once it is open; nil: nobody is.
func openDisk(dir string, logger hclog.Logger, asks asks, lose func(error)) (d *disk, err error) {
	d = &disk{dir: dir, asks: asks}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return d, err
	}
	if d.lock, err = os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return d, err
	}
	if err := syscall.Flock(int(d.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return d, fmt.Errorf("the regional state in %s is in use by another process: stop that one first (%w)",
			dir, err)
	}
	if d.schema, err = readSchema(dir); err != nil {
		return d, err
	}
	logDir := filepath.Join(dir, "log")
	if d.schema == 0 {
		for _, path := range []string{logDir, filepath.Join(dir, "snapshots"), filepath.Join(dir, "applied")} {
			if err := os.RemoveAll(path); err != nil {
				return d, err
			}
		}
	}
	for _, path := range []string{logDir, filepath.Join(dir, "snapshots")} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return d, err
		}
	}
	if d.applied, err = os.OpenFile(filepath.Join(dir, "applied"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return d, err
	}
	if err := d.try(); err != nil {
		return d, err
	}
	meta := &metadb.BoltMetaDB{}
	log, err := wal.Open(logDir, wal.WithSegmentSize(segmentSize), wal.WithLogger(logger), wal.WithMetaStore(askingMeta{meta, asks}),
		wal.WithSegmentFiler(segment.NewFiler(logDir, privateFS{fs.New(), asks})))
	d.meta = meta // also after a failure: it may hold its file's lock
	if err != nil {
		return d, fmt.Errorf("open the regional log in %s: %w", logDir, err)
	}
	d.log = &proposals{WAL: log, lose: lose}
	if err := d.log.find(); err != nil {
		return d, fmt.Errorf("read the regional log in %s: %w", logDir, err)
	}
	if err := os.Chmod(filepath.Join(logDir, metadb.FileName), 0o600); err != nil {
		return d, err
	}
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, keptSnapshots, logger)
	if err != nil {
		return d, fmt.Errorf("open the regional snapshots in %s: %w", dir, err)
	}
	d.snapshots = privateSnapshots{files, filepath.Join(dir, "snapshots"), asks}
	return d, nil
}

// readSchema is the schema of what is in the directory, 0 where it was never set up. One of a newer Tripod is refused.
func readSchema(dir string) (schema int, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "schema"))
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	schema, err = strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || schema < 1 {
		return 0, fmt.Errorf("the regional state in %s has a damaged schema file: "+
			"delete %s, and the other zones will bring it back", dir, dir)
	}
	if schema > schemaVersion {
		return 0, fmt.Errorf("the regional state in %s was written by a newer Tripod (schema %d, this one knows %d): "+
			"use that Tripod or delete the region's data directory", dir, schema, schemaVersion)
	}
	return schema, nil
}

// noteSchema records that the directory holds a voter's state from now on, which older Tripods may not be able to read.
func (d *disk) noteSchema() error {
	if err := d.asks.meet(DiskGrow, DiskSync); err != nil {
		return err
	}
	path := filepath.Join(d.dir, "schema")
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, schemaVersion)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return err
	}
	dir, err := os.Open(d.dir)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// noteApplied remembers how far this copy has come. It is not synced: a number that is too small after a power loss
// only means that this copy is older until a leader is heard.
func (d *disk) noteApplied(index uint64) error {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], index)
	if err := d.asks.meet(DiskRewrite); err != nil {
		return err
	}
	_, err := d.applied.WriteAt(b[:], 0)
	return err
}

// try says whether the disk takes what a voter does all the time.
func (d *disk) try() error {
	if err := d.asks.meet(DiskRewrite, DiskSync); err != nil {
		return err
	}
	return d.applied.Sync()
}

// replay brings the store, which holds the newest snapshot, to where this copy had been, without waiting for a leader
// to say again what was committed: a voter that restarts alone answers reads with what it knew.
func (d *disk) replay(s *store) error {
	var b [8]byte
	if n, _ := d.applied.ReadAt(b[:], 0); n < len(b) {
		return nil
	}
	first, err := d.log.FirstIndex()
	if err != nil {
		return err
	}
	last, err := d.log.LastIndex()
	if err != nil {
		return err
	}
	snaps, err := d.snapshots.List()
	if err != nil {
		return err
	}
	from := uint64(1)
	if len(snaps) > 0 {
		from = snaps[0].Index + 1
	}
	if first > from {
		return nil // a gap: the leader fills it
	}
	m := &machine{store: s, applied: func(uint64) {}}
	for i := from; i <= min(last, binary.BigEndian.Uint64(b[:])); i++ {
		var entry raft.Log
		if err := d.log.GetLog(i, &entry); err != nil {
			return fmt.Errorf("read entry %d of the regional log: %w", i, err)
		}
		if entry.Type == raft.LogCommand {
			m.Apply(&entry)
		}
	}
	return nil
}

// close closes what is open, all of it.
func (d *disk) close() error {
	var errs []error
	if d.log != nil {
		errs = append(errs, d.log.Close())
	}
	if d.meta != nil {
		errs = append(errs, d.meta.Close()) // the log does not close it
	}
	if d.applied != nil {
		errs = append(errs, d.applied.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// privateFS makes the log's files readable to their owner only: records hold private keys.
type privateFS struct {
	*fs.FS
	asks asks
}

func (p privateFS) Create(dir, name string, size uint64) (types.WritableFile, error) {
	if err := p.asks.meet(DiskGrow); err != nil {
		return nil, err
	}
	f, err := p.FS.Create(dir, name, size)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(filepath.Join(dir, name), 0o600); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return askingFile{f, p.asks}, nil
}

func (p privateFS) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := p.FS.OpenWriter(dir, name)
	if err != nil {
		return nil, err
	}
	return askingFile{f, p.asks}, nil
}

func (p privateFS) Delete(dir, name string) error {
	if err := p.asks.meet(DiskRewrite); err != nil {
		return err
	}
	return p.FS.Delete(dir, name)
}

// privateSnapshots does the same for snapshots.
type privateSnapshots struct {
	*raft.FileSnapshotStore
	dir  string
	asks asks
}

func (p privateSnapshots) Create(
	version raft.SnapshotVersion, index, term uint64, servers raft.Configuration, serversIndex uint64,
	trans raft.Transport,
) (raft.SnapshotSink, error) {
	if err := p.asks.meet(DiskGrow); err != nil {
		return nil, err
	}
	sink, err := p.FileSnapshotStore.Create(version, index, term, servers, serversIndex, trans)
	if err != nil {
		return nil, err
	}
	// The sink writes into DIR/ID.tmp, and keeps the files' modes when it rewrites or moves them.
	path := filepath.Join(p.dir, sink.ID()+".tmp")
	err = os.Chmod(path, 0o700)
	for _, name := range []string{"meta.json", "state.bin"} {
		err = errors.Join(err, os.Chmod(filepath.Join(path, name), 0o600))
	}
	if err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	return askingSink{sink, p.asks}, nil
}
