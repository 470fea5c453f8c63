package emulator

import (
	"fmt"
	"strings"
	"testing"

	"tripod/api"
	"tripod/client"
)

func testQuery(t *testing.T, r *testRegion) {
	ask := func(query string) string {
		t.Helper()
		told, err := client.New(r.dir.path).Query(t.Context(), api.MetricsQuestion{Query: query})
		if err != nil {
			t.Fatalf("%s: %v", query, err)
		}
		answer := told.Type
		for _, s := range told.Series {
			answer += " " + s.Points[0].Value.String()
		}
		return answer + fmt.Sprintf(", %d notes", len(told.Warnings))
	}
	for _, step := range []struct{ query, want string }{
		{"sum(tripod_zone_up)", "vector 3, 0 notes"},
		{`count(up{job="etcd"})`, "vector 3, 1 notes"}, // instances are recorded from here on
		{`count by (job) (up{job="controllers"})`, "vector 3, 0 notes"},
		{`count(up{job="tripod"} == 1)`, "vector 1, 0 notes"},
		{"2 * 3", "scalar 6, 0 notes"},
	} {
		if got := ask(step.query); got != step.want {
			t.Errorf("%s: %s, want %s", step.query, got, step.want)
		}
	}
	_, err := client.New(r.dir.path).Query(t.Context(), api.MetricsQuestion{Query: "sum("})
	if err == nil || !strings.Contains(err.Error(), "cannot answer this query: 1:5: parse error") {
		t.Errorf("half a query: %v", err)
	}
}

func TestTheRecordHasNoPlaceForWideHistograms(t *testing.T) {
	var text strings.Builder
	for _, name := range []string{"wide_seconds", "apiserver_request_duration_seconds"} {
		fmt.Fprintf(&text, "# TYPE %s histogram\n", name)
		for verb := range 101 {
			fmt.Fprintf(&text, "%s_bucket{verb=\"%d\",le=\"+Inf\"} 1\n%[1]s_sum{verb=\"%[2]d\"} 1\n%[1]s_count{verb=\"%[2]d\"} 1\n", name, verb)
		}
	}
	text.WriteString("narrow_total 1\n")
	families, err := familiesOf(strings.NewReader(text.String()))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if want := f.GetName() != "wide_seconds"; worthwhile(f) != want {
			t.Errorf("%s is recorded: %t", f.GetName(), !want)
		}
	}
}
