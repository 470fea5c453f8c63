package process

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestDirectoryOfAKilledProcessIsSweptAndThoseOfOthersAreNot(t *testing.T) {
	child, reports := run(t, "directory", nil)
	var left string
	if err := json.Unmarshal(next(t, reports), &left); err != nil {
		t.Fatal(err)
	}
	parent := filepath.Dir(left)
	own, release, err := Directory(parent)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(own); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v (%v), want 0700", info.Mode(), err)
	}
	if err := os.WriteFile(filepath.Join(left, "token"), nil, 0o600); err != nil {
		t.Fatalf("a living process has lost its directory: %v", err)
	}
	child.Kill()
	for range 2 {
		if err := SweepDirectories(parent); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the directory of a killed process is there: %v", err)
	}
	if _, err := os.Stat(own); err != nil {
		t.Errorf("a sweep took the directory of a living process: %v", err)
	}
	release()
	if entries, err := os.ReadDir(parent); err != nil || len(entries) != 0 {
		t.Errorf("left: %v (%v)", entries, err)
	}
}

func TestNextDirectorySweepsToo(t *testing.T) {
	child, reports := run(t, "directory", nil)
	var left string
	if err := json.Unmarshal(next(t, reports), &left); err != nil {
		t.Fatal(err)
	}
	child.Kill()
	_, release, err := Directory(filepath.Dir(left))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("the directory of a killed process is there: %v", err)
	}
}

func TestSweepOfNothingIsNoError(t *testing.T) {
	if err := SweepDirectories(filepath.Join(t.TempDir(), "none")); err != nil {
		t.Error(err)
	}
}
