package system

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"tripod/client/tripodtest"
)

// TestTheExampleHolds: the tests of another module, as README has people write them, run against a region that they start themselves, and
// which ends by itself.
func TestTheExampleHolds(t *testing.T) {
	t.Parallel()
	dir := newDir(t)
	command := exec.CommandContext(within(t, 8*time.Minute), "go", "test", "-count=1", "-timeout", "7m", ".")
	command.Dir = filepath.Join("..", "examples", "mirror")
	command.Env = append(os.Environ(), tripodtest.BinaryVariable+"="+binary, tripodtest.DataDirVariable+"="+dir)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if len(processesOf(dir)) == 0 {
		t.Error("the region has ended with the tests: others would have to start their own")
	}
}

// TestARegionNobodyUsesEnds: up --down-after.
func TestARegionNobodyUsesEnds(t *testing.T) {
	t.Parallel()
	r := bringUp(t, newDir(t), "--cluster", "none", "--down-after", "2s")
	eventually(t, time.Minute, "the region has ended", func() (bool, string) {
		left := processesOf(r.dir)
		return len(left) == 0, "there are processes"
	})
}
