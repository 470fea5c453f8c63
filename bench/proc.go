package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/PID/stat, 100 a second on every Linux that Go runs on.
const tick = 10 * time.Millisecond

// stat returns a process' parent and what CPU time it and its reaped children have used.
func stat(pid int) (parent int, cpu time.Duration, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:]) // the first is field 3
	if len(fields) < 15 {
		return 0, 0, fmt.Errorf("/proc/%d/stat is cut short", pid)
	}
	parent, _ = strconv.Atoi(string(fields[1]))
	for _, field := range fields[11:15] {
		ticks, _ := strconv.ParseInt(string(field), 10, 64)
		cpu += time.Duration(ticks) * tick
	}
	return parent, cpu, nil
}

// family returns the processes with these ids and all that descend from them.
func family(roots ...int) ([]int, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("memory and CPU are read from /proc, as Linux has it: %w", err)
	}
	children := map[int][]int{}
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if parent, _, err := stat(pid); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	all := append([]int(nil), roots...)
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all, nil
}

// account is what the processes of one component use.
type account struct {
	cpu time.Duration // since they were started; one that has ended is in its parent's account
	mib float64       // proportional set size
	// switches is how often its threads have waited for something: each end of that is a wake-up.
	switches int
}

// usage accounts for processes by component: "apiserver" for `tripod internal apiserver`, the program's name for
// others. A process that has ended counts for nothing.
func usage(pids []int) map[string]account {
	used := map[string]account{}
	for _, pid := range pids {
		_, cpu, err := stat(pid)
		if err != nil {
			continue
		}
		name := component(pid)
		sum := used[name]
		sum.cpu += cpu
		sum.mib += pss(pid)
		sum.switches += switches(pid)
		used[name] = sum
	}
	return used
}

// switches counts the voluntary context switches of a process' threads.
func switches(pid int) (sum int) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if count, found := strings.CutPrefix(line, "voluntary_ctxt_switches:"); found {
				n, _ := strconv.Atoi(strings.TrimSpace(count))
				sum += n
			}
		}
	}
	return sum
}

func component(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	args := strings.Split(string(text), "\x00")
	if len(args) > 2 && args[1] == "internal" {
		return args[2]
	}
	return filepath.Base(args[0])
}

// pss is a process' proportional set size in MiB; 0 once it has ended.
func pss(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "Pss:" {
			kib, _ := strconv.ParseFloat(fields[1], 64)
			return kib / 1024
		}
	}
	return 0
}
