package process

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestProcessSetsItsLogAsideAndLosesNoLine: the process holds the log open all the while, is killed in the end, and
// comes back to the same log.
func TestProcessSetsItsLogAsideAndLosesNoLine(t *testing.T) {
	var path string
	child, reports := run(t, "talker", func(s *Spec) { path = s.Log })
	var last int
	if err := json.Unmarshal(next(t, reports), &last); err != nil {
		t.Fatal(err)
	}
	child.Kill()
	files := LogFiles(path)
	if len(files) != 1+asideMost {
		t.Fatalf("got files %v", files)
	}
	at := -1
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil || info.Mode().Perm() != 0o600 || name != path && info.Size() <= LogMost {
			t.Errorf("%s: got %v %d bytes (%v)", name, info.Mode(), info.Size(), err)
		}
		at = numbered(t, name, at)
	}
	if at != last {
		t.Errorf("the last line is %d, want %d", at, last)
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	failing, err := Start(Spec{Name: "etcd/a", Path: os.Args[0], Log: path, Env: []string{childEnv + "=fail"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := failing.Err().Error(); !strings.Contains(got, "the disk is full") {
		t.Errorf("got %q", got)
	}
	if after, err := os.Stat(path); err != nil || !os.SameFile(before, after) || after.Size() <= before.Size() {
		t.Errorf("it does not come back to its log: %v", err)
	}
}

// numbered checks that a log's lines have the numbers behind at, which is -1 for whichever they begin with, and returns
// the last.
func numbered(t *testing.T, name string, at int) int {
	t.Helper()
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var n int
		if _, err := fmt.Sscanf(lines.Text(), "%09d ", &n); err != nil || at >= 0 && n != at+1 {
			t.Fatalf("%s: line %.20q follows line %d: %v", name, lines.Text(), at, err)
		}
		at = n
	}
	return at
}

func TestLogThatIsLargeAtAStartIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "child.log")
	if err := os.WriteFile(path, make([]byte, LogMost+1), 0o600); err != nil {
		t.Fatal(err)
	}
	child, err := Start(Spec{Name: "etcd/a", Path: os.Args[0], Log: path, Env: []string{childEnv + "=panic"}})
	if err != nil {
		t.Fatal(err)
	}
	if got := child.Err().Error(); !strings.Contains(got, "out of ideas") {
		t.Errorf("got %q", got)
	}
	if files := LogFiles(path); len(files) != 2 || !IsAside(files[0]) || IsAside(files[1]) {
		t.Errorf("got %v", files)
	}
}

func TestLogOfThisProcessIsSetAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "up.log")
	log, err := OpenLog(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	for i := range 5 * (LogMost>>20 + 1) {
		if _, err := log.Write([]byte(fmt.Sprintf("%09d %s\n", i, strings.Repeat("x", 1<<20)))); err != nil {
			t.Fatal(err)
		}
	}
	if files := LogFiles(path); len(files) != 1+asideMost || files[asideMost] != path {
		t.Errorf("got %v", files)
	}
}

func TestLogFilesAreThoseOfOneLog(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"etcd-AB-2026-11-25T16-00-00.000.log", "etcd-AB.log",
		"etcd-AB-2025-11-25T16-00-00.000.log", "etcd-ABC.log", "etcd-ABC-2026-11-25T16-00-00.000.log",
		"etcd-AB-2026.log", "etcd.log", "etcd-AB.log.1"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "etcd-AB.log")
	want := []string{filepath.Join(dir, "etcd-AB-2025-11-25T16-00-00.000.log"),
		filepath.Join(dir, "etcd-AB-2026-11-25T16-00-00.000.log"), path}
	if diff := cmp.Diff(want, LogFiles(path)); diff != "" {
		t.Error(diff)
	}
	if err := setAside(path, time.Date(2026, 11, 25, 16, 0, 0, 0, time.UTC)); err != nil { // a name that is taken
		t.Fatal(err)
	}
	want = []string{filepath.Join(dir, "etcd-AB-2026-11-25T16-00-00.000.log"),
		filepath.Join(dir, "etcd-AB-2026-11-25T16-00-00.001.log")}
	if diff := cmp.Diff(want, LogFiles(path)); diff != "" {
		t.Error(diff)
	}
}
