package awsapi_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
)

func metricFilter(name, pattern, value string, change ...func(*types.MetricTransformation)) *cloudwatchlogs.PutMetricFilterInput {
	to := types.MetricTransformation{MetricName: aws.String("Metric" + name), MetricNamespace: aws.String("Test"), MetricValue: &value}
	for _, one := range change {
		one(&to)
	}
	return &cloudwatchlogs.PutMetricFilterInput{LogGroupName: aws.String(logGroup), FilterName: &name, FilterPattern: &pattern,
		MetricTransformations: []types.MetricTransformation{to}}
}

func TestMetricFiltersAreKeptAndRefusedAsInAWS(t *testing.T) {
	_, client := logWorld(t)
	addLogStream(t, client, logGroup, "s", 0)
	dimensions := func(d map[string]string) func(*types.MetricTransformation) {
		return func(to *types.MetricTransformation) { to.Dimensions = d }
	}
	for _, in := range []*cloudwatchlogs.PutMetricFilterInput{
		metricFilter("B", `{ $.latency > 0 }`, "$.latency", dimensions(map[string]string{"Verb": "$.verb"})),
		metricFilter("A", "ERROR", "1", func(to *types.MetricTransformation) { to.DefaultValue, to.Unit = aws.Float64(0), "Count" }),
		metricFilter("C", "[ip, size]", "$size"),
	} {
		must[*cloudwatchlogs.PutMetricFilterOutput](t)(client.PutMetricFilter(t.Context(), in))
	}
	both := metricFilter("D", `{ $.x = 1 }`, "1", dimensions(map[string]string{"Verb": "$.verb"}))
	both.MetricTransformations[0].DefaultValue = aws.Float64(0)
	_, err := client.PutMetricFilter(t.Context(), both)
	wantSaid(t, err, "InvalidParameterException",
		"Invalid metric transformation: dimensions and default value are mutually exclusive properties.")
	for _, in := range []*cloudwatchlogs.PutMetricFilterInput{
		metricFilter("D", "ERROR", "$.x"), metricFilter("D", "[a, b]", "$c"), metricFilter("D", "{", "1"),
		metricFilter("D", "ERROR", "1", dimensions(map[string]string{"Verb": "$.verb"})),
		metricFilter("D", "{ $.a = 1 }", "1", dimensions(map[string]string{"A": "$.a", "B": "$.b", "C": "$.c", "D": "$.d"})),
	} {
		_, err := client.PutMetricFilter(t.Context(), in)
		wantCode(t, err, "InvalidParameterException", 400)
	}
	list := must[*cloudwatchlogs.DescribeMetricFiltersOutput](t)(client.DescribeMetricFilters(t.Context(),
		&cloudwatchlogs.DescribeMetricFiltersInput{LogGroupName: aws.String(logGroup)})).MetricFilters
	if len(list) != 3 || *list[0].FilterName != "A" || *list[0].MetricTransformations[0].DefaultValue != 0 ||
		list[1].MetricTransformations[0].Dimensions["Verb"] != "$.verb" || *list[2].FilterPattern != "[ip, size]" {
		t.Errorf("got %+v", list)
	}
	byMetric := must[*cloudwatchlogs.DescribeMetricFiltersOutput](t)(client.DescribeMetricFilters(t.Context(),
		&cloudwatchlogs.DescribeMetricFiltersInput{MetricName: aws.String("MetricC"), MetricNamespace: aws.String("Test")})).MetricFilters
	if len(byMetric) != 1 || *byMetric[0].LogGroupName != logGroup {
		t.Errorf("got %+v", byMetric)
	}
	groups := must[*cloudwatchlogs.DescribeLogGroupsOutput](t)(client.DescribeLogGroups(t.Context(),
		&cloudwatchlogs.DescribeLogGroupsInput{}))
	if *groups.LogGroups[0].MetricFilterCount != 3 {
		t.Errorf("the group has %d metric filters", *groups.LogGroups[0].MetricFilterCount)
	}
	gone := &cloudwatchlogs.DeleteMetricFilterInput{LogGroupName: aws.String(logGroup), FilterName: aws.String("A")}
	must[*cloudwatchlogs.DeleteMetricFilterOutput](t)(client.DeleteMetricFilter(t.Context(), gone))
	_, err = client.DeleteMetricFilter(t.Context(), gone)
	wantSaid(t, err, "ResourceNotFoundException", "The specified metric filter does not exist.")
}
