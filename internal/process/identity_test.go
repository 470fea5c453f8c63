package process

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

func TestIdentityMatchesOnlyTheVeryProcess(t *testing.T) {
	child, reports := run(t, "serve", nil)
	pidOf(t, reports)
	id := identify(t, child.PID())
	if !id.Alive() {
		t.Fatalf("%+v is not alive", id)
	}
	for name, other := range map[string]Identity{
		"the number given to a later process":  {PID: id.PID, StartTicks: id.StartTicks + 1, Executable: id.Executable},
		"the number given to another program":  {PID: id.PID, StartTicks: id.StartTicks, Executable: "vim"},
		"nothing":                              {},
		"a process of the system":              {PID: 1, StartTicks: id.StartTicks, Executable: id.Executable},
		"a number that no system has":          {PID: 1 << 30, StartTicks: id.StartTicks, Executable: id.Executable},
		"this process, by the child's numbers": {PID: os.Getpid(), StartTicks: id.StartTicks, Executable: id.Executable},
	} {
		if other.StartTicks == identify(t, os.Getpid()).StartTicks && other.PID == os.Getpid() {
			continue // both were started within one tick
		}
		if other.Alive() {
			t.Errorf("%s counts as alive: %+v", name, other)
		}
	}
	child.Kill()
	if id.Alive() {
		t.Error("a process that was killed counts as alive")
	}
}

func TestKillGroupEndsAGroupAndWaits(t *testing.T) {
	parent, reports := run(t, "parent", leader)
	grandchild := identify(t, pidOf(t, reports))
	if err := identify(t, parent.PID()).KillGroup(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if grandchild.Alive() {
		t.Error("a member is alive when KillGroup returns")
	}
	<-parent.Done()
}

func TestKillGroupEndsWhatTheLeaderLeft(t *testing.T) {
	parent, reports := run(t, "parent of the deaf", leader)
	grandchild := identify(t, pidOf(t, reports))
	id := identify(t, parent.PID())
	parent.cmd.Process.Kill()
	<-parent.Done()
	if !grandchild.Alive() {
		t.Fatal("the grandchild ended with its leader although it is deaf")
	}
	if err := id.KillGroup(10 * time.Second); err != nil {
		t.Fatal(err)
	}
	if grandchild.Alive() {
		t.Error("the group's last member is alive when KillGroup returns")
	}
}

func TestKillGroupLeavesForeignGroupsAlone(t *testing.T) {
	child, reports := run(t, "serve", leader)
	pidOf(t, reports)
	id := identify(t, child.PID())
	foreign := exec.Command("sleep", "60") // another program
	foreign.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := foreign.Start(); err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { foreign.Process.Kill(); foreign.Wait() })
	for name, stale := range map[string]Identity{
		"a later leader with the same number": {PID: id.PID, StartTicks: id.StartTicks - 1, Executable: id.Executable},
		"another program's group": {PID: foreign.Process.Pid, StartTicks: id.StartTicks,
			Executable: id.Executable},
		"nothing":                {},
		"every process there is": {PID: 1, Executable: id.Executable},
	} {
		if err := stale.KillGroup(time.Second); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !id.Alive() {
		t.Error("a group that was not meant was killed")
	}
	if !identify(t, foreign.Process.Pid).Alive() {
		t.Error("another program's group was killed")
	}
}

func TestMemoryOfAProcess(t *testing.T) {
	if got := Memory(os.Getpid()); got < 1<<20 {
		t.Errorf("this process takes %d bytes, it says", got)
	}
	if got := Memory(1 << 30); got != 0 {
		t.Errorf("a process that is not there takes %d bytes", got)
	}
}
