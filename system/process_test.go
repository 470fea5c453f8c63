package system

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proc is a process that a test has to do with.
type proc struct {
	pid     int
	command string
}

func (p proc) String() string { return fmt.Sprintf("%d (%s)", p.pid, p.command) }

// processesOf lists the program's processes whose arguments name something in dir. Those that have ended and wait for
// their parent do not count.
func processesOf(dir string) []proc {
	var found []proc
	paths, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		args := strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if pid == os.Getpid() || args[0] != binary {
			continue
		}
		for _, arg := range args[1:] {
			if (arg == dir || strings.HasPrefix(arg, dir+"/")) && running(pid) {
				found = append(found, proc{pid, strings.Join(args[1:], " ")})
				break
			}
		}
	}
	return found
}

// stat returns a process' fields of proc(5) from the third, its state, on; nil when it is gone.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

// state is the letter that proc(5) has for a process' state, or 0 when it is gone.
func state(pid int) byte {
	if fields := stat(pid); len(fields) > 0 {
		return fields[0][0]
	}
	return 0
}

// processorTime is what a process has used so far, in user and system mode: fields 14 and 15, in ticks of 10 ms.
func processorTime(t testing.TB, pid int) (total time.Duration) {
	t.Helper()
	fields := stat(pid)
	if len(fields) < 13 {
		t.Fatalf("process %d is gone", pid)
	}
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		must(t, "read processor time", err)
		total += time.Duration(ticks) * 10 * time.Millisecond
	}
	return total
}

// running says whether any thread of a process is there: the first may have ended before others, which keep its files
// and sockets open.
func running(pid int) bool {
	fields := stat(pid)
	if len(fields) < 18 {
		return false
	}
	ended := fields[0] == "Z" || fields[0] == "X"
	return !ended || fields[17] != "0" && fields[17] != "1"
}

func killAll(processes []proc) {
	for _, p := range processes {
		syscall.Kill(p.pid, syscall.SIGKILL)
	}
	poll(10*time.Second, func() (bool, string) {
		for _, p := range processes {
			if running(p.pid) {
				return false, ""
			}
		}
		return true, ""
	})
}

// noProcesses checks that nothing of the region in dir runs, at once or in a moment.
func noProcesses(t testing.TB, dir string) {
	t.Helper()
	if state, ok := poll(3*time.Second, func() (bool, string) {
		left := processesOf(dir)
		return len(left) == 0, fmt.Sprint(left)
	}); !ok {
		t.Errorf("processes are left: %s", state)
		killAll(processesOf(dir))
	}
}
