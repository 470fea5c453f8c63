package launch

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestTuningReachesTheComponents(t *testing.T) {
	dir := t.TempDir()
	tuned := example(dir)
	tuned.Tuning = Tuning{RequestSeats: 1700, EventTTL: "10m", NodePorts: "20000-20100", PodsPerSecond: 167,
		Scoring:        "MostAllocated",
		ScoringWeights: map[string]int{"memory": 1, "cpu": 5}, HPASyncPeriod: "10s", TerminatedPods: 100}
	if _, err := tuned.Write(); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(tuned.file("scheduler.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	all := append(append(tuned.Flags(), tuned.controllerManagerFlags()...), strings.Split(string(config), "\n")...)
	for _, want := range []string{"--max-requests-inflight=1134", "--max-mutating-requests-inflight=566",
		"--event-ttl=10m", "--service-node-port-range=20000-20100",
		"--horizontal-pod-autoscaler-sync-period=10s", "--terminated-pod-gc-threshold=100",
		`      scoringStrategy: {type: MostAllocated, resources: [{name: "cpu", weight: 5}, {name: "memory", weight: 1}]}`} {
		if !slices.Contains(all, want) {
			t.Errorf("no %s in %q", want, all)
		}
	}
	if !strings.Contains(string(config), "qps: 167, burst: 334}") {
		t.Errorf("the scheduler's rate is not set: %s", config)
	}
}
