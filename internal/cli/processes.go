package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// leftProcess is a child of a region that is alive without it.
type leftProcess struct {
	pid  int
	name string // zone, etcd, apiserver, controllers
}

// leftProcesses finds children of the region in dataDir by what they were started with. It only serves a message: what
// is found here is not signalled.
func leftProcesses(dataDir string) []leftProcess {
	var left []leftProcess
	for pid, args := range processes() {
		for i, arg := range args[:max(len(args)-1, 0)] {
			ours := arg == "internal" && i <= 3 && strings.Contains(strings.Join(args[i:], " "),
				dataDir+string(filepath.Separator))
			if ours && pid != os.Getpid() && alive(pid) {
				left = append(left, leftProcess{pid, args[i+1]})
				break
			}
		}
	}
	return left
}

// processes returns the arguments of all processes that can be seen.
func processes() map[int][]string {
	result := map[int][]string{}
	if paths, _ := filepath.Glob("/proc/[0-9]*/cmdline"); len(paths) > 0 {
		for _, path := range paths {
			pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			if text, readErr := os.ReadFile(path); err == nil && readErr == nil && len(text) > 0 {
				result[pid] = strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")
			}
		}
		return result
	}
	text, err := exec.Command("ps", "-axww", "-o", "pid=,command=").Output()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil {
			result[pid] = fields[1:]
		}
	}
	return result
}

// alive says whether a process runs; one that has ended and waits for its parent does not.
func alive(pid int) bool {
	if pid <= 0 {
		return false
	}
	if err := syscall.Kill(pid, 0); err != nil && !errors.Is(err, syscall.EPERM) {
		return false
	}
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return true
	}
	after := stat[bytes.LastIndexByte(stat, ')')+1:]
	return !bytes.HasPrefix(after, []byte(" Z")) && !bytes.HasPrefix(after, []byte(" X"))
}
