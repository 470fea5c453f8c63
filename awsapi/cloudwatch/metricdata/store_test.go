package metricdata

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"tripod/logs/logstore"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// newStore is a store over a log in a directory, and the clock that it has.
func newStore(t *testing.T, dir string, limits Limits) (*Store, *time.Time) {
	t.Helper()
	now := began
	clock := func() time.Time { return now }
	log, err := logstore.Open(logstore.Config{Dir: dir, Zone: "a", Zones: []string{"a"}, Now: clock,
		Exists: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	return &Store{Log: log, Now: clock, Limits: limits}, &now
}

func put(t *testing.T, s *Store, data ...Datum) {
	t.Helper()
	if err := s.Put(context.Background(), data); err != nil {
		t.Fatal(err)
	}
}

func datum(name string, at time.Time, s Summary) Datum {
	return Datum{Metric: NewMetric("Shop", name, []Dimension{{"b", "2"}, {"a", "1"}}), Unit: "Count", Time: at.Unix(), Summary: s}
}

var shopOrders = NewMetric("Shop", "Orders", []Dimension{{"a", "1"}, {"b", "2"}})

func pointsOf(t *testing.T, s *Store, m Metric, from, to time.Time, period int64) []Point {
	t.Helper()
	points, err := s.Merged(m, "", Span{from.Unix(), to.Unix(), period})
	if err != nil {
		t.Fatal(err)
	}
	return points
}

// TestDataAreThereAfterARestart, whatever they were put as: what was read of them is made again of the journal.
func TestDataAreThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first, _ := newStore(t, dir, Limits{})
	put(t, first, datum("Orders", began, Single(3)), datum("Orders", began.Add(30*time.Second), Single(5)),
		datum("Orders", began.Add(time.Minute), Several([]Weighted{{1, 2}, {4, 1}})),
		datum("Orders", began.Add(2*time.Minute), Summary{Count: 4, Sum: 10, Min: 1, Max: 4, Opaque: true}))
	second, _ := newStore(t, dir, Limits{})
	for name, s := range map[string]*Store{"the first": first, "the second": second} {
		got := pointsOf(t, s, shopOrders, began, began.Add(time.Hour), 60)
		if len(got) != 3 || got[0].Sum != 8 || got[0].Count != 2 || got[1].Sum != 6 || got[1].Count != 3 || got[2].Sum != 10 ||
			!got[2].Opaque {
			t.Errorf("%s has %+v", name, got)
		}
	}
	if found, _ := second.Metrics(began, func(Metric) bool { return true }); len(found) != 1 || found[0].Key() != shopOrders.Key() {
		t.Errorf("got %v", found)
	}
}

// TestPeriodsBeginWhereTheQuestionDoes, as CloudWatch counts them.
func TestPeriodsBeginWhereTheQuestionDoes(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), Limits{})
	for minute := range 10 {
		put(t, s, datum("Orders", began.Add(time.Duration(minute)*time.Minute), Single(1)))
	}
	got := pointsOf(t, s, shopOrders, began.Add(2*time.Minute), began.Add(9*time.Minute), 300)
	if len(got) != 2 || got[0].Time != began.Add(2*time.Minute).Unix() || got[0].Sum != 5 || got[1].Sum != 2 {
		t.Errorf("got %+v", got)
	}
}

// TestOldDataAreKeptByWiderPeriods: seconds for 3 hours, minutes for 15 days, five minutes for 63 days, hours for 455 days.
func TestOldDataAreKeptByWiderPeriods(t *testing.T) {
	s, now := newStore(t, t.TempDir(), Limits{})
	for second := range 120 {
		d := datum("Orders", began.Add(time.Duration(second)*time.Second), Single(float64(second)))
		d.Fine = true
		put(t, s, d)
	}
	for _, c := range []struct {
		after time.Duration
		want  map[int64]int // how many points there are, by period
	}{
		{0, map[int64]int{1: 120, 60: 2, 300: 1, 3600: 1}},
		{4 * time.Hour, map[int64]int{1: 0, 60: 2, 300: 1, 3600: 1}},
		{16 * day, map[int64]int{1: 0, 60: 0, 300: 1, 3600: 1}},
		{64 * day, map[int64]int{1: 0, 60: 0, 300: 0, 3600: 1}},
		{456 * day, map[int64]int{1: 0, 60: 0, 300: 0, 3600: 0}},
	} {
		*now = began.Add(c.after)
		for period, want := range c.want {
			got := pointsOf(t, s, shopOrders, began, began.Add(time.Hour), period)
			if len(got) != want {
				t.Errorf("after %v there are %d points of %d s, want %d", c.after, len(got), period, want)
			}
			if period >= 60 && want > 0 && got[0].Min != 0 {
				t.Errorf("after %v: %+v", c.after, got[0])
			}
		}
	}
	if len(s.series) != 0 || s.size != (size{}) || s.names != 0 {
		t.Errorf("%d metrics, %d bytes of names and %+v are left", len(s.series), s.names, s.size)
	}
}

// TestMemoryIsBounded: the oldest metrics and points go first.
func TestMemoryIsBounded(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), Limits{Metrics: 20, Points: 100})
	for i := range 50 {
		put(t, s, datum(fmt.Sprintf("m%02d", i), began.Add(time.Duration(i)*time.Minute), Single(1)))
	}
	found, err := s.Metrics(began, func(Metric) bool { return true })
	if err != nil || len(found) > 20 || found[len(found)-1].Name != "m49" {
		t.Errorf("there are %d metrics, %v", len(found), err)
	}
	for i := range 300 {
		put(t, s, datum("Orders", began.Add(time.Duration(i)*time.Minute), Single(1)))
	}
	got := pointsOf(t, s, shopOrders, began, began.Add(day), 60)
	if s.size.points > 100 || len(got) < 50 || got[len(got)-1].Time != began.Add(299*time.Minute).Unix() {
		t.Errorf("there are %d points, %d of the last metric", s.size.points, len(got))
	}
}

// TestBytesAreBounded: also of few metrics with long names, within one put, and of few points with many values.
func TestBytesAreBounded(t *testing.T) {
	s, _ := newStore(t, t.TempDir(), Limits{Names: 1 << 20, Values: 5000})
	long := strings.Repeat("v", 20_000)
	var data []Datum
	for i := range 500 {
		data = append(data, Datum{Metric: NewMetric("Shop", fmt.Sprintf("m%03d", i), []Dimension{{"long", long}}),
			Time: began.Add(time.Duration(i) * time.Second).Unix(), Summary: Single(1)})
	}
	put(t, s, data...)
	found, err := s.Metrics(began, func(Metric) bool { return true })
	if err != nil || s.names > 1<<20 || len(found) < 20 || len(found) > 26 || found[len(found)-1].Name != "m499" {
		t.Errorf("there are %d metrics with %d bytes of names, %v", len(found), s.names, err)
	}
	for minute := range 100 {
		var values []Weighted
		for i := range 100 {
			values = append(values, Weighted{float64(i), 1})
		}
		put(t, s, datum("Orders", began.Add(time.Hour+time.Duration(minute)*time.Minute), Several(values)))
	}
	got := pointsOf(t, s, shopOrders, began, began.Add(day), 60)
	if s.size.values > 5000 || len(got) < 40 || got[len(got)-1].Time != began.Add(159*time.Minute).Unix() {
		t.Errorf("there are %d points with %d values", len(got), s.size.values)
	}
	var names int
	var held size
	for key, one := range s.series {
		names += namesOf(key, one.metric)
		for unit, l := range one.units {
			names += len(unit)
			held.grow(l.size())
		}
	}
	if names != s.names || held != s.size {
		t.Errorf("the store counts %d bytes and %+v, and has %d and %+v", s.names, s.size, names, held)
	}
}

// TestStatisticsAreThoseOfCloudWatch, by the definitions in its guide.
func TestStatisticsAreThoseOfCloudWatch(t *testing.T) {
	var s Summary
	for i := 1; i <= 100; i++ {
		s.Merge(Single(float64(i)))
	}
	for name, want := range map[string]float64{
		"SampleCount": 100, "Sum": 5050, "Average": 50.5, "Minimum": 1, "Maximum": 100,
		"p0": 1, "p100": 100, "p50": 50.5, "p99": 99.01, "tm90": 45.5, "tc90": 90, "ts50": 1275, "wm90": 49.95,
		"TM(10%:90%)": 50.5, "TM(:50%)": 25.5, "IQM": 50.5, "TC(80:)": 20, "TS(98:)": 199, "PR(:30)": 30, "TM(1:3)": 2.5,
	} {
		st, ok := ParseStatistic(name)
		if got, has := st.Of(s); !ok || !has || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	for _, wrong := range []string{"", "average", "p101", "p", "tm", "TM(:)", "PR(10%:20%)", "TM(90%:10%)",
		"TM(1:20%)", "IQM2", "p1.12345678901"} {
		if _, ok := ParseStatistic(wrong); ok {
			t.Errorf("%q is taken for a statistic", wrong)
		}
	}
	p90, _ := ParseStatistic("p90")
	if _, has := p90.Of(Summary{Count: 4, Sum: 10, Min: 1, Max: 4, Opaque: true}); has {
		t.Error("a statistic set has percentiles")
	}
	if !p90.LowSamples(99) || p90.LowSamples(101) {
		t.Error("p90 needs 100 samples")
	}
}

// TestPercentilesOfManyValuesAreWithinAFewPercent, in bounded memory.
func TestPercentilesOfManyValuesAreWithinAFewPercent(t *testing.T) {
	var s Summary
	for i := 1; i <= 20000; i++ {
		s.Merge(Single(float64(i)))
	}
	p99, _ := ParseStatistic("p99")
	got, _ := p99.Of(s)
	if len(s.Values) > mostValues || math.Abs(got-19800)/19800 > 0.03 || s.Min != 1 || s.Max != 20000 || s.Count != 20000 {
		t.Errorf("p99 is %v of %d values", got, len(s.Values))
	}
}
