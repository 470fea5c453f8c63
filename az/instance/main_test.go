package instance

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"tripod/internal/process"
)

// TestMain lets the test binary be the processes that the tests start: `TEST internal ROLE`.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "internal" {
		os.Exit(play(os.Args[2]))
	}
	// the race detector lets each process, children too, linger for a second at its end
	os.Setenv("GORACE", "atexit_sleep_ms=0")
	os.Exit(m.Run())
}

// play is a process that reports as the real ones do.
func play(role string) int {
	ctx, line, err := process.Attach(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	switch role {
	case "apiserver":
		line.Report(Report{Ready: true})
	case "controllers":
		line.Report(Report{Ready: true, Leads: []string{"kube-controller-manager", "kube-scheduler"}})
	case "mute": // never ready
	case "fail":
		fmt.Fprintln(os.Stderr, "tripod: it cannot be")
		return 3
	case "deaf":
		line.Report(Report{Ready: true})
		select {}
	}
	<-ctx.Done()
	return 0
}

// shortDir is a directory whose path leaves room for a socket's name: t.TempDir's does not everywhere.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "az")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// eventually polls until what holds; state tells how things stood when it did not. The deadline tells what hangs from
// what is slow on a loaded machine.
func eventually(t *testing.T, what string, holds func() bool, state func() any) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Minute); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s; at the end: %v", what, state())
		}
	}
}
