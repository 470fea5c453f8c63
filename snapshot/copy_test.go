package snapshot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestCopyAgainCopiesWhatHasChanged plays a region between the first copy and the second.
func TestCopyAgainCopiesWhatHasChanged(t *testing.T) {
	dir, to := dataDir(t), t.TempDir()
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{"pki/region-ca.key", "empty", "zones/us-east-1a/state/log/1.wal", "logs/up.log"} {
		if err := os.Chtimes(at(name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	write(t, at("zones", "us-east-1b", "state", "gone"), "x")
	write(t, at("becomes a directory"), "x")
	write(t, at("becomes a file", "x"), "x")
	write(t, at("logs", "set aside.log"), strings.Repeat("line\n", 1000))
	c := &Copier{From: dir, To: to}
	if err := c.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	// What a second copy need not touch keeps this mark.
	for _, name := range []string{"pki/region-ca.key", "logs/up.log"} {
		if err := os.Chtimes(filepath.Join(to, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	stamp := func(name, text string) { // changed within the same tick, and to the same size
		t.Helper()
		info, err := os.Stat(at(name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, at(name), text)
		if err := os.Chtimes(at(name), info.ModTime(), info.ModTime()); err != nil {
			t.Fatal(err)
		}
	}
	stamp("events.jsonl", "[]\n")
	write(t, at("zones", "us-east-1a", "state", "log", "1.wal"), "shorter")
	write(t, at("zones", "us-east-1a", "state", "log", "2.wal"), "new")
	write(t, at("zones", "us-east-1c", "new", "file"), "new")
	log, err := os.OpenFile(at("logs", "up.log"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := log.WriteString("another line\n"); err != nil {
		t.Fatal(err)
	}
	log.Close()
	for _, err := range []error{
		os.RemoveAll(at("zones", "us-east-1b")), os.Remove(at("becomes a directory")), os.RemoveAll(at("becomes a file")),
		os.Rename(at("logs", "set aside.log"), at("logs", "set aside-1.log")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	write(t, at("becomes a directory", "x"), "y")
	write(t, at("becomes a file"), "y")
	write(t, at("logs", "set aside.log"), "a new one\n")
	if err := c.Copy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wanted(t, dir), tree(t, to)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	info, err := os.Stat(filepath.Join(to, "pki", "region-ca.key"))
	if err != nil || !info.ModTime().Equal(old) {
		t.Errorf("what has not changed for an hour was copied again: %v %v", info.ModTime(), err)
	}
}
