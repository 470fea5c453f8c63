//go:build !linux

package process

import (
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

type processInfo struct {
	uid        int
	executable string
	startTicks uint64
	group      int
	stopped    bool
	zombie     bool
}

// inspect asks ps(1), which every system with processes has.
func inspect(pid int) (processInfo, error) {
	text, err := exec.Command("ps", "-o", "uid=,pgid=,stat=,lstart=,comm=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return processInfo{}, fmt.Errorf("there is no process %d", pid)
	}
	fields := strings.Fields(string(text))
	if len(fields) < 9 { // lstart is five fields
		return processInfo{}, fmt.Errorf("ps says %q of process %d", text, pid)
	}
	var info processInfo
	info.uid, _ = strconv.Atoi(fields[0])
	info.group, _ = strconv.Atoi(fields[1])
	info.stopped = strings.HasPrefix(fields[2], "T")
	info.zombie = strings.HasPrefix(fields[2], "Z")
	if started, err := time.Parse(time.ANSIC, strings.Join(fields[3:8], " ")); err == nil {
		info.startTicks = uint64(started.Unix())
	}
	info.executable = strings.Join(fields[8:], " ")
	return info, nil
}

// threadsStopped says whether a signal has stopped the process: of its threads ps knows nothing.
func threadsStopped(pid int) bool { return Paused(pid) }

func groupMembers(groups ...int) []int {
	text, err := exec.Command("ps", "-axo", "pid=,pgid=").Output()
	if err != nil {
		return nil
	}
	var members []int
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) == 2 {
			group, _ := strconv.Atoi(fields[1])
			if pid, err := strconv.Atoi(fields[0]); err == nil && slices.Contains(groups, group) {
				members = append(members, pid)
			}
		}
	}
	return members
}

// AvailableMemory is how many bytes the machine can still give to processes; 0 says that it cannot be told, as here.
func AvailableMemory() int64 { return 0 }

// Memory is the resident set size of the process in bytes: other systems have no proportional one. 0 when it is gone.
func Memory(pid int) int64 {
	text, err := exec.Command("ps", "-o", "rss=", "-p", strconv.Itoa(pid)).Output()
	if err != nil {
		return 0
	}
	kib, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return kib << 10
}
