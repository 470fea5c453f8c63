package chaos

import (
	"context"
	"strings"
	"testing"
	"time"

	"tripod/client/chaos/report"
)

// try runs an experiment, whose text is behind what all have.
// TestProbesHaveTheirOwnObjects, whose names differ in punctuation alone.
func TestProbesHaveTheirOwnObjects(t *testing.T) {
	if a, b := objectName("a.b"), objectName("a-b"); a == b || !strings.HasPrefix(a, "axb-") {
		t.Errorf("%s and %s", a, b)
	}
}

// TestAnAwaitThatNamesNoTimeWaits, as one of a file does.
func TestAnAwaitThatNamesNoTimeWaits(t *testing.T) {
	if got := (Await{}).within(); got != DefaultAwait {
		t.Errorf("it waits %v", got)
	}
}

func try(ctx context.Context, t *testing.T, f *fake, text string) *report.Report {
	t.Helper()
	e, err := Parse("x.yaml", []byte("name: x\nsteady: 20ms\nrecovery: {within: 2s}\n"+text), nil, 1)
	if err != nil {
		t.Fatal(err)
	}
	got, err := e.Run(ctx, f, Options{Seed: 1, Progress: func(line string) { t.Log(line) }})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

const probes = `
hypothesis:
  - {type: api, every: 10ms, expect: {availability: 90%, gap: 1m}}
  - {type: writes, every: 10ms, expect: {lost: 0}}
  - {type: watch, every: 10ms, expect: {lost: 0}}
  - {type: metrics, every: 10ms, query: tripod_quorum == 1}
`

func TestWhatIsBrokenIsTakenBack(t *testing.T) {
	for name, c := range map[string]struct {
		method, want string
		bars         int // of the report
	}{
		"for":     {"[{kill: az/a, for: 10ms}]", "kill az/a, start az/a", 1},
		"left":    {"[{pause: etcd/b}, {stop: az/c}]", "pause etcd/b, stop az/c, start az/c, resume etcd/b", 2},
		"by hand": {"[{kill: az/a}, {start: az/a}]", "kill az/a, start az/a", 2},
		"reset":   {"[{kill: az/a}, {reset: az/a}]", "kill az/a, reset az/a", 2},
		"link": {"[{partition: link/a-b, for: 1ms}, {slow: link/a-all, latency: 1s}]",
			"partition link/a-b, heal link/a-b, slow link/a-all, heal link/a-all", 2},
		"overlap": {"[{parallel: [{slow: link/a-all, loss: 5}, {partition: link/a-b, for: 1ms, at: 500ms}]}]",
			"slow link/a-all, partition link/a-b, heal link/a-b, slow link/a-all, heal link/a-all", 2},
		"once":     {"[{fault: node/n terminate}, {kill: az/a, for: 1ms}]", "fault node/n terminate, kill az/a, start az/a", 2},
		"fault":    {"[{fault: pod/default/web crash-loop}]", "fault pod/default/web crash-loop, reset pod/default/web", 1},
		"leader":   {"[{kill: etcd/leader}, {kill: controllers/leader}]", "kill etcd/b, kill controllers/c", 2},
		"follower": {"[{partition: link/leader-follower}]", "partition link/b-c, heal link/b-c", 1},
		"at":       {"[{parallel: [{kill: az/a, at: 1s}, {kill: az/b}]}]", "kill az/b, kill az/a, start az/a, start az/b", 2},
		"serial": {"[{serial: [{kill: az/a, for: 1ms}, {wait: 1ms}]}, {await: region healthy}, {kill: az/b, for: 1ms}]",
			"kill az/a, start az/a, kill az/b, start az/b", 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			got := try(t.Context(), t, f, probes+"method: "+c.method)
			if got.Outcome != report.AsExpected || f.orders() != c.want {
				t.Errorf("%s (%s): did %s, want %s", got.Outcome, got.Reason, f.orders(), c.want)
			}
			if len(got.Faults) != c.bars {
				t.Errorf("the report has the faults %+v, want %d", got.Faults, c.bars)
			}
		})
	}
}

func TestVerdictsSayWhatWasNotAsExpected(t *testing.T) {
	for name, c := range map[string]struct {
		plant  func(*fake)
		expect string
		want   string
	}{
		"gone":   {func(f *fake) { f.down = true }, "{type: api, every: 10ms, expect: {availability: 99%}}", "api: availability"},
		"gap":    {func(f *fake) { f.down = true }, "{type: api, every: 10ms, expect: {gap: 20ms}}", "api: longest time without a success"},
		"slow":   {func(*fake) {}, "{type: api, every: 10ms, expect: {p50: 0s}}", "api: median time"},
		"failed": {func(f *fake) { f.down = true }, "{type: watch, every: 10ms, expect: {failures: 0}}", "watch: failures"},
		"lost": {func(f *fake) { f.lose = func(n int) bool { return n%7 == 0 } }, "{type: writes, every: 10ms, expect: {lost: 0}}",
			"writes: lost, doubled or out of order"},
		"twice": {func(f *fake) { f.twice = func(n int) bool { return n%7 == 0 } }, "{type: watch, every: 10ms, expect: {lost: 0}}",
			"watch: lost, doubled or out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.on = map[string]func(){"kill az/a": func() { c.plant(f) }, "start az/a": func() { f.down, f.lose, f.twice = false, nil, nil }}
			got := try(t.Context(), t, f, "hypothesis: ["+c.expect+"]\nmethod: [{kill: az/a, for: 500ms}]")
			failed := got.Failed()
			if got.Outcome != report.NotAsExpected || len(failed) != 1 || failed[0].Title() != c.want {
				t.Errorf("%s: %s; verdicts %+v", got.Outcome, got.Reason, got.Verdicts)
			}
		})
	}
}

func TestWhatCannotRunBreaksNothing(t *testing.T) {
	for name, c := range map[string]struct {
		plant        func(*fake)
		method, did  string
		outcome, why string
	}{
		"sick": {func(f *fake) { f.sick = true }, "[{kill: az/a}]", "", report.CouldNotRun,
			"the region is not healthy: it is degraded ('tripod reset' mends it)"},
		"never": {func(*fake) {}, "[{kill: az/a}]\nhypothesis: [{type: command, run: [\"false\"]}]", "", report.CouldNotRun,
			"probe command fails: exit status 1"},
		"down": {func(f *fake) { f.down = true }, "[{kill: az/a}]", "", report.CouldNotRun, "HTTP 503"},
		"refused": {func(f *fake) { f.refuses = "stop" }, "[{kill: az/a}, {stop: az/b}, {kill: az/c}]",
			"kill az/a, stop az/b, start az/b, start az/a",
			report.CouldNotRun, "stop az/b: no"},
		"kept": {func(f *fake) { f.refuses = "start" }, "[{kill: az/a, for: 1ms}]", "kill az/a, start az/a, start az/a, reset",
			report.CouldNotRun,
			"start az/a: no"},
		"command": {func(*fake) {}, "[{run: [sh, -c, echo out; exit 3]}]", "", report.CouldNotRun,
			"sh -c echo out; exit 3: exit status 3: out"},
		"awaited": {func(*fake) {}, "[{await: region noquorum, within: 20ms}]", "", report.CouldNotRun,
			"region is not noquorum: it has quorum"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			c.plant(f)
			got := try(t.Context(), t, f, "method: "+c.method)
			if got.Outcome != c.outcome || !strings.Contains(got.Reason, c.why) || f.orders() != c.did {
				t.Errorf("%s: %q; did %q, want %q and %q", got.Outcome, got.Reason, f.orders(), c.why, c.did)
			}
		})
	}
}

func TestInterruptedAndStoppedExperimentsAreTakenBack(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.on = map[string]func(){"kill az/a": cancel}
	got := try(ctx, t, f, probes+"method: [{kill: az/a, for: 1h}]")
	if got.Outcome != report.CouldNotRun || got.Reason != "it was interrupted" || f.orders() != "kill az/a, start az/a" {
		t.Errorf("%s: %s; did %s", got.Outcome, got.Reason, f.orders())
	}
	f = newFake(t)
	got = try(t.Context(), t, f, "hypothesis: [{probe: no, type: command, run: [sh, -c, 'test ! -e "+f.dir+"/gone']}]\n"+
		"method: [{run: [touch, "+f.dir+"/gone]}, {kill: az/a, for: 1h}]\nstop: [{probe: no, failures: 1}]")
	if want := "stopped: probe no has failed more than 1 times"; got.Outcome != report.NotAsExpected || got.Reason != want ||
		f.orders() != "kill az/a, start az/a" {
		t.Errorf("%s: %s; did %s", got.Outcome, got.Reason, f.orders())
	}
}

func TestExperimentsAreValues(t *testing.T) {
	f := newFake(t)
	e := &Experiment{Name: "mine", Probes: []Probe{{Type: ProbeAPI, Every: 10 * time.Millisecond}, {Type: ProbeWrites}},
		Method: []Step{{Action: &Action{Verb: "kill", Target: "az/a", For: time.Millisecond}}}}
	got, err := e.Run(t.Context(), f, Options{})
	if err != nil || got.Outcome != report.AsExpected || f.orders() != "kill az/a, start az/a" {
		t.Errorf("%+v, %v; did %s", got, err, f.orders())
	}
	for want, e := range map[string]*Experiment{
		"the experiment breaks nothing: it has no method":                             {},
		`probe : "" is no type of a probe`:                                            {Probes: []Probe{{}}},
		`there are two probes with the name "api"`:                                    {Probes: []Probe{{Type: ProbeAPI}, {Type: ProbeAPI}}},
		`stop: there is no probe "x"`:                                                 {Stop: []Stop{{Probe: "x"}}},
		"random has no step":                                                          {Method: []Step{{Random: &Random{}}}},
		`"z" is not a target: write TYPE/NAME, such as az/b, etcd/leader or link/a-b`: {Method: []Step{{Action: &Action{Target: "z"}}}},
	} {
		if got, err := e.Run(t.Context(), f, Options{}); err != nil || got.Outcome != report.CouldNotRun || got.Reason != want {
			t.Errorf("got %q, %v; want %q", got.Reason, err, want)
		}
	}
}

func TestAWatchGoesOnWhereItsVersionIsGone(t *testing.T) {
	f := newFake(t)
	f.gone = func(version int) bool { return version > 5 && version < 10 }
	got := try(t.Context(), t, f, "hypothesis: [{type: watch, every: 10ms, expect: {lost: 0}}]\nmethod: [{kill: az/a, for: 300ms}]")
	if got.Outcome != report.AsExpected {
		t.Errorf("%s: %s; %v", got.Outcome, got.Reason, got.Probes[0].Lost)
	}
}
