package vended

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"tripod/awsapi/cloudwatch/metricdata"
)

const before = `# HELP apiserver_request_total [STABLE] Counter of apiserver requests
# TYPE apiserver_request_total counter
apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="pods",scope="cluster",subresource="",verb="LIST",version="v1"} 10
apiserver_request_total{code="404",component="apiserver",dry_run="",group="",resource="pods",scope="resource",subresource="",verb="GET",version="v1"} 3
apiserver_request_duration_seconds_bucket{verb="GET",le="0.1"} 100
apiserver_request_duration_seconds_bucket{verb="GET",le="0.2"} 100
apiserver_request_duration_seconds_bucket{verb="GET",le="+Inf"} 100
`

const after = `apiserver_request_total{code="200",group="",resource="pods",subresource="",verb="LIST",version="v1"} 14
apiserver_request_total{code="404",group="",resource="pods",subresource="",verb="GET",version="v1"} 5
apiserver_request_total{code="429",group="",resource="secrets",subresource="",verb="LIST",version="v1"} 2
apiserver_request_total{code="200",group="",resource="leases",subresource="",verb="PUT",version="v1"} 1
apiserver_request_duration_seconds_bucket{verb="GET",resource="pods",le="0.1"} 120
apiserver_request_duration_seconds_bucket{verb="GET",resource="pods",le="0.2"} 190
apiserver_request_duration_seconds_bucket{verb="GET",resource="pods",le="+Inf"} 190
apiserver_request_duration_seconds_bucket{verb="GET",resource="nodes",le="0.1"} 10
apiserver_request_duration_seconds_bucket{verb="GET",resource="nodes",le="0.2"} 10
apiserver_request_duration_seconds_bucket{verb="GET",resource="nodes",le="+Inf"} 10
apiserver_request_duration_seconds_bucket{verb="WATCH",le="+Inf"} 10
apiserver_request_duration_seconds_count{verb="GET"} 200
apiserver_current_inflight_requests{request_kind="mutating"} 1
apiserver_current_inflight_requests{request_kind="readOnly"} 4
apiserver_flowcontrol_current_executing_seats{flow_schema="a",priority_level="x"} 2
apiserver_flowcontrol_current_executing_seats{flow_schema="a\"b, }",priority_level="y"} 3
apiserver_admission_webhook_request_total{code="200",name="a",operation="CREATE",rejected="false",type="admit"} 7
apiserver_admission_webhook_rejection_count{error_type="no_error",name="a",operation="CREATE",rejection_code="403",type="validating"} 1
apiserver_storage_size_bytes{storage_cluster_id="etcd-0"} 4.2e+06
etcd_mvcc_db_total_size_in_use_in_bytes 1.5e+06
scheduler_schedule_attempts_total{profile="default-scheduler",result="scheduled"} 3
scheduler_pending_pods{queue="active"} 1
scheduler_pending_pods{queue="unschedulable"} 2
broken{ 1
go_goroutines 12
`

func read(t *testing.T, text string) *Reading {
	t.Helper()
	r, err := Read(strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func shown(data []metricdata.Datum) map[string]string {
	all := map[string]string{}
	for _, d := range data {
		all[d.Metric.Name] = fmt.Sprintf("%g %s", d.Sum, d.Unit)
	}
	return all
}

// TestAMinuteHasWhatWasCountedInItAndWhatWasThereAtItsEnd, by EKS's names and with the cluster's.
func TestAMinuteHasWhatWasCountedInItAndWhatWasThereAtItsEnd(t *testing.T) {
	data := Data("demo", read(t, before), read(t, after), 600)
	want := map[string]string{
		"apiserver_request_total": "9 Count", "apiserver_request_total_4XX": "4 Count", "apiserver_request_total_429": "2 Count",
		"apiserver_request_total_5XX": "0 Count", "apiserver_request_total_LIST_PODS": "4 Count",
		"apiserver_request_duration_seconds_GET_P99":   "0.19875 Seconds", // 100 requests: 30 up to 0.1 s, 70 up to 0.2 s
		"apiserver_current_inflight_requests_MUTATING": "1 Count", "apiserver_current_inflight_requests_READONLY": "4 Count",
		"apiserver_flowcontrol_current_executing_seats": "5 Count",
		"apiserver_admission_webhook_request_total":     "7 Count", "apiserver_admission_webhook_request_total_ADMIT": "7 Count",
		"apiserver_admission_webhook_rejection_count": "1 Count", "apiserver_admission_webhook_rejection_count_VALIDATING": "1 Count",
		"apiserver_storage_size_bytes": "4.2e+06 Bytes", "etcd_mvcc_db_total_size_in_use_in_bytes": "1.5e+06 Bytes",
		"scheduler_schedule_attempts_total": "3 Count", "scheduler_schedule_attempts_SCHEDULED": "3 Count",
		"scheduler_pending_pods": "3 Count", "scheduler_pending_pods_ACTIVEQ": "1 Count", "scheduler_pending_pods_UNSCHEDULABLE": "2 Count",
	}
	got := shown(data)
	for name, value := range want {
		if got[name] != value && !(name == "apiserver_request_duration_seconds_GET_P99" && strings.HasPrefix(got[name], "0.198")) {
			t.Errorf("%s is %q, want %q", name, got[name], value)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("got %v, too", got)
	}
	for _, d := range data {
		if value, _ := d.Metric.Value("ClusterName"); value != "demo" || d.Metric.Namespace != "AWS/EKS" || d.Time != 600 || d.Count != 1 {
			t.Errorf("got %+v", d)
		}
	}
}

// TestAProcessThatBeginsAnewCountsFromNothing, and one that was not read before has no counts at all.
func TestAProcessThatBeginsAnewCountsFromNothing(t *testing.T) {
	if got := shown(Data("demo", read(t, after), read(t, before), 0))["apiserver_request_total"]; got != "13 Count" {
		t.Errorf("got %q", got)
	}
	if got := shown(Data("demo", nil, read(t, after), 0)); got["apiserver_request_total"] != "" || got["scheduler_pending_pods"] != "3 Count" {
		t.Errorf("got %v", got)
	}
}

// TestAComponentsOwnFamiliesAreRead, and not those that its process has of others.
func TestAComponentsOwnFamiliesAreRead(t *testing.T) {
	r, err := Read(strings.NewReader(after), "scheduler_")
	if err != nil {
		t.Fatal(err)
	}
	if got := shown(Data("demo", nil, r, 0)); len(got) != 3 {
		t.Errorf("got %v", got)
	}
}

// TestALineWithoutEndIsRefused, so that no process fills the memory.
func TestALineWithoutEndIsRefused(t *testing.T) {
	if _, err := Read(io.LimitReader(endless{}, 8<<20), ""); err == nil {
		t.Error("it is read")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func BenchmarkRead(b *testing.B) {
	var text strings.Builder
	for i := range 20000 {
		fmt.Fprintf(&text, "apiserver_request_duration_seconds_bucket{component=\"apiserver\",group=\"apps\",resource=\"r%d\",scope=\"cluster\","+
			"subresource=\"\",verb=\"LIST\",version=\"v1\",le=\"%d\"} %d\n", i/20, i%20, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(strings.NewReader(text.String()), "apiserver_"); err != nil {
			b.Fatal(err)
		}
	}
}
