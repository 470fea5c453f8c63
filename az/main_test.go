package az

import (
	"log/slog"
	"os"
	"runtime"
	"strings"
	"testing"

	"tripod/az/zonetest"
)

// TestMain lets the test binary be the processes that a zone starts: `TEST internal COMPONENT ...`.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "internal" {
		os.Exit(zonetest.Play(os.Args[2], os.Args[3:]))
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // the race detector lets each process, children too, linger for a second
	os.Exit(m.Run())
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// noneLeft checks that nothing of the gateway, an instance or the zone runs any more in the background.
func noneLeft(t *testing.T) {
	t.Helper()
	var left string
	zonetest.Eventually(t, "every goroutine has ended", func() bool {
		left = ""
		text := make([]byte, 1<<20)
		text = text[:runtime.Stack(text, true)]
		for stack := range strings.SplitSeq(string(text), "\n\n") {
			if (strings.Contains(stack, "tripod/az.(*") || strings.Contains(stack, "tripod/az/")) &&
				!strings.Contains(stack, "testing.tRunner") {
				left += stack + "\n\n"
			}
		}
		return left == ""
	}, func() any { return left })
}
