package volumes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"tripod/internal/datadir"
	"tripod/internal/reconcile"
	"tripod/region"
	"tripod/state"
)

// FileSystemsLoop brings EFS file systems and mount targets on: those of the zone, and where the regional state is led those
// file systems that are the region's. It rests while nothing of them is to change.
func (h *Host) FileSystemsLoop() reconcile.Loop {
	return reconcile.Loop{Key: "bring file systems on", Watch: h.State.Watch, Do: h.BringFileSystems, Logger: h.Logger,
		Pauses: reconcile.Pauses{First: time.Second, Most: 30 * time.Second}}
}

// BringFileSystems does what there is to do. What it does to directories can be done again: the records say so only afterwards.
func (h *Host) BringFileSystems(ctx context.Context) (again time.Duration, err error) {
	var systems []region.FileSystem
	var targets []region.MountTarget
	if err := h.State.View(func(tx *state.Txn) error {
		systems = region.FileSystemsUnsettled.Of(h.Zone).List(tx)
		if h.Leads() { // a change of the lead wakes it
			systems = append(systems, region.FileSystemsUnsettled.Of("region").List(tx)...)
		}
		targets = region.MountTargetsUnsettled.Of(h.Zone).List(tx)
		return nil
	}); err != nil || len(systems)+len(targets) == 0 {
		return 0, err
	}
	var errs []error
	systems = slices.DeleteFunc(systems, func(f region.FileSystem) bool {
		err := h.bringFileSystem(f)
		errs = append(errs, err)
		return err != nil
	})
	err = h.State.Update(ctx, func(tx *state.Txn) error {
		for _, was := range systems {
			// one that was changed meanwhile is looked at again
			if f, found := region.FileSystems.Get(tx, was.ID); found && f.State == was.State {
				region.SettleFileSystem(tx, f.ID)
			}
		}
		for _, was := range targets {
			if m, found := region.MountTargets.Get(tx, was.ID); found && m.State == was.State {
				region.SettleMountTarget(tx, m.ID)
			}
		}
		return nil
	})
	return 0, errors.Join(append(errs, err)...)
}

// bringFileSystem makes a file system's directory, or deletes it.
func (h *Host) bringFileSystem(f region.FileSystem) error {
	dir := datadir.FileSystem(h.DataDir, f.Zone, f.ID)
	if f.State == region.FileSystemDeleting {
		if err := os.RemoveAll(dir); err != nil {
			return fmt.Errorf("delete file system %s: %w", f.ID, err)
		}
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make file system %s: %w", f.ID, err)
	}
	return nil
}
