package emulator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"tripod/internal/options"
)

func TestStopBeforeStartAndTwice(t *testing.T) {
	r := newRegion(t, filepath.Join(t.TempDir(), "region"), nil)
	r.shutDown(t)
	r.shutDown(t)
	if err := r.Start(t.Context()); err == nil {
		t.Error("it starts after its Stop, and nothing could stop it")
	}
	if _, err := os.Stat(r.options.DataDir); err == nil {
		t.Error("a region that never ran made its directory")
	}
}

func TestTakenPortIsOneSentenceAndLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "region")
	port := busyPort(t)
	r := newRegion(t, dir, func(o *options.Up) { o.Port, o.PortSet = port, true })
	err := r.Start(t.Context())
	if want := fmt.Sprintf("port %d is taken on 127.0.0.1: stop the program that has it, or choose another with --port "+
		"(0 picks one)", port); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || entries[0].Name() != "lock" {
		t.Errorf("left in the directory: %v, %v", entries, err)
	}
	r.shutDown(t)
	newRegion(t, dir, nil).start(t) // the directory is free, and counts as new
}

func TestAgentThatDiesAtStartIsOneSentence(t *testing.T) {
	t.Setenv(brokenEnv, "die")
	dir := filepath.Join(t.TempDir(), "region")
	err := newRegion(t, dir, nil).Start(t.Context())
	if err == nil || !strings.HasSuffix(err.Error(), "ended (exit status 1): the disk is on fire") ||
		!strings.HasPrefix(err.Error(), "us-east-1") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
	os.Unsetenv(brokenEnv)
	newRegion(t, dir, nil).start(t) // what was made so far is no obstacle
}

// agents waits for the agents of a region that starts.
func (r *testRegion) agents(t *testing.T) []int {
	t.Helper()
	file := filepath.Join(r.options.DataDir, "agents.json")
	eventually(t, "the agents run", func() bool { _, err := os.Stat(file); return err == nil },
		func() any { return "no agents.json" })
	r.Emulator.mu.Lock() // a file orders nothing in memory: what open wrote is seen from here on
	zones := len(r.zones)
	r.Emulator.mu.Unlock()
	if zones != 3 {
		t.Fatalf("agents run in %d zones", zones)
	}
	return pids(r.Status())
}

func TestStartCutShortLeavesNoProcess(t *testing.T) {
	t.Setenv(brokenEnv, "hang")
	dir := filepath.Join(t.TempDir(), "region")
	r := newRegion(t, dir, nil)
	ctx, cancel := context.WithCancelCause(t.Context())
	started := make(chan error, 1)
	go func() { started <- r.Start(ctx) }()
	agents := r.agents(t)
	if len(agents) != 3 {
		t.Errorf("agents %v", agents)
	}
	cancel(errors.New("the user said so"))
	select {
	case err := <-started:
		if err == nil {
			t.Error("a start that was cut short succeeded")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Start does not return")
	}
	gone(t, agents)
}

func TestStopWhileItStarts(t *testing.T) {
	t.Setenv(brokenEnv, "hang")
	dir := filepath.Join(t.TempDir(), "region")
	r := newRegion(t, dir, nil)
	started := make(chan error, 1)
	go func() { started <- r.Start(t.Context()) }()
	agents := r.agents(t)
	r.shutDown(t)
	select {
	case err := <-started:
		if err == nil {
			t.Error("a region that was stopped started")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Start does not return when the region is stopped")
	}
	gone(t, agents)
	if err := r.zones[0].start(); err == nil {
		t.Error("a zone can be started when its region has stopped")
	}
}

func TestExistingRegionKeepsItsPortAndName(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "region")
	r := newRegion(t, dir, nil)
	r.start(t)
	port := r.dir.marker.Port
	r.shutDown(t)
	for name, c := range map[string]struct {
		edit func(*options.Up)
		want string
	}{
		"another port": {func(o *options.Up) { o.Port, o.PortSet = port+1, true }, fmt.Sprintf("has port %d", port)},
		"another name": {func(o *options.Up) { o.Region = "eu-west-1" }, "start it with --region us-east-1"},
	} {
		if err := newRegion(t, dir, c.edit).Start(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
