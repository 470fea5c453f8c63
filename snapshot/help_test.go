package snapshot

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/api"
)

// write makes a file and the directories above it, with modes that no data directory has.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// tree is everything below a directory: modes, sizes and texts, by their names.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		found[name] = info.Mode().String()
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			found[name] += fmt.Sprintf(" %d %s", len(text), strings.TrimRight(string(text), "\x00"))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// dataDir is a small data directory with everything that one has.
func dataDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "region")
	for name, text := range map[string]string{
		"tripod.json": `{"schema":1}`, "events.jsonl": "{}\n",
		"pki/region-ca.key": "a key", "logs/up.log": "a log\n", "empty": "",
		"zones/us-east-1a/clusters/AB/shifted-zones.json": "[]",
		"zones/us-east-1a/state/log/1.wal":                strings.Repeat("entries ", 20000),
		// What no snapshot has:
		"lock": "4100", "agents.json": "{}", "control-token": "secret", "kubeconfig": "{}", "links.json": "[]", "disks.json": "[]",
		"chaos/lose-a-zone-1/report.json":             "{}",
		"zones/us-east-1a/agent.json":                 "{}",
		"zones/us-east-1a/state/lock":                 "",
		"zones/us-east-1a/clusters/AB/.etcd.json-123": "half", ".snapshot/tripod.json": "old",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	if err := os.Mkdir(filepath.Join(dir, "zones", "us-east-1a", "state", "snapshots"), 0o755); err != nil {
		t.Fatal(err)
	}
	reserved := filepath.Join(dir, "zones", "us-east-1a", "clusters", "AB", "etcd.wal")
	write(t, reserved, "an entry")
	if err := os.Truncate(reserved, 4_000_000); err != nil {
		t.Fatal(err)
	}
	holes := filepath.Join(dir, "zones", "us-east-1a", "db")
	file, err := os.Create(holes)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, at := range []int64{0, 1 << 19, 1<<20 + 77} {
		if _, err := file.WriteAt([]byte("a page"), at); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.Truncate(2 << 20); err != nil {
		t.Fatal(err)
	}
	return dir
}

// wanted is what a snapshot of dataDir makes.
func wanted(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := tree(t, dir)
	for name, what := range found {
		if leftOut(name) {
			delete(found, name)
			continue
		}
		what = strings.Replace(what, "drwxr-xr-x", "drwx------", 1)
		found[name] = strings.Replace(what, "-rw-r--r--", "-rw-------", 1)
	}
	return found
}

var made = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// about is what a snapshot of a test says of itself.
func about() api.Snapshot {
	return api.Snapshot{Name: "one", CreatedAt: made, Region: "us-east-1", AccountID: "111122223333", Port: 4566,
		PortBase: 20000,
		Clusters: []api.SnapshotCluster{{Name: "demo", Version: "1.36", Status: "ACTIVE"}}}
}

func noProgress(api.SnapshotProgress) {}

// packed is a snapshot of the directory.
func packed(t *testing.T, dir string) []byte {
	t.Helper()
	var out bytes.Buffer
	if _, err := Write(t.Context(), &out, dir, about(), noProgress); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// put writes a file of a test.
func put(t *testing.T, text []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "one.tripod")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// extract makes a directory of a snapshot.
func extract(t *testing.T, path, dir string) error {
	t.Helper()
	r, err := Open(path)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.Extract(t.Context(), dir, noProgress)
}

// forged is an archive of somebody who knows how one is made. Its manifest is about() with the change that edit makes.
func forged(t *testing.T, edit func(*api.Snapshot), heads ...*tar.Header) []byte {
	t.Helper()
	says := about()
	says.Format, says.Schema, says.Entries = 1, 1, len(heads)
	for _, head := range heads {
		says.DataBytes += head.Size
	}
	if edit != nil {
		edit(&says)
	}
	text, err := json.Marshal(says)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for i, head := range append([]*tar.Header{header(manifestName, int64(len(text)), made)}, heads...) {
		if err := archive.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			text = bytes.Repeat([]byte("x"), int(head.Size))
		}
		if head.Typeflag == tar.TypeReg {
			if _, err := archive.Write(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	if archive.Close() != nil || compressed.Close() != nil {
		t.Fatal("the archive cannot be made")
	}
	return out.Bytes()
}
