package emulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/snapshot"
)

const (
	// extractName is the directory in the data directory where a snapshot is unpacked and looked at.
	extractName = ".restore"
	// restoringName is its name from the moment on when what it holds replaces what was there.
	restoringName = ".restoring"
)

// RestoreSnapshot makes a region's data directory of a snapshot: a new one, one in an empty directory, or, with Over,
// in the place of the region that is there and does not run. Unless it returns nil, everything is as before; only when
// it is killed while it replaces, nothing but another restore or a purge takes the directory.
func RestoreSnapshot(ctx context.Context, request snapshot.RestoreRequest,
	each func(api.SnapshotProgress)) (_ *api.Snapshot, err error) {
	from, err := snapshot.Open(request.File)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	_, statErr := os.Stat(request.DataDir)
	dir, err := openDataDir(request.DataDir)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	defer func() {
		if err != nil && errors.Is(statErr, fs.ErrNotExist) {
			os.Remove(dir.file("lock"))
			os.Remove(dir.path)
		}
	}()
	if !dir.isNew && !request.Over {
		return nil, fmt.Errorf("there is a region in %s: restore into another directory with --data-dir, or replace that "+
			"region with --force", dir.path)
	}
	if err := dir.sweep(); err != nil {
		return nil, err
	}
	staging := dir.file(extractName)
	if err := errors.Join(os.RemoveAll(staging), os.Mkdir(staging, 0o700)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(staging)
	if err := from.Extract(ctx, staging, each); err != nil {
		return nil, diskError(dir.path, err)
	}
	if err := checkRestored(staging, from.About); err != nil {
		return nil, err
	}
	if err := dir.replace(staging); err != nil {
		return nil, fmt.Errorf("put the snapshot in its place: %w", err)
	}
	return &from.About, nil
}

// checkRestored looks whether what was unpacked is the region that its snapshot speaks of.
func checkRestored(dir string, about api.Snapshot) error {
	text, err := os.ReadFile(filepath.Join(dir, datadir.MarkerFile))
	if err != nil {
		return fmt.Errorf("%s holds no region: it has no tripod.json", about.File)
	}
	var m datadir.Marker
	fits := json.Unmarshal(text, &m) == nil && m.Schema == about.Schema && m.Region == about.Region &&
		m.AccountID == about.AccountID &&
		m.Port == about.Port && m.PortBase == about.PortBase
	if !fits || !m.Founded || !m.Whole() || m.PortBase < 1024 || m.PortBase > 65536-portRange {
		return fmt.Errorf("%s is damaged, or no snapshot of Tripod's: its tripod.json is not what its manifest says",
			about.File)
	}
	return nil
}

// replace puts what is in staging in the place of all that is in the directory. From the first step to the last the
// directory has a region's marker, and restoringName says that it is not to be used.
func (d *dataDir) replace(staging string) error {
	restoring := d.file(restoringName)
	// of one that was cut short: not the directory itself
	if err := empty(restoring); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := syscall.Rename(staging, restoring); err != nil { // os.Rename replaces no directory, not even an empty one
		return err
	}
	if err := os.Rename(filepath.Join(restoring, datadir.MarkerFile), d.file(datadir.MarkerFile)); err != nil {
		return err
	}
	if err := empty(d.path, "lock", datadir.MarkerFile, restoringName); err != nil {
		return err
	}
	made, err := os.ReadDir(restoring)
	if err != nil {
		return err
	}
	for _, entry := range made {
		if err := os.Rename(filepath.Join(restoring, entry.Name()), d.file(entry.Name())); err != nil {
			return err
		}
	}
	return os.Remove(restoring)
}

// empty deletes what is in a directory, but for the names that are kept.
func empty(dir string, kept ...string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if slices.Contains(kept, entry.Name()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
