package az

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"tripod/internal/process"
)

// TestMain lets the test binary be the processes that a zone starts: `TEST internal COMPONENT ...`.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "internal" {
		os.Exit(play(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

// play is a process that reports as the real ones do.
func play(role string, args []string) int {
	ctx, line, err := process.Attach(context.Background())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	switch role {
	case "etcd": // CONFIG METRICS-SOCKET
		listener, err := net.Listen("unix", args[1])
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "etcd_server_is_leader 1") }))
		line.Report(report{Ready: true})
		line.Report(report{Ready: true, Leads: []string{"etcd"}})
	case "apiserver":
		line.Report(report{Ready: true})
	case "controllers":
		line.Report(report{Ready: true, Leads: []string{"kube-controller-manager", "kube-scheduler"}})
	case "mute": // never ready
	case "fail":
		fmt.Fprintln(os.Stderr, "tripod: it cannot be")
		return 3
	case "deaf":
		line.Report(report{Ready: true})
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

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// eventually polls until what holds; state tells how things stood when it did not.
func eventually(t *testing.T, what string, holds func() bool, state func() any) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s; at the end: %v", what, state())
		}
	}
}

// noneLeft checks that nothing of the gateway, an instance or the zone runs any more in the background.
func noneLeft(t *testing.T) {
	t.Helper()
	var left string
	eventually(t, "every goroutine has ended", func() bool {
		left = ""
		text := make([]byte, 1<<20)
		text = text[:runtime.Stack(text, true)]
		for stack := range strings.SplitSeq(string(text), "\n\n") {
			if strings.Contains(stack, "tripod/az.(*") && !strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		return left == ""
	}, func() any { return left })
}

// freePort is a port that was free a moment ago.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}
