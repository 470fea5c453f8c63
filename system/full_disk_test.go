//go:build linux

package system

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestFullDiskIsSaid starts a region on a disk that is too small for it, and again on the same disk once it has room.
func TestFullDiskIsSaid(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root on Linux can make a small disk")
	}
	dir := newDir(t)
	disk := filepath.Dir(dir)
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=16m,mode=700"); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(disk, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	begin := time.Now()
	refused(t, dir, 1, "full", "up", "--port", "0")
	refused(t, dir, 1, "full", "up", "--detach")
	t.Logf("it was said twice within %.1f s", time.Since(begin).Seconds())
	noProcesses(t, dir)
	must(t, "give the disk room", unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT, "size=2g"))
	r := bringUp(t, dir)
	namespace(t, r.kube(t), "room")
	must(t, "down", r.Close(within(t, 60*time.Second)))
}
