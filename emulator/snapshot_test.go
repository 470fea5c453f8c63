package emulator

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
	"tripod/client"
	"tripod/internal/options"
	"tripod/internal/process"
	"tripod/snapshot"
)

func noProgress(api.SnapshotProgress) {}

// TestSnapshotsOfARegion is the life of one region beside its snapshots: each step begins where the one before ended.
func TestSnapshotsOfARegion(t *testing.T) {
	t.Parallel() // it waits more than it works
	r := newRegion(t, filepath.Join(t.TempDir(), "region"), func(o *options.Up) { o.Cluster = "demo" })
	r.start(t)
	store := filepath.Join(t.TempDir(), "snapshots")
	for _, step := range []struct {
		name string
		run  func(*testing.T, *testRegion, string)
	}{
		{"zones that are frozen count as well", testFrozen}, {"what was paused stays paused", testSavePaused},
		{"a save that fails leaves nothing", testSaveFails},
		{"a snapshot is the region", testRestoreBeside}, {"a region that is down is saved too", testSaveDown},
		{"a region is put back", testPutBack},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, r, store) }) {
			return
		}
	}
}

// save saves a region that runs.
func (r *testRegion) save(t *testing.T, store, name string) *api.Snapshot {
	t.Helper()
	saved, err := client.New(r.options.DataDir).SaveSnapshot(t.Context(),
		api.SnapshotRequest{Name: name, File: snapshot.Path(store, name)}, noProgress)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// number is that of the last event.
func (r *testRegion) number() uint64 {
	r.Emulator.events.mu.Lock()
	defer r.Emulator.events.mu.Unlock()
	return r.Emulator.events.seq
}

// since are the events after the one with that number.
func (r *testRegion) since(number uint64) (after []api.Event) {
	r.Emulator.events.callback.flush()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, event := range r.events {
		if event.Seq > number {
			after = append(after, event)
		}
	}
	return after
}

// stoppedOnes are those of the processes that a signal has stopped.
func stoppedOnes(pids []int) (stopped []int) {
	for _, pid := range pids {
		if process.Paused(pid) {
			stopped = append(stopped, pid)
		}
	}
	return stopped
}

func testFrozen(t *testing.T, r *testRegion, _ string) {
	before, all := r.number(), pids(r.Status())
	still, err := r.freezer.freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := stoppedOnes(all); len(got) != 12 || !still.holds() {
		t.Errorf("of 12 processes, %v are stopped", got)
	}
	for _, z := range r.zones {
		r.supervisor.observePause(z)
	}
	done := make(chan error, 1)
	go func() {
		done <- r.Do(context.WithoutCancel(t.Context()), api.Order{Target: api.Target{Kind: api.KindZone, Name: "a"},
			Verb: "resume"})
	}() // it has to wait
	if s := r.Status(); s.Phase != api.PhaseReady || len(s.Faults) != 0 {
		t.Errorf("a frozen region is %s, with %+v", s.Phase, s.Faults)
	}
	for range 2 {
		if lasted, err := still.thaw(); err != nil || lasted <= 0 {
			t.Errorf("thaw: %v %v", lasted, err)
		}
	}
	if got := stoppedOnes(all); len(got) != 0 {
		t.Errorf("%v are stopped when thaw returns", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	for _, event := range r.since(before) {
		t.Errorf("told: %+v", event)
	}
}

func testSavePaused(t *testing.T, r *testRegion, store string) {
	r.do(t, "pause", "etcd/b")
	r.do(t, "pause", "az/c")
	eventually(t, "a zone that runs leads the regional state", func() bool { // the election is told, too
		leader := r.Status().State.Leader
		return leader != "" && leader != r.zones[2].name
	}, func() any { return r.Status().State })
	before, all := r.number(), pids(r.Status())
	paused := stoppedOnes(all)
	if len(paused) != 5 {
		t.Fatalf("%v are paused, and not one and four", paused)
	}
	saved := r.save(t, store, "paused")
	if got := stoppedOnes(all); !slices.Equal(got, paused) {
		t.Errorf("%v are paused, and %v were", got, paused)
	}
	for _, event := range r.since(before) {
		if event.Type != "SnapshotSaved" {
			t.Errorf("told: %+v", event)
		}
	}
	m := r.dir.marker
	want := api.Snapshot{Name: "paused", File: snapshot.Path(store, "paused"), Format: 1, Schema: 1, Region: "us-east-1",
		AccountID: m.AccountID, Port: m.Port,
		PortBase: m.PortBase, Clusters: []api.SnapshotCluster{{Name: "demo", Version: "1.36", Status: "ACTIVE"}}}
	got := *saved
	got.Bytes, got.Tripod, got.CreatedAt, got.Entries, got.DataBytes, got.PauseMillis = 0, "", want.CreatedAt, 0, 0, 0
	if diff := cmp.Diff(want, got); diff != "" || saved.PauseMillis <= 0 || saved.DataBytes <= 0 {
		t.Errorf("-want +got:\n%s\n%+v", diff, saved)
	}
	info, err := os.Stat(saved.File)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != saved.Bytes {
		t.Errorf("%v %v", info, err)
	}
	listed, err := snapshot.List(store)
	if diff := cmp.Diff([]api.Snapshot{*saved}, listed); err != nil || diff != "" {
		t.Errorf("-saved +listed:\n%s %v", diff, err)
	}
	r.do(t, "resume", "az/c")
	r.do(t, "resume", "etcd/b")
	r.awaitPhase(t, api.PhaseReady)
}

func testSaveFails(t *testing.T, r *testRegion, store string) {
	all := pids(r.Status())
	connection := client.New(r.options.DataDir)
	for name, c := range map[string]struct {
		request api.SnapshotRequest
		want    string
	}{
		"the name of another": {api.SnapshotRequest{Name: "paused", File: snapshot.Path(store, "paused")},
			"there is a snapshot " + snapshot.Path(store, "paused") + " already"},
		"no name": {api.SnapshotRequest{Name: "../x", File: "/x"}, `"../x" is not a snapshot's name`},
		"no directory": {api.SnapshotRequest{Name: "x", File: r.dir.file("tripod.json", "x.tripod")},
			"cannot make the directory of the snapshot"},
	} {
		_, err := connection.SaveSnapshot(t.Context(), c.request, noProgress)
		var refused *client.APIError
		if !errors.As(err, &refused) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, begins := range map[string]bool{"given up before it begins": true, "given up in the middle": false} {
		ctx, cancel := context.WithCancelCause(t.Context())
		why := errors.New("somebody pressed Ctrl-C")
		if begins {
			cancel(why)
		}
		_, err := r.SaveSnapshot(ctx, api.SnapshotRequest{Name: "x", File: snapshot.Path(store, "x")},
			func(api.SnapshotProgress) { cancel(why) })
		if !errors.Is(err, why) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := stoppedOnes(all); len(got) != 0 {
		t.Errorf("%v are stopped", got)
	}
	if _, err := os.Lstat(r.dir.file(copyName)); err == nil {
		t.Error("the copy is left behind")
	}
	if left, err := os.ReadDir(store); err != nil || len(left) != 1 {
		t.Errorf("beside the first snapshot there is %v: %v", left, err)
	}
	r.awaitPhase(t, api.PhaseReady)
}

// testRestoreBeside makes a second region of the first one, which has gone on, and goes on again after it.
func testRestoreBeside(t *testing.T, r *testRegion, store string) {
	r.create(t, "kept")
	r.awaitCluster(t, "kept", "ACTIVE")
	before := r.awaitPhase(t, api.PhaseReady)
	saved := r.save(t, store, "beside")
	r.remove(t, "kept")
	dir := filepath.Join(t.TempDir(), "copy")
	restore(t, saved.File, dir, false)
	copied := newRegion(t, dir, nil)
	err := copied.Start(t.Context())
	want := "the region in " + r.options.DataDir + " runs and has the same ports as the one in " + dir
	if err == nil || !strings.HasPrefix(err.Error(), want) ||
		!strings.HasSuffix(err.Error(), "stop that one first with 'tripod --data-dir "+r.options.DataDir+" down'") {
		t.Fatalf("a copy beside what it is a copy of: %v", err)
	}
	copied.shutDown(t)
	r.shutDown(t)
	copied = newRegion(t, dir, nil)
	copied.start(t)
	testFileModes(t, copied)
	after := copied.awaitPhase(t, api.PhaseReady)
	if after.AWSEndpoint != before.AWSEndpoint || len(after.Clusters) != 2 || after.Clusters[1].Name != "kept" ||
		after.Clusters[1].ID != before.Clusters[1].ID ||
		after.Clusters[1].Endpoint != before.Clusters[1].Endpoint {
		t.Errorf("before: %+v\nafter: %+v", before, after)
	}
	copied.awaitCluster(t, "kept", "ACTIVE") // by the same credentials
	if err := newRegion(t, r.options.DataDir, nil).Start(t.Context()); err == nil ||
		!strings.HasPrefix(err.Error(), "the region in "+dir+" runs") {
		t.Errorf("what is copied beside its copy: %v", err)
	}
	copied.shutDown(t)
}

func restore(t *testing.T, file, dir string, over bool) {
	t.Helper()
	if _, err := RestoreSnapshot(t.Context(), snapshot.RestoreRequest{File: file, DataDir: dir, Over: over},
		noProgress); err != nil {
		t.Fatal(err)
	}
}

func testSaveDown(t *testing.T, r *testRegion, store string) {
	saved, err := SaveSnapshot(t.Context(), r.options.DataDir,
		api.SnapshotRequest{Name: "down", File: snapshot.Path(store, "down")}, noProgress)
	if err != nil {
		t.Fatal(err)
	}
	if saved.PauseMillis != 0 || !slices.Equal(saved.Clusters,
		[]api.SnapshotCluster{{Name: "demo", Version: "1.36", Status: "ACTIVE"}}) {
		t.Errorf("got %+v", saved)
	}
}

// testPutBack restores over the region itself.
func testPutBack(t *testing.T, r *testRegion, store string) {
	dir := r.options.DataDir
	if _, err := RestoreSnapshot(t.Context(), snapshot.RestoreRequest{File: snapshot.Path(store, "beside"), DataDir: dir},
		noProgress); err == nil ||
		!strings.Contains(err.Error(), "there is a region in "+dir+": restore into another directory with --data-dir, or "+
			"replace that region with --force") {
		t.Errorf("over a region: %v", err)
	}
	restore(t, snapshot.Path(store, "beside"), dir, true)
	again := newRegion(t, dir, nil)
	again.start(t)
	again.awaitCluster(t, "kept", "ACTIVE")
	if _, err := RestoreSnapshot(t.Context(), snapshot.RestoreRequest{File: snapshot.Path(store, "down"), DataDir: dir,
		Over: true}, noProgress); err == nil ||
		!strings.Contains(err.Error(), "another Tripod") {
		t.Errorf("over a region that runs: %v", err)
	}
	again.shutDown(t)
	restore(t, snapshot.Path(store, "down"), dir, true)
	last := newRegion(t, dir, nil)
	last.start(t)
	if all := last.awaitPhase(t, api.PhaseReady).Clusters; len(all) != 1 || all[0].Name != "demo" {
		t.Errorf("put back to when there was one cluster, there are %+v", all)
	}
}

func TestStopEndsASave(t *testing.T) {
	r := newRegion(t, filepath.Join(t.TempDir(), "region"), nil)
	r.start(t)
	all, store := pids(r.Status()), t.TempDir()
	stopped := make(chan error, 1)
	_, err := r.SaveSnapshot(t.Context(), api.SnapshotRequest{Name: "x", File: snapshot.Path(store, "x")},
		func(api.SnapshotProgress) {
			go func() { stopped <- r.Stop(context.WithoutCancel(t.Context())) }()
			<-r.running.Done()
		})
	if !errors.Is(err, errStopping) {
		t.Errorf("got %v", err)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	gone(t, all)
	if left, err := os.ReadDir(store); err != nil || len(left) != 0 {
		t.Errorf("left: %v %v", left, err)
	}
	if _, err := r.freezer.freeze(t.Context()); !errors.Is(err, errStopping) {
		t.Errorf("a region that has stopped is frozen: %v", err)
	}
}
