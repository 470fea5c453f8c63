package cloudwatch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"tripod/awsapi/cloudwatch"
	"tripod/state"
)

// TestEKSMetricsAreWantedForAnHourAfterTheLastQuestion: by whatever operation, and as long as an alarm is about them.
func TestEKSMetricsAreWantedForAnHourAfterTheLastQuestion(t *testing.T) {
	ask := func(w *world, namespace string) map[string]func() error {
		from, to := aws.Time(w.clock().Add(-time.Hour)), aws.Time(w.clock())
		return map[string]func() error{
			"ListMetrics": func() error {
				_, err := w.ListMetrics(t.Context(), &sdk.ListMetricsInput{Namespace: &namespace})
				return err
			},
			"GetMetricStatistics": func() error {
				_, err := w.GetMetricStatistics(t.Context(), &sdk.GetMetricStatisticsInput{Namespace: &namespace, StartTime: from, EndTime: to,
					MetricName: aws.String("apiserver_request_total"), Period: aws.Int32(60), Statistics: []types.Statistic{"Sum"}})
				return err
			},
			"GetMetricData": func() error {
				_, err := w.GetMetricData(t.Context(), &sdk.GetMetricDataInput{StartTime: from, EndTime: to, MetricDataQueries: []types.MetricDataQuery{
					{Id: aws.String("m"), MetricStat: &types.MetricStat{Stat: aws.String("Sum"), Period: aws.Int32(60), Metric: &types.Metric{
						Namespace: &namespace, MetricName: aws.String("apiserver_request_total")}}}}})
				return err
			},
			"SEARCH": func() error {
				_, err := w.GetMetricData(t.Context(), &sdk.GetMetricDataInput{StartTime: from, EndTime: to, MetricDataQueries: []types.MetricDataQuery{
					{Id: aws.String("m"), Expression: aws.String(fmt.Sprintf(`SEARCH('{%s,ClusterName} scheduler', 'Sum', 60)`, namespace))}}})
				return err
			},
			"an alarm": func() error {
				_, err := w.PutMetricAlarm(t.Context(), &sdk.PutMetricAlarmInput{AlarmName: aws.String("a"), Namespace: &namespace,
					MetricName: aws.String("apiserver_request_total_5XX"), Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
					Threshold: aws.Float64(1), ComparisonOperator: "GreaterThanThreshold", Statistic: "Sum"})
				w.evaluate()
				return err
			},
		}
	}
	for _, name := range []string{"ListMetrics", "GetMetricStatistics", "GetMetricData", "SEARCH", "an alarm"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			wanted := func(at time.Time) (is bool) {
				w.Front.State.View(func(tx *state.Txn) error { is = cloudwatch.Wanted(tx, "AWS/EKS", at); return nil })
				return is
			}
			if err := ask(w, "AWS/EBS")[name](); err != nil || wanted(w.clock()) {
				t.Errorf("another namespace is asked for: %v", err)
			}
			if err := ask(w, "AWS/EKS")[name](); err != nil || !wanted(w.clock()) || wanted(w.clock().Add(2*time.Hour)) {
				t.Errorf("they are not wanted, or for longer: %v", err)
			}
		})
	}
}
