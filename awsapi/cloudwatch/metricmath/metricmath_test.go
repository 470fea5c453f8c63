package metricmath

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"tripod/awsapi/cloudwatch/metricdata"
)

// fixed has series by their ids: m1 is 1, 2, 3 at 0, 60 and 120, m2 is 10 and 30 at 0 and 120.
type fixed map[string]Series

var given = fixed{
	"m1": {Label: "one", Period: 60, Times: []int64{0, 60, 120}, Values: []float64{1, 2, 3}},
	"m2": {Label: "two", Period: 60, Times: []int64{0, 120}, Values: []float64{10, 30}},
	"no": {Label: "none", Period: 60},
}

func (f fixed) Get(id string) (Value, error) {
	s, found := f[id]
	if !found {
		return Value{}, fmt.Errorf("there is no %s", id)
	}
	return One(s), nil
}

func (f fixed) Metrics(within string) (all []Series, err error) {
	for _, id := range []string{"m1", "m2", "no"} {
		if strings.Contains(id, within) {
			all = append(all, f[id])
		}
	}
	return all, nil
}

func (f fixed) Search(expression, statistic string, period int64) ([]Series, error) {
	return []Series{{Label: fmt.Sprint(expression, statistic, period), Times: []int64{0}, Values: []float64{7}}}, nil
}

// shown is a value as a text: a number, or the times and values of its series.
func shown(v Value) string {
	if v.IsNumber() {
		return fmt.Sprint(v.number)
	}
	var parts []string
	for _, s := range v.series {
		var points []string
		for i, at := range s.Times {
			points = append(points, fmt.Sprintf("%d:%g", at, math.Round(s.Values[i]*1000)/1000))
		}
		parts = append(parts, strings.Join(points, " "))
	}
	return "[" + strings.Join(parts, "] [") + "]"
}

// TestExpressionsAreComputedAsTheGuideSays, function by function.
func TestExpressionsAreComputedAsTheGuideSays(t *testing.T) {
	for expression, want := range map[string]string{
		"1 + 2 * 3":                     "7",
		"-2 ^ 2":                        "-4",
		"(1 + 2) * 3 / 2":               "4.5",
		"m1 * 100":                      "[0:100 60:200 120:300]",
		"m1 / m2":                       "[0:0.1 120:0.1]",
		"100 * (m1 / (m1 - 1))":         "[60:200 120:150]",
		"m1 > 1 && m1 < 3":              "[0:0 60:1 120:0]",
		"m1 == 2 OR m1 == 3":            "[0:0 60:1 120:1]",
		"SUM(m1)":                       "6",
		"SUM([m1,m2])":                  "[0:11 60:2 120:33]",
		"AVG(METRICS())":                "[0:5.5 60:2 120:16.5]",
		`MAX(METRICS("m"))`:             "[0:10 60:2 120:30]",
		"MIN(m1)":                       "1",
		"STDDEV([m1, m2])":              "[0:4.5 60:0 120:13.5]",
		"METRICS() * 2":                 "[0:2 60:4 120:6] [0:20 120:60] []",
		"METRIC_COUNT(METRICS())":       "3",
		"DATAPOINT_COUNT(m2)":           "2",
		"FILL(m2, 0)":                   "[0:10 60:0 120:30 180:0]",
		"FILL(m2, REPEAT)":              "[0:10 60:10 120:30 180:30]",
		"FILL(m2, LINEAR)":              "[0:10 60:20 120:30]",
		"FILL(m2, m1)":                  "[0:10 60:2 120:30]",
		"FILL(no, 5)":                   "[0:5 60:5 120:5 180:5]",
		"IF(m1 > 1, m1)":                "[60:2 120:3]",
		"IF(m1 > 1, 1, 0)":              "[0:0 60:1 120:1]",
		"IF(m1 > 1, m2, m1)":            "[0:1 120:30]",
		"RATE(m1)":                      "[60:0.017 120:0.017]",
		"DIFF(m2)":                      "[120:20]",
		"DIFF_TIME(m2)":                 "[120:120]",
		"RUNNING_SUM(m1)":               "[0:1 60:3 120:6]",
		"TIME_SERIES(5)":                "[0:5 60:5 120:5 180:5]",
		"PERIOD(m1)":                    "60",
		"m1 / PERIOD(m1)":               "[0:0.017 60:0.033 120:0.05]",
		"ABS(0 - m1)":                   "[0:1 60:2 120:3]",
		"FIRST(METRICS())":              "[0:1 60:2 120:3]",
		"LAST([m1,m2])":                 "[0:10 120:30]",
		"SLICE(METRICS(),1)":            "[0:10 120:30]",
		"SLICE(METRICS(),0,2)":          "[0:1 60:2 120:3] [0:10 120:30]",
		"SORT([m1,m2],MAX,DESC,1)":      "[0:10 120:30]",
		"REMOVE_EMPTY(METRICS())":       "[0:1 60:2 120:3] [0:10 120:30]",
		"MINUTE(m1)":                    "[0:0 60:1 120:2]",
		"SUM(SEARCH('{x}', 'Sum', 60))": "[0:7]",
	} {
		e, err := Parse(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		got, err := e.Compute(given, Frame{0, 240, 60}, &Budget{})
		if err != nil || shown(got) != want {
			t.Errorf("%s is %s, %v; want %s", expression, shown(got), err, want)
		}
	}
}

// TestExpressionsThatMakeNoSenseAreRefused, when they are read or when they are computed.
func TestExpressionsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, expression := range []string{"", "m1 +", "(m1", "m1 m2", "'a", "NOPE(m1)", "m1 # 2", "[1,2]", "m9", "SUM(1)", "FILL(m1)", "'a' + 1",
		"IF(METRICS(), 1, 2)", "LAMBDA('f')", "SORT(m1, AVG, DESC)", strings.Repeat("(", 1000), strings.Repeat("-", 2000) + "1"} {
		e, err := Parse(expression)
		if err != nil {
			continue
		}
		if got, err := e.Compute(given, Frame{0, 240, 60}, &Budget{}); err == nil {
			t.Errorf("%s is %s", expression, shown(got))
		}
	}
	e, err := Parse("SUM([m1, m2]) + IF(m3 > 1, REPEAT)")
	if err != nil || !slices.Equal(e.Names, []string{"m1", "m2", "m3"}) {
		t.Errorf("got %+v, %v", e, err)
	}
}

// TestExpressionsAreTakenFromABudget, in all their parts and before there is memory for them.
func TestExpressionsAreTakenFromABudget(t *testing.T) {
	list := "[" + strings.TrimSuffix(strings.Repeat("TIME_SERIES(1),", 100), ",") + "]"
	for expression, want := range map[string]string{
		list: "2,000,000 datapoints",
		"TIME_SERIES(1)" + strings.Repeat("+TIME_SERIES(1)", 15): "2,000,000 datapoints",
		"SUM(" + list + ")": "2,000,000 datapoints",
		"FILL([" + strings.TrimSuffix(strings.Repeat("m1,", 400), ",") + "],0)": "2,000,000 datapoints",
		"[" + strings.Repeat("m1,", 500) + "m1]":                                "at most 500 time series",
		"TIME_SERIES(1)+TIME_SERIES(2)":                                         "",
	} {
		e, err := Parse(expression)
		if err != nil {
			t.Fatalf("%s: %v", expression, err)
		}
		_, err = e.Compute(given, Frame{0, mostTimes * 60, 60}, &Budget{})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.40s: got %v, want %q", expression, err, want)
		}
	}
	budget := &Budget{}
	e, err := Parse("m1")
	if err != nil {
		t.Fatal(err)
	}
	if err := budget.Spend(MostSpent + 1); err == nil {
		t.Error("more than the budget was spent")
	}
	if _, err := e.Compute(given, Frame{0, 240, 60}, budget); err == nil {
		t.Error("a budget that was not enough is enough for what follows")
	}
}

// TestFramesCountTheirTimes as they have them.
func TestFramesCountTheirTimes(t *testing.T) {
	for _, f := range []Frame{{0, 240, 60}, {0, 241, 60}, {0, 239, 60}, {5, 5, 1}, {5, 4, 1}, {0, 1, 0}, {0, 1 << 40, 1}, {-90, 90, 60}} {
		if f.count() != len(f.times()) {
			t.Errorf("%+v has %d times, and counts %d", f, len(f.times()), f.count())
		}
	}
}

// TestSearchesFindMetricsByTheirWords, and by whole values in quotes.
func TestSearchesFindMetricsByTheirWords(t *testing.T) {
	all := []metricdata.Metric{
		metricdata.NewMetric("AWS/EC2", "CPUUtilization", []metricdata.Dimension{{Name: "InstanceId", Value: "i-1"}}),
		metricdata.NewMetric("AWS/EC2", "NetworkIn", []metricdata.Dimension{{Name: "InstanceId", Value: "i-1"}}),
		metricdata.NewMetric("ContainerInsights", "pod_cpu_utilization", []metricdata.Dimension{{Name: "ClusterName", Value: "demo"},
			{Name: "Namespace", Value: "default"}, {Name: "PodName", Value: "web"}}),
		metricdata.NewMetric("ContainerInsights", "pod_cpu_utilization", []metricdata.Dimension{{Name: "ClusterName", Value: "demo"}}),
	}
	for search, want := range map[string][]int{
		`{AWS/EC2,InstanceId} MetricName="CPUUtilization"`:                  {0},
		`{AWS/EC2,InstanceId}`:                                              {0, 1},
		`{AWS/EC2,InstanceId} utilization`:                                  {0},
		`{AWS/EC2,InstanceId} NOT cpu`:                                      {1},
		`{ContainerInsights,PodName,ClusterName,Namespace} PodName=web`:     {2},
		`{ContainerInsights, ClusterName} MetricName="pod_cpu_utilization"`: {3},
		`MetricName=(cpuutilization OR networkin)`:                          {0, 1},
		`Namespace="ContainerInsights" ClusterName="demo" cpu`:              {2, 3},
		`"i-1" AND network`:                                                 {1},
	} {
		s, err := ParseSearch(search)
		var got []int
		for i, m := range all {
			if err == nil && s.Matches(m) {
				got = append(got, i)
			}
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s finds %v, %v; want %v", search, got, err, want)
		}
	}
	for _, wrong := range []string{"", "{AWS/EC2", `"x`, "(x", "x = ", "NOT", strings.Repeat("long ", 300)} {
		if _, err := ParseSearch(wrong); err == nil {
			t.Errorf("%q is taken for a search", wrong)
		}
	}
}
