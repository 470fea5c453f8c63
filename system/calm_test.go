package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"tripod/client"
)

// busyLoops is how many processes do nothing but keep the processors from the region.
const busyLoops = 24

// alarms are the events that tell of a death. While everything lives there must be none.
var alarms = []string{"LeaderChanged", "TargetUnhealthy", "InstanceExited", "InstancePaused", "ZoneLost", "ZonePaused", "QuorumLost"}

// TestBusyMachineCountsNobodyForDead has a region work on a machine whose processors and disk have far too much to do. It runs alone: other tests
// would only wait.
func TestBusyMachineCountsNobodyForDead(t *testing.T) {
	r := startRegion(t)
	for _, target := range []string{"etcd", "apiserver", "controllers"} {
		for _, zone := range []string{"a", "b", "c"} {
			r.await(t, time.Minute, target+"/"+zone, "ready")
		}
	}
	entries := keepWriting(t, r, "calm")
	entries.goesOn(t, 5, 30*time.Second) // the client has its token: to start a program for that takes long on a busy machine
	before := r.lastEvent(t)
	keepBusy(t)
	entries.goesOn(t, 150, 2*time.Minute)
	told := r.status(t).Machine
	entries.stop()
	entries.verify(t)
	must(t, "events", r.Events(within(t, 10*time.Second), before, false, func(event client.Event) error {
		if slices.Contains(alarms, event.Type) {
			t.Errorf("a false alarm: %s: %s", event.Type, event.Message)
		}
		return nil
	}))
	if _, err := os.Stat("/proc/pressure/cpu"); err == nil && !strings.Contains(told.Trouble, "processor pressure") {
		t.Errorf("the status does not say that the machine is busy: %+v", told)
	}
}

// lastEvent is the number of the newest event.
func (r *testRegion) lastEvent(t testing.TB) (seq uint64) {
	t.Helper()
	must(t, "events", r.Events(within(t, 10*time.Second), 0, false, func(event client.Event) error {
		seq = event.Seq
		return nil
	}))
	return seq
}

// keepBusy takes the processors and the disk until the end of the test.
func keepBusy(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	file, err := os.Create(filepath.Join(t.TempDir(), "synced"))
	must(t, "make a file", err)
	synced := make(chan struct{})
	go func() {
		defer close(synced)
		for i := 0; ctx.Err() == nil; i++ {
			fmt.Fprintln(file, i)
			file.Sync()
		}
		file.Close()
	}()
	var loops []*exec.Cmd
	for range busyLoops {
		loop := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		must(t, "start a busy loop", loop.Start())
		loops = append(loops, loop)
	}
	t.Cleanup(func() {
		cancel()
		<-synced
		for _, loop := range loops {
			loop.Wait()
		}
	})
}
