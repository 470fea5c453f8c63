package system

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// binary is the program under test; root is the directory above every data directory, by which its processes are known.
var binary, root string

// keep leaves the data directories of tests that failed.
var keep bool

func TestMain(m *testing.M) {
	if config := os.Getenv(relayEnv); config != "" {
		relay(config) // its parent reads from its sockets what it does
		return
	}
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "system tests:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	binary = os.Getenv("TRIPOD_BINARY")
	if binary == "" {
		binary = "../bin/tripod"
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return 1, err
	}
	if _, err := os.Stat(binary); err != nil {
		return 1, fmt.Errorf("there is no program to test: run 'make build' first (%w)", err)
	}
	keep = os.Getenv("TRIPOD_KEEP") != ""
	for _, entry := range os.Environ() { // the tests' clients are told everything explicitly
		name, _, _ := strings.Cut(entry, "=")
		if strings.HasPrefix(name, "AWS_") || strings.HasPrefix(name, "TRIPOD_") || name == "KUBECONFIG" {
			os.Unsetenv(name)
		}
	}
	if !wasSet("test.parallel") {
		flag.Set("test.parallel", "2") // a region is ten processes: more side by side are slower, not faster
	}
	if root, err = os.MkdirTemp("", "tripod-system-"); err != nil {
		return 1, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return 1, err
	}
	defer func() {
		os.Remove(root) // stays when a test has kept its files
	}()
	code = m.Run()
	if err := closeShared(); err != nil {
		return 1, err
	}
	if left := processesOf(root); len(left) > 0 {
		err = fmt.Errorf("these processes were left behind, and are killed now: %v", left)
		killAll(left)
	}
	return code, err
}

func wasSet(name string) (set bool) {
	flag.Visit(func(f *flag.Flag) { set = set || f.Name == name })
	return set
}

// patience is by how much the tests' deadlines are longer than what they name, which is ample on an idle machine. A
// deadline here tells what hangs from what is slow: another's load must never fail a test, and how long things take is
// for `make bench` to say.
const patience = 6

// within is a context that ends with the test or after d, times patience.
func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience*d)
	t.Cleanup(cancel)
	return ctx
}

// eventually polls until check says that it is so. When that takes longer than d, times patience, the test ends with
// the last state that check described.
func eventually(t testing.TB, d time.Duration, what string, check func() (ok bool, state string)) {
	t.Helper()
	if state, ok := poll(d, check); !ok {
		t.Fatalf("%s: not within %v; at last: %s", what, patience*d, state)
	}
}

func poll(d time.Duration, check func() (ok bool, state string)) (last string, ok bool) {
	deadline := time.Now().Add(patience * d)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if ok, last = check(); ok {
			return last, true
		}
		if time.Now().After(deadline) {
			return last, false
		}
		<-ticker.C
	}
}

// must ends the test at an error.
func must(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}
