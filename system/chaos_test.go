package system

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/client"
	"tripod/client/chaos/report"
)

const zoneLoss = `
name: zone-loss
steady: 1s
hypothesis:
  - {probe: reads, type: api, expect: {availability: 50%, gap: 30s}}
  - {type: writes, expect: {lost: 0, gap: 30s}}
  - {type: watch, expect: {lost: 0}}
  - {type: aws}
  - {type: command, every: 2s, timeout: 20s, run: [sh, -c, 'test -n "$AWS_ENDPOINT_URL"']}
  - {type: condition, path: /api/v1/nodes/NODE, condition: Ready}
  - {type: region, condition: region quorum}
method:
  - {kill: az/random, for: 3s}
  - {await: region healthy, within: 2m}
  - {partition: link/leader-all, for: 3s}
`

// TestAnExperimentTellsWhatClientsSaw: experiments that come as expected, that do not, that cannot run and that are interrupted, by their
// exit codes and reports; the region is whole after each.
func TestAnExperimentTellsWhatClientsSaw(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	nodes, err := r.kube(t).CoreV1().Nodes().List(within(t, 30*time.Second), metav1.ListOptions{})
	must(t, "list the nodes", err)
	write := func(name, text string) string {
		path := filepath.Join(r.dir, name)
		must(t, "write an experiment", os.WriteFile(path, []byte(strings.ReplaceAll(text, "NODE", nodes.Items[0].Name)), 0o600))
		return path
	}
	good, reports := write("good.yaml", zoneLoss), filepath.Join(r.dir, "reports")
	out, stderr, code := tripod(t, r.dir, "chaos", "run", good, "--seed", "5", "--report", reports, "-o", "json")
	var got report.Report
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v: %s\n%s", code, err, out, stderr)
	}
	if got.Outcome != report.AsExpected || len(got.Faults) != 2 || len(got.Phases) != 3 || got.Seed != 5 ||
		!strings.HasSuffix(got.Replay, "chaos run "+good+" --seed 5") {
		t.Errorf("got %s (%s) with faults %+v, phases %+v and %q", got.Outcome, got.Reason, got.Faults, got.Phases, got.Replay)
	}
	for _, p := range got.Probes {
		if p.Attempts == 0 || len(p.Series) == 0 || p.Type == "command" && p.Failures > 0 {
			t.Errorf("probe %s has %d attempts and %d points: %v", p.Name, p.Attempts, len(p.Series), p.Errors)
		}
	}
	if len(got.Events) == 0 || len(got.Leaders) < 4 || len(got.Census) == 0 || got.Census[0].Nodes != 3 {
		t.Errorf("there are %d events, leaders %+v, census %+v", len(got.Events), got.Leaders, got.Census)
	}
	suite := struct {
		Tests    int `xml:"tests,attr"`
		Failures int `xml:"failures,attr"`
	}{}
	text, err := os.ReadFile(filepath.Join(reports, "junit.xml"))
	must(t, "read the report for JUnit", err)
	if err := xml.Unmarshal(text, &suite); err != nil || suite.Tests != len(got.Verdicts) || suite.Failures != 0 {
		t.Errorf("JUnit's report has %+v: %v", suite, err)
	}

	bad := write("bad.yaml", "name: bad\nsteady: 1s\nhypothesis: [{type: api, expect: {p50: 1ns}}]\nmethod: [{kill: apiserver/b}, {wait: 1s}]")
	out, stderr, code = tripod(t, r.dir, "chaos", "run", bad, "--seed", "1", "--until-fails", "--repeat", "3")
	if code != 1 || !strings.Contains(out, "FAILED  api: median time") || !strings.Contains(stderr, "chaos run "+bad+" --seed 1") {
		t.Errorf("exit code %d: %s\n%s", code, out, stderr)
	}
	wrong := write("wrong.yaml", "name: wrong\nmethod:\n  - {kill: az/q}\n")
	if _, stderr, code = tripod(t, r.dir, "chaos", "run", wrong); code != 2 || !strings.Contains(stderr, wrong+":3:12: there is no zone") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	r.await(t, time.Minute, "region", client.ForHealthy)

	long := exec.CommandContext(t.Context(), binary, "--data-dir", r.dir, "chaos", "run",
		write("long.yaml", "name: long\nsteady: 1s\nmethod: [{pause: az/c, for: 1h}]"))
	must(t, "start a long experiment", long.Start())
	r.await(t, time.Minute, "az/c", "paused")
	must(t, "interrupt it", long.Process.Signal(syscall.SIGINT))
	if err := long.Wait(); long.ProcessState.ExitCode() != 2 {
		t.Errorf("an interrupted experiment ends with %v", err)
	}
	if status := r.status(t); len(status.Faults) != 0 {
		t.Errorf("an interrupted experiment leaves %+v", status.Faults)
	}
}
