package diskfault

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// BenchmarkDatasync measures what a write and its sync take, as those of a write-ahead log: in a process that has had no fault yet, and
// once it had one that is healed.
func BenchmarkDatasync(b *testing.B) {
	if err := Supported(); err != nil {
		b.Skip(err)
	}
	child := exec.CommandContext(b.Context(), os.Args[0])
	child.Env = append(os.Environ(), "DISKFAULT_PLAY=cost", "DISKFAULT_DIR="+b.TempDir())
	out, err := child.CombinedOutput()
	if err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	var before, after int64
	if _, err := fmt.Sscan(string(out), &before, &after); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	b.ReportMetric(float64(before), "ns/sync-without")
	b.ReportMetric(float64(after), "ns/sync-healed")
}

func init() {
	plays["cost"] = func(dir string) error {
		f, err := os.Create(filepath.Join(dir, "f"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := allocate(f, 64<<20); err != nil {
			return err
		}
		disk := New()
		block := make([]byte, 4096)
		median := func() (time.Duration, error) {
			var took []time.Duration
			for range 5000 {
				began := time.Now()
				if _, err := f.Write(block); err != nil {
					return 0, err
				}
				if err := datasync(f); err != nil {
					return 0, err
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			return took[len(took)/2], nil
		}
		before, err := median()
		if err != nil {
			return err
		}
		if err := disk.Set(Fault{Fails: Failing}); err != nil {
			return err
		}
		if err := disk.Set(Fault{}); err != nil {
			return err
		}
		after, err := median()
		fmt.Println(before.Nanoseconds(), after.Nanoseconds())
		return err
	}
}
