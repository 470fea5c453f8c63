package controlplane

import (
	"log/slog"
	"os"
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
