package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"tripod/client"
)

const (
	job          = "[sig-apps] Job should delete a job [Conformance]"
	env          = "[sig-node] Downward API should provide pod name as env vars [NodeConformance] [Conformance]"
	packets      = "[sig-network] Services should serve a basic endpoint from pods [Conformance]"
	hook         = "[sig-api-machinery] AdmissionWebhook should deny crd creation [Conformance]"
	serial       = "[sig-apps] Daemon set should rollback without unnecessary restarts [Serial] [Conformance]"
	usual        = "[sig-apps] ReplicaSet should surface a failure condition on a common issue like exceeded quota"
	optionalSpec = "[sig-node] Pods should do it [FeatureGate:NewThing] [Alpha]"
)

var everything = []string{job, env, packets, hook, serial, usual, optionalSpec}

func TestRequiredSpecsRunAndListedOnes(t *testing.T) {
	for name, test := range map[string]struct {
		listed []string
		focus  string
		all    bool
		want   []string
	}{
		"nothing listed": {nil, "", false, []string{job}},
		"listed":         {[]string{env}, "", false, []string{job, env}},
		"all":            {nil, "", true, []string{job, env, packets, usual}},
		"focus":          {[]string{env}, "sig-node", true, []string{env}},
	} {
		if diff := cmp.Diff(test.want, choose(everything, test.listed, regexp.MustCompile(test.focus), test.all)); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

func TestASpecThatFallsOffIsAnError(t *testing.T) {
	results := map[string]result{job: {passed: true}, env: {failure: "timed out"}, usual: {passed: true}}
	o := compare([]string{env, packets, job, serial}, []string{job, env, usual, hook, serial}, results)
	if diff := cmp.Diff([]string{env}, o.fell); diff != "" || o.err() == nil {
		t.Errorf("fell: -want +got:\n%s, %v", diff, o.err())
	}
	if diff := cmp.Diff([]string{usual}, o.fresh); diff != "" {
		t.Errorf("new: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{hook, serial}, o.unknown); diff != "" {
		t.Errorf("did not run: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff([]string{serial, job, usual, packets}, o.updated); diff != "" { // what has not run stays
		t.Errorf("the list: -want +got:\n%s", diff)
	}
	if o.passed != 2 || o.required != 1 || o.achieved != 1 {
		t.Errorf("counted %+v", o)
	}
	var text strings.Builder
	o.print(&text)
	for _, want := range []string{"FELL OFF THE LIST:\n  " + env, "timed out", "are new:\n  " + usual, "1 of the 1 required"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in\n%s", want, text.String())
		}
	}
	if err := compare([]string{job}, []string{job}, results).err(); err != nil {
		t.Errorf("nothing fell off: %v", err)
	}
	if compare([]string{job}, []string{job, hook}, results).err() == nil {
		t.Error("a spec that did not run is no error")
	}
}

func TestFocusIsOfWholeNames(t *testing.T) {
	patterns := focusOf([]string{job, usual})
	if len(patterns) != 1 {
		t.Fatalf("got %d patterns", len(patterns))
	}
	focus := regexp.MustCompile(patterns[0])
	for name, want := range map[string]bool{job: true, usual: true, usual + " [Slow]": false, env: false} {
		if got := focus.MatchString("Kubernetes e2e suite " + name); got != want {
			t.Errorf("%s: got %v", name, got)
		}
	}
	long := strings.Repeat("x", mostFocus/2)
	if patterns := focusOf([]string{long, long, long}); len(patterns) != 3 {
		t.Errorf("long names are in %d patterns", len(patterns))
	}
}

func TestReportSaysWhatCameOfSpecs(t *testing.T) {
	path := filepath.Join(t.TempDir(), reportFile)
	const report = `[{"SpecReports":[
		{"LeafNodeType":"SynchronizedBeforeSuite","State":"passed"},
		{"ContainerHierarchyTexts":["[sig-apps] Job"],"LeafNodeType":"It","LeafNodeText":"should delete a job [Conformance]","State":"passed","RunTime":2000000000},
		{"ContainerHierarchyTexts":["[sig-node] A","B"],"LeafNodeType":"It","LeafNodeText":"c","State":"failed","Failure":{"Message":"a\n  b"}},
		{"ContainerHierarchyTexts":["[sig-node] A"],"LeafNodeType":"It","LeafNodeText":"d","State":"skipped"}]}]`
	if err := os.WriteFile(path, []byte(report), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := readReport(path)
	want := map[string]result{job: {true, 2e9, ""}, "[sig-node] A B c": {false, 0, "a b"}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(result{})); diff != "" || err != nil {
		t.Errorf("%v; -want +got:\n%s", err, diff)
	}
	broken := strings.Replace(report, `Suite","State":"passed"`, `Suite","State":"failed","Failure":{"Message":"no nodes"}`, 1)
	if err := os.WriteFile(path, []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readReport(path); err == nil || !strings.Contains(err.Error(), "no nodes") {
		t.Errorf("a suite that could not run: %v", err)
	}
}

// killable is a region that notes what is done to it.
type killable struct {
	did   []string
	ended func()
	sick  error
}

func (k *killable) Do(_ context.Context, target, verb, _ string) error {
	if k.did = append(k.did, verb+" "+target); len(k.did) == 4 {
		k.ended()
	}
	return nil
}

func (k *killable) WaitFor(context.Context, client.Condition, func(string)) error { return k.sick }

func TestZonesAreKilledInTurnAndStartedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		k := &killable{ended: cancel}
		kills, err := killZones(ctx, k, time.Minute, io.Discard)
		if want := []string{"kill az/a", "start az/a", "kill az/b", "start az/b"}; err != nil || kills != 2 || !slices.Equal(k.did, want) {
			t.Errorf("%d kills, %v: %v", kills, err, k.did)
		}
		k = &killable{ended: func() {}, sick: errors.New("sick")}
		if kills, err := killZones(t.Context(), k, time.Minute, io.Discard); kills != 1 || err == nil {
			t.Errorf("a region that stays sick: %d kills, %v", kills, err)
		}
	})
}

// TestWhatFailsOnlyUnderKillsIsExplained: each spec that passes at rest is in the list of those that pass under kills, or has its reason
// in failing_under_kills.txt.
func TestWhatFailsOnlyUnderKillsIsExplained(t *testing.T) {
	under, err := readList("passing_under_kills.txt")
	if err != nil {
		t.Fatal(err)
	}
	if len(under) == 0 {
		t.Skip("there is no list yet: make conformance CONFORMANCE='-kills 1m -update' writes it")
	}
	atRest, err := readList("passing.txt")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("failing_under_kills.txt")
	if err != nil {
		t.Fatal(err)
	}
	why := map[string]string{}
	name := ""
	for line := range strings.SplitSeq(string(text), "\n") {
		if reason := strings.TrimSpace(line); reason == line && line != "" {
			name = line
		} else if reason != "" {
			why[name] += reason + " "
		}
	}
	for _, spec := range atRest {
		if slices.Contains(under, spec) == (why[spec] != "") {
			t.Errorf("%s: it must be listed as passing, or explained, and not both", spec)
		}
	}
}

// The specs are of the Kubernetes that runs.
func TestSpecsAreOfTheKubernetesThatRuns(t *testing.T) {
	required := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^(?:require |\t)k8s\.io/kubernetes (v\S+)`).FindSubmatch(text)
		if found == nil {
			t.Fatalf("%s does not require Kubernetes", file)
		}
		return string(found[1])
	}
	if ours, theirs := required("../../go.mod"), required("e2e/go.mod"); ours != theirs {
		t.Errorf("the region runs Kubernetes %s, and the specs are of %s: see system/conformance/e2e/go.mod", ours, theirs)
	}
}
