package region

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// writesStatus is a line that gives a record one of this package's statuses.
var writesStatus = regexp.MustCompile(`\bStatus\b(:|[^=!<>]* =) .*region\.(Cluster|Update)[A-Z]`)

// Statuses change in this package alone: who has another transition in mind adds a function here, and its test.
func TestNobodyElseWritesStatuses(t *testing.T) {
	for _, folder := range []string{"az", "awsapi", "emulator", "nodes"} {
		err := filepath.WalkDir(filepath.Join("..", folder), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for n, line := range strings.Split(string(text), "\n") {
				if writesStatus.MatchString(line) {
					t.Errorf("%s:%d writes a status: %s", path, n+1, strings.TrimSpace(line))
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		`c.Status = region.ClusterActive`, `c.Status, c.Rollout = region.ClusterActive, nil`,
		`made := region.Update{ID: id, Status: region.UpdateInProgress}`,
	} {
		if !writesStatus.MatchString(line) {
			t.Errorf("this would not be found: %s", line)
		}
	}
	for _, line := range []string{`if c.Status == region.ClusterActive {`, `case c.Status != region.ClusterActive:`} {
		if writesStatus.MatchString(line) {
			t.Errorf("this would be taken for one: %s", line)
		}
	}
}
