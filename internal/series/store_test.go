package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

var epoch = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)

func families(t testing.TB, text string) (all []*dto.MetricFamily) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	byName, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range byName {
		all = append(all, f)
	}
	return all
}

// counting is a store with a counter of one target that grows by 2 a second, told each 15 s for n times.
func counting(t testing.TB, n int) (s *Store, last time.Time) {
	s = New()
	for i := range n {
		last = epoch.Add(time.Duration(i) * 15 * time.Second)
		s.Add(last, map[string]string{"job": "apiserver", "zone": "a"}, families(t, fmt.Sprintf("# TYPE calls_total counter\n"+
			"calls_total{code=\"200\",zone=\"mine\"} %d\n", 30*i)), true)
	}
	return s, last
}

func values(t testing.TB, s *Store, q Question) string {
	t.Helper()
	answer, err := s.Ask(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, one := range answer.Series {
		for _, p := range one.Points {
			text = append(text, fmt.Sprint(p.Value))
		}
	}
	return strings.Join(text, " ")
}

func TestQuestionsAreAnsweredAsPrometheusDoes(t *testing.T) {
	s, last := counting(t, 20)
	for query, want := range map[string]string{
		`round(rate(calls_total[1m]), 0.001)`:        "2",
		`sum by (zone, exported_zone) (calls_total)`: "570",
		`calls_total{exported_zone="mine",zone="a"}`: "570",
		`calls_total offset 1m`:                      "450",
		`up`:                                         "1",
		`calls_total{zone="b"}`:                      "",
		`count({__name__=~".+"})`:                    "2",
		`1 + 1`:                                      "2",
		`round(max_over_time(rate(calls_total[1m])[2m:15s]), 0.001)`: "2",
	} {
		if got := values(t, s, Question{Query: query, At: last}); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	if got := values(t, s, Question{Query: "calls_total", At: last, Since: time.Minute, Interval: 30 * time.Second}); got != "450 510 570" {
		t.Errorf("a range has %q", got)
	}
}

func TestASeriesThatIsToldNoMoreIsInNoAnswer(t *testing.T) {
	s, last := counting(t, 3)
	of := map[string]string{"job": "apiserver", "zone": "a"}
	s.Add(last.Add(15*time.Second), of, nil, false)
	at := last.Add(16 * time.Second)
	if got := values(t, s, Question{Query: "calls_total", At: at}); got != "" {
		t.Errorf("the counter of a target that is down is %q", got)
	}
	if got := values(t, s, Question{Query: "up", At: at}); got != "0" {
		t.Errorf("up is %q", got)
	}
	if got := values(t, s, Question{Query: "calls_total", At: last.Add(14 * time.Second)}); got != "60" {
		t.Errorf("before it was down the counter was %q", got)
	}
}

func TestAnHourIsKept(t *testing.T) {
	s, last := counting(t, 2*240)
	got := values(t, s, Question{Query: "count_over_time(calls_total[3h])", At: last})
	var n int
	if fmt.Sscan(got, &n); n < 240 || n > 240+int(chunkSpan/(15*time.Second)) {
		t.Errorf("%d of 480 samples are kept", n)
	}
	s.Add(last.Add(2*time.Hour), map[string]string{"job": "other"}, nil, true)
	if s.count != 1 || len(s.targets) != 1 {
		t.Errorf("%d series of %d targets are left of an hour in which one of one was told", s.count, len(s.targets))
	}
}

func TestThereIsAMostOfSeries(t *testing.T) {
	s := New()
	var text strings.Builder
	for i := range MostSeries + 10 {
		fmt.Fprintf(&text, "many{n=\"%d\"} 1\n", i)
	}
	told := families(t, text.String())
	for i := range 2 {
		s.Add(epoch.Add(time.Duration(i)*time.Second), map[string]string{"job": "x"}, told, true)
	}
	if s.count != MostSeries || s.LeftOut() != 22 { // `up` too
		t.Errorf("%d series, %d left out", s.count, s.LeftOut())
	}
	_, err := s.Ask(t.Context(), Question{Query: "many", At: epoch.Add(time.Second)})
	if err == nil || !strings.Contains(err.Error(), "aggregate them") {
		t.Errorf("an answer of all series: %v", err)
	}
}

func TestBadQuestionsAreRefused(t *testing.T) {
	s, last := counting(t, 3)
	for _, q := range []Question{
		{Query: "sum(", At: last}, {Query: "", At: last}, {Query: "calls_total[1m]", At: last, Since: time.Minute},
		{Query: "up", At: last, Since: time.Hour, Interval: time.Millisecond},
	} {
		if _, err := s.Ask(t.Context(), q); !errors.Is(err, ErrQuery) {
			t.Errorf("%v: %v", q, err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := s.Ask(ended, Question{Query: "up", At: last}); !errors.Is(err, context.Canceled) {
		t.Errorf("a question that nobody waits for: %v", err)
	}
	if answer, err := s.Ask(t.Context(), Question{Query: "0/0", At: last}); err != nil || !math.IsNaN(answer.Series[0].Points[0].Value) {
		t.Errorf("0/0 is %v, %v", answer, err)
	}
	names, err := Names(`sum(rate(a[5m])) / {job="x"} + on() b`)
	if err != nil || fmt.Sprintf("%q", names) != `["a" "" "b"]` {
		t.Errorf("%q, %v", names, err)
	}
}

func BenchmarkAddAThousandSeries(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "many{n=\"%d\",code=\"200\"} %d\n", i, i)
	}
	told, s := families(b, text.String()), New()
	b.ReportAllocs()
	for i := range b.N {
		s.Add(epoch.Add(time.Duration(i)*15*time.Second), map[string]string{"job": "x"}, told, true)
	}
}
