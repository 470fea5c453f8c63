package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"tripod/api"
	"tripod/internal/pressure"
)

// startEvents are those of a region with two zones, of which one is ready.
func startEvents() []api.Event {
	return []api.Event{
		{Type: "ZoneStarted", Zone: "us-east-1b", Message: "us-east-1b starts"},
		{Type: "ZoneStarted", Zone: "us-east-1a", Message: "us-east-1a starts"},
		{Type: "InstanceStarted", Zone: "us-east-1a", Cluster: "demo", Target: "etcd/a", Message: "etcd/a starts"},
		{Type: "InstanceReady", Zone: "us-east-1a", Cluster: "demo", Target: "etcd/a", Message: "etcd/a is ready"},
		{Type: "InstanceReady", Zone: "us-east-1a", Cluster: "demo", Target: "apiserver/a", Message: "apiserver/a is ready"},
		{Type: "InstanceStarted", Zone: "us-east-1b", Cluster: "demo", Target: "etcd/b", Message: "etcd/b starts"},
		{Type: "InstanceExited", Zone: "us-east-1b", Cluster: "demo", Target: "etcd/b",
			Message: "etcd/b exited with status 1\x1b[2J"},
		{Type: "InstanceReady", Zone: "us-east-1a", Cluster: "demo", Target: "controllers/a",
			Message: "controllers/a is ready"},
		{Type: "TargetHealthy", Zone: "us-east-1a", Cluster: "demo", Target: "apiserver/a",
			Message: "demo's balancer uses us-east-1a"},
	}
}

func newTestProgress(terminal bool) (*progress, *bytes.Buffer) {
	var out bytes.Buffer
	now := testNow()
	p := &progress{out: &out, terminal: terminal, begin: now, width: func() int { return 80 }, now: func() time.Time {
		now = now.Add(100 * time.Millisecond)
		return now
	}}
	return p, &out
}

func TestProgressInATerminal(t *testing.T) {
	p, out := newTestProgress(true)
	for _, event := range startEvents() {
		p.Event(event)
	}
	p.Settle()
	p.Event(api.Event{Time: testNow(), Type: "ZoneLost", Message: "us-east-1b is lost"})
	golden(t, "progress-terminal.txt", replay(out.String()))
	if strings.Contains(out.String(), "\x1b[2J") {
		t.Error("a message steered the terminal")
	}
}

func TestProgressElsewhere(t *testing.T) {
	p, out := newTestProgress(false)
	for _, event := range startEvents() {
		p.Event(event)
	}
	golden(t, "progress-plain.txt", out.String())
}

func TestProgressSaysWhatItWaitsFor(t *testing.T) {
	p, _ := newTestProgress(false)
	if got := p.awaited(pressure.Pressure{}); got != "" {
		t.Errorf("before anything began: %q", got)
	}
	for _, event := range startEvents() {
		p.Event(event)
	}
	got := p.awaited(pressure.Pressure{Processor: 93.4})
	want := "still waiting for us-east-1b (etcd, API server, controllers, balancer); the machine is busy: processor " +
		"pressure 93 %"
	if !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want it to end with %q", got, want)
	}
}

// replay is what is on a terminal's screen after the text, of which it knows the two sequences that progress uses.
// Times of day are cut, since they depend on where the test runs.
func replay(text string) string {
	var lines []string
	for part := range strings.SplitSeq(text, "\n") {
		for strings.HasPrefix(part, "\x1b[") {
			up, rest, _ := strings.Cut(strings.TrimPrefix(part, "\x1b["), "A\r\x1b[J")
			n := 0
			for _, digit := range up {
				n = n*10 + int(digit-'0')
			}
			lines, part = lines[:len(lines)-n], rest
		}
		if len(part) > 14 && part[2] == ':' && part[5] == ':' {
			part = "HH:MM:SS.mmm" + part[12:]
		}
		lines = append(lines, part)
	}
	return strings.Join(lines, "\n")
}
