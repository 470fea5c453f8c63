package chaos

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"tripod/client/chaos/report"
)

// audited is an event of the audit log, some seconds ago.
func audited(agent, user, verb, uri string, code, ago int) string {
	return fmt.Sprintf(`{"stage": "ResponseComplete", "verb": %q, "requestURI": %q, "userAgent": %q, "user": {"username": %q},
		"responseStatus": {"code": %d}, "requestReceivedTimestamp": %q}`, verb, uri, agent, user, code,
		time.Now().Add(-time.Duration(ago)*time.Second).UTC().Format(time.RFC3339Nano))
}

// TestTheForecastNamesClientsThatDoNotRepeat what failed, by the audit log, and says afterwards what came of them.
func TestTheForecastNamesClientsThatDoNotRepeat(t *testing.T) {
	const maps, account = "/api/v1/namespaces/default/configmaps", "system:serviceaccount:default:shop"
	f := newFake(t)
	f.lists = map[string]string{"/api/v1/nodes": itemsOf(), "/api/v1/pods": itemsOf(), "/api/v1/persistentvolumes": itemsOf(),
		"/apis/policy/v1/poddisruptionbudgets": itemsOf()}
	f.audit = []string{
		audited("shop/1.0 (linux)", account, "create", maps, 503, 600), audited("shop/1.0 (linux)", account, "create", maps, 201, 500),
		audited("shop/1.0 (linux)", account, "create", maps, 504, 300), audited("shop/1.0 (linux)", account, "create", maps, 201, 299),
		audited("well/2", "ops", "update", maps+"/x", 500, 200), audited("well/2", "ops", "update", maps+"/x", 500, 199),
		audited("well/2", "ops", "update", maps+"/x", 200, 198), audited("once/3", "ops", "get", maps+"/x", 503, 7200),
		audited("kube-scheduler/1", "system:kube-scheduler", "create", "/api/v1/namespaces/default/pods/x/binding", 500, 100),
		audited("cloud-controller-manager/1", "eks:cloud-controller-manager", "update", maps, 500, 100),
		audited("ebs/1", "system:serviceaccount:kube-system:ebs", "get", maps, 500, 100),
	}
	e := &Experiment{Name: "x", Method: []Step{{Action: &Action{Verb: "kill", Target: "az/b"}}}}
	own := *e
	if err := own.complete(); err != nil {
		t.Fatal(err)
	}
	r := &run{experiment: &own, plan: own.Plan(1, 1), region: f, report: &report.Report{}, say: func(string, ...any) {}}
	if err := r.connect(t.Context(), Options{}); err != nil {
		t.Fatal(err)
	}
	foreseen, err := r.foresee(t.Context())
	name := "shop/1.0 as " + account
	want := []report.Finding{{Kind: "client", Object: name,
		Why: "in the last hour 2 of its requests failed, and it repeated 1: what fails under the faults is lost to it"}}
	if err != nil || !reflect.DeepEqual(foreseen.findings, want) {
		t.Fatalf("got %+v, %v; want %+v", foreseen.findings, err, want)
	}

	f.audit = append(f.audit, audited("shop/1.0 (linux)", account, "create", maps, 503, 80), audited("new/1", "ops", "delete", maps, 500, 80),
		audited("soon/1", "ops", "delete", maps, 500, 1)) // it may still repeat it
	seen, err := r.readRepeats(t.Context(), time.Now().Add(-90*time.Second), time.Now())
	foreseen.compareClients(seen)
	want[0].Came = "1 of its requests failed, and it repeated 0"
	want = append(want, report.Finding{Kind: "client", Object: "new/1 as ops", Why: "nobody foresaw it", Came: want[0].Came})
	if err != nil || !reflect.DeepEqual(foreseen.findings, want) {
		t.Errorf("got %+v, %v; want %+v", foreseen.findings, err, want)
	}
}
