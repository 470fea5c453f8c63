package cli

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/snapshot"
)

// snapshots runs the command line with a directory of snapshots.
func snapshots(t *testing.T, programs Programs, dataDir, store string, args ...string) result {
	t.Helper()
	return tripodWith(t, programs, []string{"HOME=" + t.TempDir(), "TRIPOD_DATA_DIR=" + dataDir, "TRIPOD_SNAPSHOT_DIR=" +
		store}, append([]string{"snapshot"}, args...)...)
}

func TestSnapshotSaysWhatIsWrong(t *testing.T) {
	dataDir, store := newDataDir(t), t.TempDir()
	for _, test := range []struct {
		args   string
		code   int
		stderr string
	}{
		{"", 2, "name what to do: save, list, restore or delete"},
		{"save", 2, "takes the snapshot's name and perhaps a file"},
		{"save a b c", 2, "takes the snapshot's name and perhaps a file"},
		{"save ../x", 2, `"../x" is not a snapshot's name`},
		{"save x", 1, "this build of tripod has no snapshots"},
		{"list x", 2, "takes no arguments"},
		{"list -o yaml", 2, "-o yaml is not a format of snapshot list: use table or json"},
		{"restore", 2, "takes one snapshot: 'tripod snapshot list' has their names"},
		{"restore x", 1, "this build of tripod has no snapshots"},
		{"delete", 2, "takes one snapshot"},
		{"delete ../x", 2, "is not a snapshot's name"},
		{"delete x", 1, "there is no snapshot x in " + store},
	} {
		got := snapshots(t, Programs{}, dataDir, store, strings.Fields(test.args)...)
		if got.code != test.code || !strings.Contains(got.stderr, test.stderr) {
			t.Errorf("%s: got %+v, want %d %q", test.args, got, test.code, test.stderr)
		}
	}
}

func TestSaveAsksTheRegionThatRuns(t *testing.T) {
	dataDir, store := newDataDir(t), t.TempDir()
	region := newSupervisor(t, dataDir, testStatus())
	var asked api.SnapshotRequest
	region.set(func(s *supervisor) {
		s.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method+r.URL.Path != "POST/v1/snapshots" {
				return false
			}
			json.NewDecoder(r.Body).Decode(&asked)
			lines := json.NewEncoder(w)
			lines.Encode(api.SnapshotAnswer{Progress: &api.SnapshotProgress{Done: 1, Total: 2}})
			if asked.Name == "bad" {
				lines.Encode(api.SnapshotAnswer{Error: "the disk of /data is full: free some space"})
				return true
			}
			lines.Encode(api.SnapshotAnswer{Saved: &api.Snapshot{Name: asked.Name, File: asked.File, Bytes: 5 << 19,
				Region: "us-east-1", PauseMillis: 78.4}})
			return true
		}
	})
	got := snapshots(t, Programs{}, dataDir, store, "save", "lab")
	want := "Saved the region us-east-1 as " + snapshot.Path(store, "lab") + " (2.5 MiB); it stood still for 78 ms.\n"
	if got.code != 0 || got.stdout != want || asked != (api.SnapshotRequest{Name: "lab",
		File: snapshot.Path(store, "lab")}) {
		t.Errorf("got %+v, asked for %+v", got, asked)
	}
	got = snapshots(t, Programs{}, dataDir, store, "save", "lab", "--force", "other.tripod")
	here, err := filepath.Abs("other.tripod")
	if err != nil || got.code != 0 || asked != (api.SnapshotRequest{Name: "lab", File: here, Over: true}) {
		t.Errorf("got %+v, asked for %+v", got, asked)
	}
	if got = snapshots(t, Programs{}, dataDir, store, "save", "bad"); got.code != 1 ||
		got.stderr != "tripod: the disk of /data is full: free some space\n" {
		t.Errorf("got %+v", got)
	}
	programs := Programs{RestoreSnapshot: func(context.Context, snapshot.RestoreRequest,
		func(api.SnapshotProgress)) (*api.Snapshot, error) {
		return nil, errors.New("it was called")
	}}
	if got = snapshots(t, programs, dataDir, store, "restore", "lab", "--force"); got.code != 1 ||
		!strings.Contains(got.stderr, "a region runs in "+dataDir) {
		t.Errorf("over a region that runs: %+v", got)
	}
}

func TestSnapshotsOfARegionThatIsDown(t *testing.T) {
	dataDir, store := newDataDir(t), t.TempDir()
	about := api.Snapshot{Region: "us-east-1", CreatedAt: testNow(),
		Clusters: []api.SnapshotCluster{{Name: "demo", Version: "1.36", Status: "ACTIVE"},
			{Name: "b\x1b[2J", Version: "1.35", Status: "FAILED"}}}
	var restored []snapshot.RestoreRequest
	programs := Programs{
		SaveSnapshot: func(_ context.Context, dir string, request api.SnapshotRequest,
			_ func(api.SnapshotProgress)) (*api.Snapshot, error) {
			if dir != dataDir {
				return nil, errors.New("of another region")
			}
			saved := about
			saved.File = request.File
			return &saved, nil
		},
		RestoreSnapshot: func(_ context.Context, request snapshot.RestoreRequest,
			_ func(api.SnapshotProgress)) (*api.Snapshot, error) {
			restored = append(restored, request)
			return &about, nil
		},
	}
	if got := snapshots(t, programs, dataDir, store, "save", "lab"); got.code != 0 ||
		!strings.HasSuffix(got.stdout, "; it was down.\n") {
		t.Errorf("got %+v", got)
	}
	got := snapshots(t, programs, dataDir, store, "restore", "lab")
	if got.code != 0 || !strings.Contains(got.stdout,
		"into "+dataDir+`, with the clusters demo 1.36, b\x1b[2J 1.35 FAILED ('tripod up' starts it)`) {
		t.Errorf("got %+v", got)
	}
	snapshots(t, programs, dataDir, store, "restore", "./lab", "--force")
	snapshots(t, programs, dataDir, store, "restore", "lab.tripod")
	here, err := os.Getwd()
	want := []snapshot.RestoreRequest{
		{File: snapshot.Path(store, "lab"), DataDir: dataDir},
		{File: filepath.Join(here, "lab"), DataDir: dataDir, Over: true},
		{File: filepath.Join(here, "lab.tripod"), DataDir: dataDir},
	}
	if err != nil || !slices.Equal(restored, want) {
		t.Errorf("restored %+v, want %+v", restored, want)
	}
}

func TestSnapshotListAndDelete(t *testing.T) {
	dataDir, store := newDataDir(t), t.TempDir()
	if got := snapshots(t, Programs{}, dataDir, store, "list"); got.code != 0 ||
		got.stdout != "There are no snapshots in "+store+" ('tripod snapshot save NAME' makes one).\n" {
		t.Errorf("got %+v", got)
	}
	for i, name := range []string{"empty", "lab"} {
		region := t.TempDir()
		write(t, filepath.Join(region, "tripod.json"), "{}")
		file, err := os.Create(snapshot.Path(store, name))
		if err != nil {
			t.Fatal(err)
		}
		about := api.Snapshot{CreatedAt: time.Now().Add(-time.Duration(5-i) * time.Hour), Region: "us-east-1"}
		if name == "lab" {
			about.Clusters = []api.SnapshotCluster{{Name: "demo", Version: "1.36", Status: "ACTIVE"},
				{Name: "b\x1b[2J", Version: "1.35", Status: "CREATING"}}
		}
		if _, err := snapshot.Write(t.Context(), file, region, about, func(api.SnapshotProgress) {}); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	write(t, snapshot.Path(store, "text"), "text")
	got := snapshots(t, Programs{}, dataDir, store, "list")
	want := "NAME                   AGE      SIZE  REGION          CLUSTERS\n" +
		"empty                   5h   0.0 MiB  us-east-1       none\n" +
		"lab                     4h   0.0 MiB  us-east-1       demo 1.36, b\\x1b[2J 1.35 CREATING\n" +
		"text                    0s   0.0 MiB  -               " + snapshot.Path(store, "text") +
		" is no snapshot of Tripod's, or is damaged (unexpected EOF)\n"
	if got.code != 0 || got.stdout != want {
		t.Errorf("got\n%s%+v\nwant\n%s", got.stdout, got, want)
	}
	got = snapshots(t, Programs{}, dataDir, store, "list", "-o", "json")
	var found []api.Snapshot
	if err := json.Unmarshal([]byte(got.stdout), &found); err != nil || len(found) != 3 ||
		found[1].Clusters[0].Name != "demo" || found[2].Damage == "" {
		t.Errorf("got %+v %v", got, err)
	}
	if got := snapshots(t, Programs{}, dataDir, store, "delete", "lab"); got.code != 0 ||
		got.stdout != "Deleted "+snapshot.Path(store, "lab")+".\n" {
		t.Errorf("got %+v", got)
	}
	if _, err := os.Stat(snapshot.Path(store, "lab")); !os.IsNotExist(err) {
		t.Errorf("it is still there: %v", err)
	}
}
