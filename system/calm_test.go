package system

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tripod/api"
)

// busyLoops is how many processes do nothing but keep the processors from the region.
const busyLoops = 24

// alarms are the events that tell of a death. While everything lives there must be none.
var alarms = []api.EventType{
	api.LeaderChanged, api.TargetUnhealthy, api.InstanceExited, api.InstancePaused, api.ZoneLost, api.ZonePaused, api.QuorumLost,
}

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
	busy := keepBusy(t)
	wrote, state := entries.adds(150, 40*time.Second)
	told := r.status(t).Machine
	given := busy.stop()
	entries.stop()
	falseAlarms := r.alarmsSince(t, before)
	t.Logf("the busy loops got %.0f %% of the machine's processors; alarms: %d; writes: %s", 100*given, len(falseAlarms), state)
	if given < starved && (!wrote || len(falseAlarms) > 0) {
		t.Skipf("this machine's processors are somebody else's: that says nothing about the region")
	}
	if !wrote {
		t.Fatalf("150 more writes: at last %s", state)
	}
	for _, alarm := range falseAlarms {
		t.Error("a false alarm: " + alarm)
	}
	entries.verify(t)
	if _, err := os.Stat("/proc/pressure/cpu"); err == nil && !strings.Contains(told.Trouble, "processor pressure") {
		t.Errorf("the status does not say that the machine is busy: %+v", told)
	}
}

// lastEvent is the number of the newest event.
func (r *testRegion) lastEvent(t testing.TB) (seq uint64) {
	t.Helper()
	must(t, "events", r.Events(within(t, 10*time.Second), 0, false, func(event api.Event) error {
		seq = event.Seq
		return nil
	}))
	return seq
}

// busyMachine is what keeps the processors and the disk from the region.
type busyMachine struct {
	loops  []*exec.Cmd
	since  time.Time
	cancel context.CancelFunc
	synced chan struct{} // closed when nothing is written any more
}

// starved is the share of the machine's processors below which busy loops, which take all they can get, say that the machine itself has next to
// nothing to give: a virtual one whose host has better to do. On two processors of one's own they get more than half beside a region.
const starved = 0.2

// keepBusy takes the processors and the disk until stop or the end of the test.
func keepBusy(t testing.TB) *busyMachine {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	file, err := os.Create(filepath.Join(t.TempDir(), "synced"))
	must(t, "make a file", err)
	busy := &busyMachine{since: time.Now(), cancel: cancel, synced: make(chan struct{})}
	go func() {
		defer close(busy.synced)
		for i := 0; ctx.Err() == nil; i++ {
			fmt.Fprintln(file, i)
			file.Sync()
		}
		file.Close()
	}()
	t.Cleanup(func() { busy.stop() })
	for range busyLoops {
		loop := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		must(t, "start a busy loop", loop.Start())
		busy.loops = append(busy.loops, loop)
	}
	return busy
}

// stop ends what keeps the machine busy, and says which share of all its processors' time that got, from 0 to 1.
func (b *busyMachine) stop() (share float64) {
	b.cancel()
	<-b.synced
	lasted := time.Since(b.since)
	var got time.Duration
	for _, loop := range b.loops {
		loop.Wait()
		got += loop.ProcessState.UserTime() + loop.ProcessState.SystemTime()
	}
	return got.Seconds() / lasted.Seconds() / float64(runtime.NumCPU())
}
