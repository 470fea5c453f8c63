package cloudwatch_test

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

func (w *world) put(data ...types.MetricDatum) error {
	_, err := w.PutMetricData(w.t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"), MetricData: data})
	return err
}

// orders is a value of the metric Orders so long ago.
func (w *world) orders(ago time.Duration, value float64) types.MetricDatum {
	return types.MetricDatum{MetricName: aws.String("Orders"), Value: &value, Timestamp: aws.Time(w.clock().Add(-ago)),
		Unit: types.StandardUnitCount, Dimensions: []types.Dimension{{Name: aws.String("City"), Value: aws.String("Oslo")}}}
}

func stat(id, metric, statistic string, period int32) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, MetricStat: &types.MetricStat{Stat: &statistic, Period: &period, Metric: &types.Metric{
		Namespace: aws.String("Shop"), MetricName: &metric,
		Dimensions: []types.Dimension{{Name: aws.String("City"), Value: aws.String("Oslo")}}}}}
}

func expression(id, text string) types.MetricDataQuery {
	return types.MetricDataQuery{Id: &id, Expression: &text}
}

func (w *world) get(queries ...types.MetricDataQuery) (*cloudwatch.GetMetricDataOutput, error) {
	return w.GetMetricData(w.t.Context(), &cloudwatch.GetMetricDataInput{MetricDataQueries: queries, ScanBy: types.ScanByTimestampAscending,
		StartTime: aws.Time(w.clock().Add(-time.Hour)), EndTime: aws.Time(w.clock().Add(time.Minute))})
}

// TestDataArePutAndRead in each of their forms, compressed where the SDK does that.
func TestDataArePutAndRead(t *testing.T) {
	w := newWorld(t)
	city := w.orders(0, 0).Dimensions
	data := []types.MetricDatum{w.orders(3*time.Minute, 1), w.orders(3*time.Minute, 3),
		{MetricName: aws.String("Orders"), Dimensions: city, Timestamp: aws.Time(w.clock().Add(-2 * time.Minute)), Unit: types.StandardUnitCount,
			Values: []float64{10, 20}, Counts: []float64{3, 1}},
		{MetricName: aws.String("Orders"), Dimensions: city, Timestamp: aws.Time(w.clock().Add(-time.Minute)), Unit: types.StandardUnitCount,
			StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(4), Sum: aws.Float64(10), Minimum: aws.Float64(1),
				Maximum: aws.Float64(4)}}}
	for i := range 500 { // more than 10 KiB: the SDK compresses
		data = append(data, types.MetricDatum{MetricName: aws.String(fmt.Sprintf("Filling%03d", i)), Value: aws.Float64(1)})
	}
	if err := w.put(data...); err != nil {
		t.Fatal(err)
	}
	in := &cloudwatch.GetMetricStatisticsInput{Namespace: aws.String("Shop"), MetricName: aws.String("Orders"), Dimensions: city,
		StartTime: aws.Time(w.clock().Add(-time.Hour)), EndTime: aws.Time(w.clock()), Period: aws.Int32(60),
		Statistics:         []types.Statistic{"SampleCount", "Sum", "Average", "Minimum", "Maximum"},
		ExtendedStatistics: []string{"p50", "tm75"}}
	got, err := w.GetMetricStatistics(t.Context(), in)
	if err != nil || *got.Label != "Orders" || len(got.Datapoints) != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	for i, want := range []struct{ count, sum, average, min, max, p50, tm75 float64 }{
		{2, 4, 2, 1, 3, 2, 5.0 / 3}, {4, 50, 12.5, 10, 20, 10, 10}, {4, 10, 2.5, 1, 4, 0, 0},
	} {
		d := got.Datapoints[i]
		if *d.SampleCount != want.count || *d.Sum != want.sum || *d.Average != want.average || *d.Minimum != want.min || *d.Maximum != want.max ||
			math.Abs(d.ExtendedStatistics["p50"]-want.p50) > 1e-9 || math.Abs(d.ExtendedStatistics["tm75"]-want.tm75) > 1e-9 ||
			d.Unit != types.StandardUnitCount || !d.Timestamp.Equal(w.clock().Add(time.Duration(i-3)*time.Minute)) {
			t.Errorf("datapoint %d is %+v", i, d)
		}
	}
	in.Unit = types.StandardUnitBytes
	if got, err := w.GetMetricStatistics(t.Context(), in); err != nil || len(got.Datapoints) != 0 {
		t.Errorf("in bytes there is %+v, %v", got, err)
	}
	found := 0
	pages := cloudwatch.NewListMetricsPaginator(w.Client, &cloudwatch.ListMetricsInput{Namespace: aws.String("Shop")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found += len(page.Metrics)
	}
	one, err := w.ListMetrics(t.Context(), &cloudwatch.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("City")}},
		RecentlyActive: types.RecentlyActivePt3h})
	if err != nil || found != 501 || len(one.Metrics) != 1 || *one.Metrics[0].Dimensions[0].Value != "Oslo" {
		t.Errorf("%d metrics are listed, and of Oslo %+v, %v", found, one, err)
	}
}

// TestMetricDataAreComputed: statistics, metric math over them, searches, labels and pages.
func TestMetricDataAreComputed(t *testing.T) {
	w := newWorld(t)
	for minute := range 5 {
		if err := w.put(w.orders(time.Duration(5-minute)*time.Minute, float64(minute+1))); err != nil {
			t.Fatal(err)
		}
	}
	hidden := stat("m1", "Orders", "Sum", 60)
	hidden.ReturnData = aws.Bool(false)
	search := expression("s1", `SEARCH('{Shop,City} MetricName="Orders"', 'Maximum', 300)`)
	label := stat("m2", "Orders", "Maximum", 60)
	label.Label = aws.String("${PROP('Dim.City')}: ${MAX}")
	got, err := w.get(hidden, expression("e1", "m1 * 10"), search, label, expression("e2", "FILL(m1, 0)"))
	if err != nil || len(got.MetricDataResults) != 4 {
		t.Fatalf("got %+v, %v", got, err)
	}
	shown := ""
	for _, r := range got.MetricDataResults[:3] {
		shown += fmt.Sprintf("%s %s %v %s; ", *r.Id, *r.Label, r.Values, r.StatusCode)
	}
	if want := "e1 e1 [10 20 30 40 50] Complete; s1 Oslo [5] Complete; m2 Oslo: 5 [1 2 3 4 5] Complete; "; shown != want {
		t.Errorf("got %s, want %s", shown, want)
	}
	if filled := got.MetricDataResults[3]; len(filled.Values) != 61 || filled.Values[0] != 0 {
		t.Errorf("filled is %v", filled.Values)
	}
	in := &cloudwatch.GetMetricDataInput{MetricDataQueries: []types.MetricDataQuery{stat("m1", "Orders", "Sum", 60),
		stat("m3", "Orders", "Average", 60)}, StartTime: aws.Time(w.clock().Add(-time.Hour)), EndTime: aws.Time(w.clock()),
		MaxDatapoints: aws.Int32(3)}
	pages, values := 0, map[string][]float64{}
	for more := cloudwatch.NewGetMetricDataPaginator(w.Client, in); more.HasMorePages(); pages++ {
		page, err := more.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range page.MetricDataResults {
			values[*r.Id] = append(values[*r.Id], r.Values...)
		}
	}
	if fmt.Sprint(pages, values) != "4 map[m1:[5 4 3 2 1] m3:[5 4 3 2 1]]" {
		t.Errorf("got %d pages, %v", pages, values)
	}
}

// TestBadMetricDataAreRefused with CloudWatch's codes and sentences.
func TestBadMetricDataAreRefused(t *testing.T) {
	w := newWorld(t)
	many := make([]types.MetricDatum, 1001)
	for i := range many {
		many[i] = types.MetricDatum{MetricName: aws.String("m"), Value: aws.Float64(1)}
	}
	one := func(edit func(*types.MetricDatum)) func() error {
		return func() error {
			d := w.orders(0, 1)
			edit(&d)
			return w.put(d)
		}
	}
	read := func(queries ...types.MetricDataQuery) func() error {
		return func() error { _, err := w.get(queries...); return err }
	}
	stats := func(edit func(*cloudwatch.GetMetricStatisticsInput)) func() error {
		return func() error {
			in := &cloudwatch.GetMetricStatisticsInput{Namespace: aws.String("Shop"), MetricName: aws.String("m"), Period: aws.Int32(60),
				StartTime: aws.Time(w.clock().Add(-time.Hour)), EndTime: aws.Time(w.clock()), Statistics: []types.Statistic{"Sum"}}
			edit(in)
			_, err := w.GetMetricStatistics(t.Context(), in)
			return err
		}
	}
	if err := w.put(w.orders(time.Minute, 1)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		call       func() error
		code, says string
	}{
		"NaN": {one(func(d *types.MetricDatum) { d.Value = aws.Float64(math.NaN()) }), "InvalidParameterValue",
			"The value NaN for parameter MetricData.member.1.Value is invalid."},
		"too large": {one(func(d *types.MetricDatum) { d.Value = aws.Float64(1e200) }), "InvalidParameterValue",
			"The value 1e+200 for parameter MetricData.member.1.Value is invalid."},
		"two forms": {one(func(d *types.MetricDatum) { d.Values = []float64{1} }), "InvalidParameterCombination",
			"The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both."},
		"counts": {one(func(d *types.MetricDatum) { d.Value, d.Values, d.Counts = nil, []float64{1, 2}, []float64{1} }),
			"InvalidParameterValue", "The parameters MetricData.member.1.Values and MetricData.member.1.Counts must be of the same size."},
		"nothing": {one(func(d *types.MetricDatum) { d.Value = nil }), "MissingParameter",
			"The parameter MetricData.member.1.Value is required."},
		"old": {one(func(d *types.MetricDatum) { d.Timestamp = aws.Time(w.clock().Add(-15 * 24 * time.Hour)) }), "InvalidParameterValue",
			"The parameter MetricData.member.1.Timestamp must specify a time no more than two weeks in the past."},
		"new": {one(func(d *types.MetricDatum) { d.Timestamp = aws.Time(w.clock().Add(3 * time.Hour)) }), "InvalidParameterValue",
			"The parameter MetricData.member.1.Timestamp must specify a time no more than two hours in the future."},
		"unit": {one(func(d *types.MetricDatum) { d.Unit = "Furlongs" }), "InvalidParameterValue", "must be a value in the set [ Seconds,"},
		"dimensions": {one(func(d *types.MetricDatum) { d.Dimensions = make([]types.Dimension, 31); fillDimensions(d) }),
			"InvalidParameterValue",
			"The collection MetricData.member.1.Dimensions must not have a size greater than 30."},
		"many": {func() error { return w.put(many...) }, "InvalidParameterValue",
			"The collection MetricData must not have a size greater than 1000."},
		"AWS": {func() error {
			_, err := w.PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{Namespace: aws.String("AWS/EC2"), MetricData: many[:1]})
			return err
		}, "InvalidParameterValue", "The value AWS/ for parameter Namespace is invalid."},
		"no statistic": {stats(func(in *cloudwatch.GetMetricStatisticsInput) { in.Statistics = nil }), "InvalidParameterCombination",
			"At least one of the parameters Statistics and ExtendedStatistics must be specified."},
		"datapoints": {stats(func(in *cloudwatch.GetMetricStatisticsInput) { in.StartTime = aws.Time(w.clock().Add(-30 * time.Hour)) }),
			"InvalidParameterCombination", "You have requested up to 1,800 datapoints, which exceeds the limit of 1,440. You may reduce the " +
				"datapoints requested by increasing Period, or decreasing the time range."},
		"period":  {stats(func(in *cloudwatch.GetMetricStatisticsInput) { in.Period = aws.Int32(45) }), "InvalidParameterValue", "Period"},
		"id":      {read(stat("M1", "Orders", "Sum", 60)), "ValidationError", "is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$"},
		"twice":   {read(stat("m1", "a", "Sum", 60), stat("m1", "b", "Sum", 60)), "ValidationError", "must be unique"},
		"circle":  {read(expression("e1", "e2 + 1"), expression("e2", "e1 + 1")), "ValidationError", "circular reference"},
		"unknown": {read(expression("e1", "m9 + 1")), "ValidationError", "Error in expression 'e1': Variable 'm9' is not defined"},
		"number":  {read(expression("e1", "1 + 1")), "ValidationError", "TIME_SERIES"},
		"lists": {read(stat("m1", "Orders", "Sum", 60), expression("a", "["+strings.Repeat("m1,", 600)+"m1]")), "ValidationError",
			"Error in expression 'a': an array has at most 500 time series"},
		"budget": {read(budgetBreaking()...), "ValidationError", "the request has more than 2,000,000 datapoints"},
		"searches": {read(expression("s1", strings.Repeat("SUM(SEARCH('{Shop,City}','Sum'))+", 20)+"SUM(SEARCH('{Shop,City}','Sum'))")),
			"ValidationError", "the request has more than 20 searches"},
		"select": {read(expression("e1", "SELECT AVG(x) FROM y")), "ValidationError", "Metrics Insights"},
	} {
		err := c.call()
		var e smithy.APIError
		if !errors.As(err, &e) || e.ErrorCode() != c.code || !strings.Contains(e.ErrorMessage(), c.says) {
			t.Errorf("%s: got %v, want %s: %s", name, err, c.code, c.says)
		}
	}
	_, err := cloudwatch.NewFromConfig(w.Config("nobody")).PutMetricData(t.Context(), &cloudwatch.PutMetricDataInput{
		Namespace: aws.String("Shop"), MetricData: many[:1]})
	var e smithy.APIError
	if !errors.As(err, &e) || !strings.Contains(e.ErrorMessage(), "cloudwatch:PutMetricData") {
		t.Errorf("nobody: %v", err)
	}
}

// budgetBreaking are queries that add a long list up as often as may be written, if nobody counts.
func budgetBreaking() []types.MetricDataQuery {
	all := []types.MetricDataQuery{stat("m1", "Orders", "Sum", 60), expression("f", "FILL(m1,0)"),
		expression("l", "["+strings.TrimSuffix(strings.Repeat("f,", 500), ",")+"]")}
	for i := range 100 {
		all = append(all, expression(fmt.Sprint("e", i), "l"+strings.Repeat("+l", 500)))
	}
	return all
}

func fillDimensions(d *types.MetricDatum) {
	for i := range d.Dimensions {
		d.Dimensions[i] = types.Dimension{Name: aws.String(fmt.Sprint("n", i)), Value: aws.String("v")}
	}
}
