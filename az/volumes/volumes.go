// Package volumes is a zone's EBS volumes: each is a directory in the zone's data, and so is each snapshot that was made in the
// zone. It brings both from one state to the next by making, copying and deleting them. It does the same for EFS file systems,
// which are directories of the region, and says what becomes of it when a node of the zone mounts one.
package volumes

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"tripod/awsapi/ec2"
	"tripod/internal/datadir"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// Host is a zone's.
type Host struct {
	Zone string // us-east-1a
	// Zones are where the zones have their data, by their names: a volume is made of a snapshot of any zone.
	Zones map[string]string
	// DataDir is the region's: file systems that are in no zone are there.
	DataDir string
	// Leads says whether the regional state is led in this zone.
	Leads func() bool
	State State
	// Network is EC2, as the account sees it.
	Network *ec2.Service
	Now     func() time.Time
	Logger  *slog.Logger
}

// State is the regional state.
type State interface {
	state.Updater
	Watch() (<-chan struct{}, func())
}

// snapshotDir is where what a snapshot holds is.
func snapshotDir(dir, snapshotID string) string { return filepath.Join(dir, "snapshots", snapshotID) }

// Loop brings the zone's volumes and snapshots on. It rests while nothing of them is to change.
func (h *Host) Loop() reconcile.Loop {
	return reconcile.Loop{Key: "bring the zone's volumes on", Watch: h.State.Watch, Do: h.Bring, Logger: h.Logger,
		Pauses: reconcile.Pauses{First: time.Second, Most: 30 * time.Second}}
}

// Bring does what there is to do. What it does to directories can be done again: the records say so only afterwards.
func (h *Host) Bring(ctx context.Context) (again time.Duration, err error) {
	var volumes []region.Volume
	var snapshots []region.Snapshot
	sources := map[string]region.Snapshot{}
	if err := h.State.View(func(tx *state.Txn) error {
		volumes = region.VolumesUnsettled.Of(h.Zone).List(tx)
		snapshots = region.SnapshotsUnsettled.Of(h.Zone).List(tx)
		for _, v := range volumes {
			if of, found := region.Snapshots.Get(tx, v.Snapshot); found {
				sources[v.Snapshot] = of
			}
		}
		return nil
	}); err != nil || len(volumes)+len(snapshots) == 0 {
		return 0, err
	}
	var errs []error
	volumes = slices.DeleteFunc(volumes, func(v region.Volume) bool {
		err := h.bringVolume(v, sources[v.Snapshot])
		errs = append(errs, err)
		return err != nil
	})
	snapshots = slices.DeleteFunc(snapshots, func(v region.Snapshot) bool {
		err := h.bringSnapshot(v)
		errs = append(errs, err)
		return err != nil
	})
	err = h.State.Update(ctx, func(tx *state.Txn) error {
		for _, was := range volumes {
			// one that was changed meanwhile is looked at again
			if v, found := region.Volumes.Get(tx, was.ID); found && v.State == was.State {
				h.Network.SettleVolume(tx, v.ID)
			}
		}
		for _, was := range snapshots {
			if v, found := region.Snapshots.Get(tx, was.ID); found && v.State == was.State {
				region.SettleSnapshot(tx, v.ID, h.Now().UTC())
			}
		}
		return nil
	})
	return 0, errors.Join(append(errs, err)...)
}

// bringVolume makes a volume's directory, or deletes it.
func (h *Host) bringVolume(v region.Volume, of region.Snapshot) error {
	dir := datadir.ZoneVolume(h.Zones[h.Zone], v.ID)
	switch {
	case v.State == region.VolumeDeleting:
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("delete volume %s: %w", v.ID, err)
		}
		return nil
	case v.State == region.VolumeCreating && of.ID != "":
		if err := replace(snapshotDir(h.Zones[of.Zone], of.ID), dir); err != nil {
			return fmt.Errorf("make volume %s of %s: %w", v.ID, of.ID, err)
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make volume %s: %w", v.ID, err)
	}
	return nil
}

// bringSnapshot copies what the snapshot's volume holds, or deletes the copy. A copy of a snapshot is made of that one.
func (h *Host) bringSnapshot(v region.Snapshot) error {
	own := h.Zones[h.Zone]
	dir := snapshotDir(own, v.ID)
	if v.State == region.SnapshotDeleted {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("delete snapshot %s: %w", v.ID, err)
		}
		return nil
	}
	from := datadir.ZoneVolume(own, v.VolumeID)
	if v.Source != "" {
		from = snapshotDir(own, v.Source)
	}
	if err := replace(from, dir); err != nil {
		return fmt.Errorf("make snapshot %s of %s: %w", v.ID, filepath.Base(from), err)
	}
	return nil
}

// replace has to hold what from holds, and nothing else. What is not there, such as a volume that nobody has written to, is
// empty. A copy that was broken off is no copy: it gets its name when it is whole.
func replace(from, to string) error {
	draft := to + ".draft"
	if err := errors.Join(os.RemoveAll(draft), os.RemoveAll(to), os.MkdirAll(filepath.Dir(to), 0o700)); err != nil {
		return err
	}
	err := copyTree(from, draft)
	if errors.Is(err, fs.ErrNotExist) {
		err = os.MkdirAll(draft, 0o700)
	}
	if err != nil {
		os.RemoveAll(draft)
		return err
	}
	return os.Rename(draft, to)
}

// copyTree copies directories, files and symbolic links. What is none of these, such as a socket, is in no file system that
// a snapshot is read from again.
func copyTree(from, to string) error {
	if _, err := os.Stat(from); err != nil {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // somebody writes to it meanwhile
				return nil
			}
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		info, err := entry.Info()
		if err != nil {
			return nil //nolint:nilerr // it is gone by now
		}
		switch mode := info.Mode(); {
		case mode.IsDir():
			return os.Mkdir(target, mode.Perm()|0o700)
		case mode&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(link, target)
		case mode.IsRegular():
			return copyFile(path, target, mode.Perm())
		}
		return nil
	})
}
