package state

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// readARN is arn of a voter that does not run.
func readARN(t *testing.T, dir, name string) (arn string, index uint64) {
	t.Helper()
	if err := Read(dir, testSchema, func(tx *Txn) error {
		user, _ := users.Get(tx, name)
		arn, index = user.ARN, tx.Index()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return arn, index
}

func TestWhatAVoterHasLeftIsRead(t *testing.T) {
	r := startRegion(t)
	leader := r.agree(t)
	put(t, r.voters[leader], "x", "in the snapshot")
	if err := r.voters[leader].running().raft.Snapshot().Error(); err != nil {
		t.Fatal(err)
	}
	put(t, r.voters[leader], "y", "in the log")
	dir := filepath.Join(r.dir, leader)
	err := Read(dir, testSchema, func(*Txn) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "is in use by another process") {
		t.Errorf("while it runs: %v", err)
	}
	r.voters[leader].Kill()
	for range 2 {
		for name, want := range map[string]string{"x": "in the snapshot", "y": "in the log"} {
			if got, index := readARN(t, dir, name); got != want || index == 0 {
				t.Errorf("%s: got %q at %d, want %q", name, got, index, want)
			}
		}
	}
	if err := r.voters[leader].Start(t.Context()); err != nil {
		t.Fatalf("after it was read: %v", err)
	}
	wantARN(t, r.voters[leader], "y", "in the log")
	none := t.TempDir()
	if err := Read(none, testSchema, func(*Txn) error { return nil }); err == nil {
		t.Error("an empty directory is read")
	}
	if left, _ := os.ReadDir(none); len(left) != 0 {
		t.Errorf("to read an empty directory leaves %v", left)
	}
}
