package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestQuantile(t *testing.T) {
	for _, test := range []struct {
		samples []float64
		q, want float64
	}{
		{[]float64{3, 1, 2}, 0.5, 2},
		{[]float64{4, 1, 2, 3}, 0.5, 2.5},
		{[]float64{1, 2, 3}, 0.99, 3},
		{[]float64{1, 2, 3}, 1, 3},
		{[]float64{7}, 0.5, 7},
	} {
		if got := quantile(test.samples, test.q); got != test.want {
			t.Errorf("quantile %v of %v: got %v, want %v", test.q, test.samples, got, test.want)
		}
	}
}

func TestRatiosAreToReadinessWhereKwokctlHasNoSuchFigure(t *testing.T) {
	r := newReport(options{})
	r.addTripod(rejoin, 2)
	r.addTripod(threeZones, 5)
	r.addKwokctl(threeZones, 4)
	for _, f := range r.Figures {
		switch f.Name {
		case rejoin:
			if f.Ratio != 0.5 {
				t.Errorf("rejoin: got %v, want 0.5", f.Ratio)
			}
		case threeZones:
			if f.Ratio != 1.25 {
				t.Errorf("three zones: got %v, want 1.25", f.Ratio)
			}
		}
	}
	var out strings.Builder
	r.print(&out)
	if text := strings.Join(strings.Fields(out.String()), " "); !strings.Contains(text, "0.60x yes") || !strings.Contains(text, "1.50x yes") {
		t.Errorf("got\n%s", text)
	}
}

func TestLongestPauseBeginsNearTheKill(t *testing.T) {
	killed := time.Now()
	at := func(ms ...int) (acks []time.Time) {
		for _, m := range ms {
			acks = append(acks, killed.Add(time.Duration(m)*time.Millisecond))
		}
		return acks
	}
	for _, test := range []struct {
		acks []time.Time
		want time.Duration
	}{
		{at(-20, -10, 5, 15, 25, 120), 95 * time.Millisecond},
		{at(-10, 400, 410), 400 * time.Millisecond},
		{at(2, 600, 3000), 598 * time.Millisecond}, // the acknowledgement at 2 ms was the dying's
		{at(10, 90, 130, 900), 80 * time.Millisecond},
	} {
		if got := longestPause(test.acks, killed); got != test.want {
			t.Errorf("got %v, want %v", got, test.want)
		}
	}
}

func TestFamilyAndItsCost(t *testing.T) {
	if _, err := os.Stat("/proc/self/smaps_rollup"); err != nil {
		t.Skip("this system has no /proc/self/smaps_rollup")
	}
	child := exec.Command("cat")
	stdin, err := child.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); child.Wait() }()
	pids, err := family(os.Getpid())
	if err != nil || !slices.Contains(pids, child.Process.Pid) || pids[0] != os.Getpid() {
		t.Fatalf("got %v, %v", pids, err)
	}
	if got := usage(pids); got["cat"].mib == 0 || got[filepath.Base(os.Args[0])].mib < 1 {
		t.Errorf("got %v", got)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"--only", "x"}, {"--runs", "0"}, {"-o", "xml"}, {"more"}} {
		if _, err := parse(args, &strings.Builder{}); err == nil {
			t.Errorf("%v is no error", args)
		}
	}
}
