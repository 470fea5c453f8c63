package system

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"tripod/api"
)

// busyLoops is how many processes do nothing but keep the processors from the region: two for each processor, in a long
// campaign twelve.
func busyLoops() int {
	if soaking > 0 {
		return 12 * runtime.NumCPU()
	}
	return 2 * runtime.NumCPU()
}

// alarms are the events that tell of a death. While everything lives there must be none.
var alarms = []api.EventType{
	api.LeaderChanged, api.TargetUnhealthy, api.InstanceExited, api.InstancePaused, api.ZoneLost, api.ZonePaused,
	api.QuorumLost,
}

// TestBusyMachineCountsNobodyForDead has a region work on a machine whose processors and disk have far too much to do.
// It runs alone: other tests would only wait.
func TestBusyMachineCountsNobodyForDead(t *testing.T) {
	r := startRegion(t)
	for _, target := range []string{"etcd", "apiserver", "controllers"} {
		for _, zone := range []string{"a", "b", "c"} {
			r.await(t, time.Minute, target+"/"+zone, "ready")
		}
	}
	// Who leads first is news, too, and may come after all is ready.
	eventually(t, time.Minute, "all that is led has its leader", func() (bool, string) {
		var led []string
		for _, zone := range r.status(t).Zones {
			for _, instance := range zone.Instances {
				led = append(led, instance.Leads...)
			}
		}
		return len(led) == 4, strings.Join(led, ", ") // etcd and three kinds of controllers
	})
	entries := keepWriting(t, r, "calm")
	// the client has its token: to start a program for that takes long on a busy machine
	entries.goesOn(t, 5, 30*time.Second)
	before := r.lastEvent(t)
	busy := keepBusy(t, busyLoops())
	wrote, state := entries.adds(150, 40*time.Second)
	told, said := poll(10*time.Second, func() (bool, string) { // the kernel's figure is of ten seconds
		status, err := r.Status(within(t, 10*time.Second))
		if err != nil {
			return false, err.Error()
		}
		return strings.Contains(status.Machine.Trouble, "processor pressure"), status.Machine.Trouble
	})
	busy.stop()
	times := r.scheduling(t)
	entries.stop()
	falseAlarms := r.alarmsSince(t, before)
	t.Logf("%v; alarms: %d; writes: %s", busy, len(falseAlarms), state)
	if (!wrote || len(falseAlarms) > 0) && busy.starved() {
		t.Skip("this machine's processors or its disk are somebody else's: that says nothing about the region")
	}
	if !wrote || len(falseAlarms) > 0 {
		t.Log(times) // for whoever looks for the reason
	}
	for _, alarm := range falseAlarms {
		t.Error("a false alarm: " + alarm)
	}
	if !wrote {
		t.Fatalf("150 more writes: at last %s", state)
	}
	entries.verify(t)
	if _, err := os.Stat("/proc/pressure/cpu"); err == nil && !said {
		t.Errorf("the status does not say that the machine is busy: %s", told)
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

// scheduling tells of each process of the region how long its threads ran, and how long they waited for a processor,
// since it started.
func (r *testRegion) scheduling(t testing.TB) string {
	t.Helper()
	var lines []string
	for _, zone := range r.status(t).Zones {
		for _, instance := range zone.Instances {
			var ran, waited, slices float64
			files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", instance.PID))
			for _, file := range files {
				if text, err := os.ReadFile(file); err == nil {
					if fields := strings.Fields(string(text)); len(fields) == 3 {
						ran, waited, slices = ran+number(fields[0])/1e9, waited+number(fields[1])/1e9, slices+number(fields[2])
					}
				}
			}
			lines = append(lines, fmt.Sprintf("%s: ran %.1f s, waited %.1f s for a processor, %.0f times", instance.Target,
				ran, waited, slices))
		}
	}
	return strings.Join(lines, "\n")
}
