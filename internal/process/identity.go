package process

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// Identity names one process for good: a pid alone may be another's tomorrow.
type Identity struct {
	PID        int    `json:"pid"`
	StartTicks uint64 `json:"startTicks"` // the system's own measure of when it started; 0 where it has none
	Executable string `json:"executable"` // base name
}

// Identify describes the running process pid.
func Identify(pid int) (Identity, error) {
	info, err := inspect(pid)
	if err != nil {
		return Identity{}, err
	}
	return Identity{PID: pid, StartTicks: info.startTicks, Executable: filepath.Base(info.executable)}, nil
}

// Alive says whether that very process, of this user, still runs.
func (id Identity) Alive() bool {
	info, err := inspect(id.PID)
	return err == nil && !info.zombie && info.uid == os.Getuid() && info.startTicks == id.StartTicks &&
		id.runs(info)
}

// runs says whether a process runs the same program. One whose first thread has ended while others still do cannot be
// asked.
func (id Identity) runs(info processInfo) bool {
	return info.executable == "" || filepath.Base(info.executable) == id.Executable
}

// KillGroup ends the group that the process leads, or led, and waits until its members are gone. The group is left
// alone unless the leader is still that very process, or every remaining member of the group is this user's and the
// same program.
func (id Identity) KillGroup(timeout time.Duration) error {
	if id.PID <= 1 {
		return nil
	}
	members := groupMembers(id.PID)
	for _, pid := range members {
		info, err := inspect(pid)
		if err != nil || info.zombie {
			continue
		}
		if info.uid != os.Getuid() || !id.runs(info) {
			return nil // the number was given to somebody else's group
		}
		if pid == id.PID && info.startTicks != id.StartTicks {
			return nil
		}
	}
	if len(members) == 0 {
		return nil
	}
	if err := syscall.Kill(-id.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	for deadline := time.Now().Add(timeout); ; time.Sleep(5 * time.Millisecond) {
		if !anyAlive(groupMembers(id.PID)) {
			return nil
		}
		if time.Now().After(deadline) {
			return errors.New("its processes did not end after SIGKILL")
		}
	}
}

func anyAlive(pids []int) bool {
	for _, pid := range pids {
		if info, err := inspect(pid); err == nil && !info.zombie {
			return true
		}
	}
	return false
}

// Paused says whether the process is stopped by a signal. False when that cannot be told.
func Paused(pid int) bool {
	info, err := inspect(pid)
	return err == nil && info.stopped
}

// AwaitPaused returns when the process is stopped by a signal, or runs, as want says, or has ended. The kernel does it
// in its own time, a moment after the signal; somebody else may undo it in the same moment, and then it is no use to
// wait.
func AwaitPaused(c *Child, want bool) {
	for end := time.Now().Add(time.Second); Paused(c.PID()) != want &&
		time.Now().Before(end); time.Sleep(time.Millisecond) {
		select {
		case <-c.done:
			return
		default:
		}
	}
}
