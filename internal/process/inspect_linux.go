package process

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

type processInfo struct {
	uid        int
	executable string
	startTicks uint64
	group      int
	stopped    bool
	zombie     bool
}

// inspect reads /proc/PID: proc(5).
func inspect(pid int) (processInfo, error) {
	info, err := readStat(pid)
	if err != nil {
		return processInfo{}, err
	}
	dir := "/proc/" + strconv.Itoa(pid)
	var owner syscall.Stat_t
	if err := syscall.Stat(dir, &owner); err != nil {
		return processInfo{}, err
	}
	info.uid = int(owner.Uid)
	if exe, err := os.Readlink(dir + "/exe"); err == nil {
		info.executable = strings.TrimSuffix(exe, " (deleted)") // a rebuilt binary is still ours
	}
	return info, nil
}

// readStat is inspect without the user and the program, which are in other files.
func readStat(pid int) (processInfo, error) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return processInfo{}, err
	}
	// The second field is the program's name in parentheses and may hold spaces: fields are counted behind the last ")".
	end := bytes.LastIndexByte(stat, ')')
	fields := strings.Fields(string(stat[end+1:]))
	if end < 0 || len(fields) < 20 {
		return processInfo{}, fmt.Errorf("/proc/%d/stat is not as proc(5) says", pid)
	}
	var info processInfo
	info.stopped = fields[0] == "T" || fields[0] == "t"
	// A dead leader of threads is a zombie while the others still end, and until then holds its sockets and locks.
	threads, _ := strconv.Atoi(fields[17])
	info.zombie = (fields[0] == "Z" || fields[0] == "X") && threads <= 1
	info.group, _ = strconv.Atoi(fields[2])
	info.startTicks, _ = strconv.ParseUint(fields[19], 10, 64)
	return info, nil
}

// threadsStopped says whether a signal has stopped every thread of the process: its first may be while another is still
// in a system call.
func threadsStopped(pid int) bool {
	dir := "/proc/" + strconv.Itoa(pid) + "/task"
	threads, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(dir + "/" + thread.Name() + "/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		end := bytes.LastIndexByte(stat, ')')
		if end < 0 || len(stat) < end+3 || !bytes.ContainsRune([]byte("TtZX"), rune(stat[end+2])) {
			return false
		}
	}
	return true
}

// groupMembers lists the processes of groups, zombies too.
func groupMembers(groups ...int) []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var members []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if info, err := readStat(pid); err == nil && slices.Contains(groups, info.group) {
			members = append(members, pid)
		}
	}
	return members
}

// AvailableMemory is how many bytes the machine can still give to processes without swapping; 0 when it cannot be told.
func AvailableMemory() int64 {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	return kibibytes(string(text), "MemAvailable:")
}

// Memory is the proportional set size of the process in bytes; 0 when it is gone.
func Memory(pid int) int64 {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	if err != nil {
		return 0
	}
	return kibibytes(string(text), "Pss:")
}

// kibibytes is the figure of one line of a file of /proc, in bytes; 0 when there is no such line.
func kibibytes(text, name string) int64 {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}
