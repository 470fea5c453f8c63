package chaos

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"tripod/client/chaos/report"
)

// podOf is one of a Deployment's pods, as the API server has it.
func podOf(deployment string, n int, node, ready string) string {
	return fmt.Sprintf(`{"metadata": {"name": "%[1]s-5d9-%[2]d", "namespace": "default", "labels": {"pod-template-hash": "5d9"},
		"ownerReferences": [{"kind": "ReplicaSet", "name": "%[1]s-5d9"}]}, "spec": {"nodeName": %[3]q},
		"status": {"conditions": [{"type": "Ready", "status": %[4]q}]}}`, deployment, n, node, ready)
}

func itemsOf(items ...string) string { return `{"items": [` + strings.Join(items, ",") + `]}` }

// TestTheForecastSaysWhatIsHurt and, afterwards, what came of it.
func TestTheForecastSaysWhatIsHurt(t *testing.T) {
	f := newFake(t)
	nodeOf := func(zone string) string {
		return fmt.Sprintf(`{"metadata": {"name": "n%[1]s", "labels": {"topology.kubernetes.io/zone": "us-east-1%[1]s"}}}`, zone)
	}
	volumeOf := func(zone, claim string) string {
		return fmt.Sprintf(`{"spec": {"claimRef": {"namespace": "default", "name": %q}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
			{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "values": ["us-east-1%s"]}]}]}}}}`, claim, zone)
	}
	budgetOf := func(name string, allowed int) string {
		return fmt.Sprintf(`{"metadata": {"namespace": "default", "name": %q}, "status": {"disruptionsAllowed": %d, "expectedPods": 2}}`, name, allowed)
	}
	pods := func(web, spread string) string {
		return itemsOf(podOf("web", 1, "nb", web), podOf("web", 2, "nb", web), podOf("spread", 1, "na", spread), podOf("spread", 2, "nb", spread),
			podOf("elsewhere", 1, "nc", "True"))
	}
	f.lists = map[string]string{
		"/api/v1/nodes": itemsOf(nodeOf("a"), nodeOf("b"), nodeOf("c")), "/api/v1/pods": pods("True", "True"),
		"/api/v1/persistentvolumes":            itemsOf(volumeOf("b", "data"), volumeOf("a", "other"), volumeOf("b", "")),
		"/apis/policy/v1/poddisruptionbudgets": itemsOf(budgetOf("strict", 0), budgetOf("lax", 1)),
	}
	e := &Experiment{Name: "x", Method: []Step{{Action: &Action{Verb: "kill", Target: "az/b"}}}}
	want := []report.Finding{
		{Kind: "workload", Object: "default/web",
			Why: "all of its 2 pods are in us-east-1b: it is gone with the zone until its pods are made elsewhere"},
		{Kind: "pdb", Object: "default/strict", Why: "it allows no disruption: nodes with its pods cannot be drained"},
		{Kind: "volume", Object: "default/data", Why: "its volume is in us-east-1b: who uses it waits for the zone"}}
	got, err := e.Forecast(t.Context(), f, e.Plan(1, 1), Options{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if f.orders() != "" {
		t.Errorf("a forecast did %s", f.orders())
	}

	var seen struct{ Items []pod }
	if err := json.Unmarshal([]byte(pods("False", "False")), &seen); err != nil {
		t.Fatal(err)
	}
	r := &run{experiment: e, plan: e.Plan(1, 1), region: f, report: &report.Report{}}
	if err := r.connect(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	foreseen, err := r.foresee(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	foreseen.look(seen.Items)
	want[0].Came = "at the worst 0 of 2 pods were Ready"
	want = append(want, report.Finding{Kind: "workload", Object: "default/spread", Why: "nobody foresaw it",
		Came: "none of its 2 pods was Ready at the worst"})
	if got := foreseen.compare(new(false)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestTheForecastCountsTheZonesThatAreAwayAtOnce: two of three have no majority.
func TestTheForecastCountsTheZonesThatAreAwayAtOnce(t *testing.T) {
	f := newFake(t)
	for method, want := range map[string]string{
		"[{kill: az/a, for: 1s}, {kill: az/b, for: 1s}]":                "",
		"[{kill: az/a}, {start: az/a}, {kill: az/b}]":                   "",
		"[{kill: az/a}, {kill: az/b}]":                                  "quorum",
		"[{parallel: [{kill: az/a, for: 1s}, {pause: az/c, for: 1s}]}]": "quorum",
	} {
		e, err := Parse("x.yaml", []byte("name: x\nmethod: "+method), nil, 1)
		if err != nil {
			t.Fatal(err)
		}
		findings, err := e.Forecast(t.Context(), f, e.Plan(1, 1), Options{})
		var kinds []string
		for _, one := range findings {
			kinds = append(kinds, one.Kind)
		}
		if err != nil || strings.Join(kinds, " ") != want {
			t.Errorf("%s: got %+v, %v; want %q", method, findings, err, want)
		}
	}
}
