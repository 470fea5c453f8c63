package gateway

import (
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

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

// noneLeft checks that nothing of the gateway runs any more in the background.
func noneLeft(t *testing.T) {
	t.Helper()
	var left string
	eventually(t, "every goroutine has ended", func() bool {
		left = ""
		text := make([]byte, 1<<20)
		text = text[:runtime.Stack(text, true)]
		for stack := range strings.SplitSeq(string(text), "\n\n") {
			if strings.Contains(stack, "tripod/az/gateway.(*") && !strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		return left == ""
	}, func() any { return left })
}
