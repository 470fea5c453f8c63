package awsapi_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"tripod/awsapi"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/logs"
	"tripod/logs/logstore"
)

// TestMetricFiltersBringMetrics: what they find is metric data, with their dimensions.
func TestMetricFiltersBringMetrics(t *testing.T) {
	store, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"},
		Exists: func(string) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	metrics, now := &metricdata.Store{Log: store}, time.Now()
	if err := (awsapi.FilteredMetrics{Store: metrics}).Put(t.Context(), []logs.Datum{{Namespace: "App", Metric: "Errors", Unit: "Count",
		Dimensions: map[string]string{"Path": "/"}, Time: now, Value: 2}}); err != nil {
		t.Fatal(err)
	}
	got, err := metrics.Merged(metricdata.NewMetric("App", "Errors", []metricdata.Dimension{{Name: "Path", Value: "/"}}), "Count",
		metricdata.Span{From: now.Unix() - 120, To: now.Unix() + 1, Period: 3600})
	if err != nil || len(got) != 1 || got[0].Sum != 2 {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestLogEventsBringMetrics: embedded metric format is read as events are put.
func TestLogEventsBringMetrics(t *testing.T) {
	w := newWorld(t, func(f *awsapi.Front) {
		store, err := logstore.Open(logstore.Config{Dir: t.TempDir(), Zone: "us-east-1a", Zones: []string{"us-east-1a"},
			Exists: func(string) bool { return true }})
		if err != nil {
			t.Fatal(err)
		}
		f.LogEvents, f.Metrics = store, &metricdata.Store{Log: store}
	})
	client, now := w.logs(w.admin), time.Now()
	addLogStream(t, client, "app", "one", 1)
	message := fmt.Sprintf(`{"_aws":{"Timestamp":%d,"CloudWatchMetrics":[{"Namespace":"App","Dimensions":[["Service"]],"Metrics":[`+
		`{"Name":"Latency"}]}]},"Service":"web","Latency":[3,5]}`, now.UnixMilli())
	_, err := client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: aws.String("app"),
		LogStreamName: aws.String("one"), LogEvents: []types.InputLogEvent{{Timestamp: aws.Int64(now.UnixMilli()), Message: &message}}})
	if err != nil {
		t.Fatal(err)
	}
	metrics := cloudwatch.New(cloudwatch.Options{Region: "us-east-1", BaseEndpoint: &w.url, HTTPClient: near, Credentials: provide(w.admin)})
	got, err := metrics.GetMetricStatistics(t.Context(), &cloudwatch.GetMetricStatisticsInput{Namespace: aws.String("App"),
		MetricName: aws.String("Latency"), Dimensions: []cwtypes.Dimension{{Name: aws.String("Service"), Value: aws.String("web")}},
		StartTime: aws.Time(now.Add(-time.Hour)), EndTime: aws.Time(now.Add(time.Minute)), Period: aws.Int32(60),
		Statistics: []cwtypes.Statistic{cwtypes.StatisticSum}})
	if err != nil || len(got.Datapoints) != 1 || *got.Datapoints[0].Sum != 8 {
		t.Errorf("got %+v, %v", got, err)
	}
}
