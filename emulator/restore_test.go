package emulator

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tripod/api"
	"tripod/snapshot"
)

// someSnapshot is the snapshot of a directory with a marker and one file.
func someSnapshot(t *testing.T, marker string) string {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "tripod.json"), marker)
	write(t, filepath.Join(dir, "pki", "region-ca.crt"), "new")
	var out bytes.Buffer
	about := api.Snapshot{Name: "some", Region: "us-east-1", AccountID: "111122223333", Port: 4566, PortBase: 20000}
	if _, err := snapshot.Write(t.Context(), &out, dir, about, noProgress); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "some.tripod")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const someMarker = `{"schema":1,"region":"us-east-1","accountId":"111122223333",` +
	`"port":4566,"portBase":20000,"founded":true}`

func TestRestoreThatIsRefusedLeavesEverythingAsItWas(t *testing.T) {
	good := someSnapshot(t, someMarker)
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.tripod")
	write(t, half, string(text[:len(text)/2]))
	nothing := func(string) {}
	region := func(dir string) {
		write(t, filepath.Join(dir, "tripod.json"), `{"schema":1,"region":"us-east-1"}`)
		write(t, filepath.Join(dir, "pki", "region-ca.crt"), "old")
		write(t, filepath.Join(dir, "lock"), "1")
		os.Chmod(dir, 0o700)
	}
	for name, c := range map[string]struct {
		file string
		make func(dir string)
		over bool
		want string
	}{
		"a file that is not there": {"/none.tripod", nothing, false,
			"cannot open the snapshot /none.tripod: no such file or directory"},
		"half a file":                {half, nothing, false, "half.tripod is "},
		"half a file, over a region": {half, region, true, "half.tripod is "},
		"no region in it": {someSnapshot(t, `{"schema":1}`), nothing, false,
			"its tripod.json is not what its manifest says"},
		"one that was never ready": {someSnapshot(t, strings.Replace(someMarker, `,"founded":true`, "", 1)), region, true,
			"its tripod.json is not what its manifest says"},
		"another port than it says": {someSnapshot(t, strings.Replace(someMarker, "4566", "4567", 1)), nothing, false,
			"its tripod.json is not what its manifest says"},
		"over somebody's files": {good, func(dir string) { write(t, filepath.Join(dir, "thesis.tex"), "x") }, true,
			"holds files that are not Tripod's (thesis.tex)"},
		"over a region, by mistake": {good, region, false, "or replace that region with --force"},
		"over a region of the future": {good,
			func(dir string) { write(t, filepath.Join(dir, "tripod.json"), `{"schema":2}`) }, true,
			"was made by a newer Tripod (schema 2"},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			dir := filepath.Join(parent, "region")
			c.make(dir)
			before := tree(t, parent)
			_, err := RestoreSnapshot(t.Context(), snapshot.RestoreRequest{File: c.file, DataDir: dir, Over: c.over}, noProgress)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want %q", err, c.want)
			}
			os.WriteFile(filepath.Join(dir, "lock"), []byte("1"), 0o600) // which says who took the directory last
			if strings.Contains(before, "/lock ") {
				if after := tree(t, parent); after != before {
					t.Errorf("before:\n%s\nafter:\n%s", before, after)
				}
				return
			}
			os.Remove(filepath.Join(dir, "lock"))
			if after := tree(t, parent); after != before {
				t.Errorf("before:\n%s\nafter:\n%s", before, after)
			}
		})
	}
}

// TestRestoreThatWasKilledIsNoticed leaves the directory as it is at each of the steps.
func TestRestoreThatWasKilledIsNoticed(t *testing.T) {
	file := someSnapshot(t, someMarker)
	for name, c := range map[string]struct {
		leave  func(dir string)
		usable bool // what is there is whole
	}{
		"while a new one was unpacked": {func(dir string) {
			write(t, filepath.Join(dir, extractName, "tripod.json"),
				someMarker)
		}, true},
		"while it was unpacked over a region": {func(dir string) {
			write(t, filepath.Join(dir, "tripod.json"), someMarker)
			write(t, filepath.Join(dir, extractName, "pki", "x"), "half")
		}, true},
		"when it began to replace": {func(dir string) {
			write(t, filepath.Join(dir, restoringName, "tripod.json"), someMarker)
			write(t, filepath.Join(dir, restoringName, "pki", "region-ca.crt"), "new")
		}, false},
		"when half was replaced": {func(dir string) {
			write(t, filepath.Join(dir, "tripod.json"), someMarker)
			write(t, filepath.Join(dir, "pki", "region-ca.crt"), "old")
			write(t, filepath.Join(dir, restoringName, "zones", "x"), "new")
		}, false},
		"when another one had been, too": {func(dir string) {
			write(t, filepath.Join(dir, "tripod.json"), someMarker)
			write(t, filepath.Join(dir, restoringName, "zones", "x"), "new")
			write(t, filepath.Join(dir, extractName, "zones", "x"), "newer")
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "region")
			c.leave(dir)
			d, err := openDataDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			err = d.checkWhole()
			d.close()
			want := "a snapshot was being restored into " + dir + " when that was cut short: restore it again with --force"
			if c.usable != (err == nil) || err != nil && !strings.HasPrefix(err.Error(), want) {
				t.Errorf("got %v", err)
			}
			restore(t, file, dir, true)
			got := tree(t, dir)
			for _, left := range []string{extractName, restoringName, "zones", "old"} {
				if strings.Contains(got, left) {
					t.Errorf("after a restore there is %s:\n%s", left, got)
				}
			}
			if text, err := os.ReadFile(filepath.Join(dir, "pki", "region-ca.crt")); err != nil || string(text) != "new" {
				t.Errorf("got %s %v", text, err)
			}
		})
	}
}
