package emulator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"tripod/api"
	"tripod/internal/datadir"
	"tripod/region"
	"tripod/snapshot"
	"tripod/state"
)

// copyName is the directory in the data directory where a copy is made while the region stands still. It is deleted
// when its snapshot is written, or at the next start.
const copyName = ".snapshot"

// saver saves snapshots of a region that runs, one at a time.
type saver struct {
	*site
	life      *life
	endpoints *endpoints
	freezer   *freezer
	saving    sync.Mutex // held while one is made
}

// Save saves the region, which runs, as one file: as kill -9 of all its processes at one moment would leave it, which
// every region survives. For that moment, a copy's time, it stands still; the file is written from the copy while it
// runs on.
func (v *saver) Save(ctx context.Context, request api.SnapshotRequest,
	each func(api.SnapshotProgress)) (_ *api.Snapshot, err error) {
	if !v.saving.TryLock() {
		return nil, errors.New("another snapshot of the region is being saved: wait for it")
	}
	defer v.saving.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(v.life.running, func() { cancel(errStopping) })()
	draft, err := checkRequest(request)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			draft.Discard()
		}
	}()
	about := describeMarker(v.dir.marker, request)
	for _, c := range v.endpoints.sorted() {
		about.Clusters = append(about.Clusters, api.SnapshotCluster{Name: c.state.Name, Version: c.state.Version,
			Status: string(c.state.Status)})
	}
	staging := v.dir.file(copyName)
	defer os.RemoveAll(staging)
	if err := v.copyStill(ctx, staging, &about); err != nil {
		return nil, diskError(v.dir.path, err)
	}
	if err := writeSnapshot(ctx, draft, staging, &about, each); err != nil {
		return nil, err
	}
	v.emit(api.Event{Type: api.SnapshotSaved, Message: fmt.Sprintf("snapshot %s is saved: %.1f MiB; the region stood "+
		"still for %.0f ms", about.Name,
		float64(about.Bytes)/(1<<20), about.PauseMillis)})
	return &about, nil
}

// checkRequest begins the snapshot's file.
func checkRequest(request api.SnapshotRequest) (*snapshot.Draft, error) {
	if err := snapshot.CheckName(request.Name); err != nil {
		return nil, refusal{sentence: err.Error()}
	}
	if !filepath.IsAbs(request.File) {
		return nil, refuse("%q is no absolute path of a snapshot's file", request.File)
	}
	return snapshot.Create(request.File, request.Over)
}

func describeMarker(m datadir.Marker, request api.SnapshotRequest) api.Snapshot {
	return api.Snapshot{Name: request.Name, File: request.File, CreatedAt: time.Now().UTC(), Region: m.Region,
		AccountID: m.AccountID,
		Port:      m.Port, PortBase: m.PortBase, Clusters: []api.SnapshotCluster{}}
}

// copyStill copies the data directory while the region stands still, and notes since when and for how long.
func (v *saver) copyStill(ctx context.Context, staging string, about *api.Snapshot) error {
	if err := os.RemoveAll(staging); err != nil {
		return err
	}
	if err := os.Mkdir(staging, 0o700); err != nil {
		return err
	}
	if err := snapshot.CheckSpace(v.dir.path); err != nil { // a full disk would hurt the region
		return err
	}
	copier := &snapshot.Copier{From: v.dir.path, To: staging}
	if err := copier.Copy(ctx); err != nil { // most of it: the region has to stand still only for the rest
		return err
	}
	still, err := v.freezer.freeze(ctx)
	if err != nil {
		return err
	}
	about.CreatedAt = still.since.UTC()
	err = copier.Copy(ctx)
	if err == nil {
		err = v.events.copyTo(staging)
	}
	if err == nil && !still.holds() {
		err = errors.New("somebody let processes of the region go on while they were copied: try again")
	}
	if err != nil {
		os.RemoveAll(staging) // before anybody needs the space
	}
	lasted, thawErr := still.thaw()
	about.PauseMillis = float64(lasted.Microseconds()) / 1000
	return errors.Join(err, thawErr)
}

// writeSnapshot writes the file from a data directory that nobody changes, and completes what is known of it.
func writeSnapshot(ctx context.Context, draft *snapshot.Draft, dir string, about *api.Snapshot,
	each func(api.SnapshotProgress)) (err error) {
	if *about, err = snapshot.Write(ctx, draft, dir, *about, each); err == nil {
		var info fs.FileInfo
		if info, err = draft.Stat(); err == nil {
			about.Bytes = info.Size()
			err = draft.Commit()
		}
	}
	return diskError(filepath.Dir(about.File), err)
}

// SaveSnapshot saves the region in dataDir, which does not run, as one file.
func SaveSnapshot(ctx context.Context, dataDir string, request api.SnapshotRequest,
	each func(api.SnapshotProgress)) (_ *api.Snapshot, err error) {
	if _, err := datadir.ReadMarker(dataDir); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no region in %s: make one with 'tripod up'", dataDir)
	}
	dir, err := openDataDir(dataDir)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	if err := dir.checkWhole(); err != nil {
		return nil, err
	}
	if !dir.marker.Founded {
		return nil, fmt.Errorf("the region in %s was never ready: start it once with 'tripod up'", dataDir)
	}
	if err := dir.sweep(); err != nil { // else they might write
		return nil, err
	}
	draft, err := checkRequest(request)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			draft.Discard()
		}
	}()
	about := describeMarker(dir.marker, request)
	if about.Clusters, err = dir.clusters(); err != nil {
		return nil, err
	}
	if err := writeSnapshot(ctx, draft, dir.path, &about, each); err != nil {
		return nil, err
	}
	return &about, nil
}

// clusters are those of the region, which does not run, as the newest of the zones' copies has them.
func (d *dataDir) clusters() ([]api.SnapshotCluster, error) {
	found, newest := []api.SnapshotCluster{}, uint64(0)
	var errs []error
	read := false
	for _, letter := range zoneLetters {
		errs = append(errs, state.Read(d.file("zones", d.marker.Region+letter, "state"), region.Schema,
			func(tx *state.Txn) error {
				read = true
				if tx.Index() < newest {
					return nil
				}
				found, newest = []api.SnapshotCluster{}, tx.Index()
				for _, c := range region.Clusters.List(tx) {
					found = append(found, api.SnapshotCluster{Name: c.Name, Version: c.Version, Status: string(c.Status)})
				}
				return nil
			}))
	}
	if !read {
		return nil, fmt.Errorf("the regional state cannot be read: %w", errors.Join(errs...))
	}
	return found, nil
}
