package system

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	cwtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// TestAlarmsFollowTheirDataOverTheLossOfAZone: data of the aws CLI and of the SDK bring an alarm to ALARM; the zone that decided
// that is killed, no datum that was acknowledged is gone, and another zone brings the alarm back when the data end.
func TestAlarmsFollowTheirDataOverTheLossOfAZone(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("aws"); err != nil {
		t.Skip("there is no aws command")
	}
	r := bringUp(t, newDir(t), "--cluster", "none")
	metrics := r.awsClients(t, awsHTTP).alarms
	_, err := metrics.PutMetricAlarm(within(t, time.Minute), &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("orders"),
		Namespace: aws.String("Shop"), MetricName: aws.String("Orders"), Statistic: cwtypes.StatisticSum, Period: aws.Int32(10),
		EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(0), ComparisonOperator: cwtypes.ComparisonOperatorGreaterThanThreshold})
	must(t, "PutMetricAlarm", err)
	began := time.Now().Truncate(time.Minute)
	r.aws(t, "cloudwatch", "put-metric-data", "--namespace", "Shop", "--metric-name", "Orders", "--value", "1", "--storage-resolution", "1")
	acknowledged, tried := 1.0, 1.0
	r.untilAlarm(t, metrics, cwtypes.StateValueAlarm, func() {
		tried++
		_, err := metrics.PutMetricData(within(t, 30*time.Second), &cloudwatch.PutMetricDataInput{Namespace: aws.String("Shop"),
			MetricData: []cwtypes.MetricDatum{{MetricName: aws.String("Orders"), Value: aws.Float64(1), StorageResolution: aws.Int32(1)}}})
		if err == nil {
			acknowledged++
		}
	})
	leader := r.status(t).State.Leader
	r.do(t, "kill", "az/"+leader)
	sum := func() float64 {
		got, err := metrics.GetMetricData(within(t, 30*time.Second), &cloudwatch.GetMetricDataInput{StartTime: &began,
			EndTime: aws.Time(time.Now().Add(time.Minute)), MetricDataQueries: []cwtypes.MetricDataQuery{
				{Id: aws.String("m1"), ReturnData: aws.Bool(false), MetricStat: &cwtypes.MetricStat{Stat: aws.String("Sum"), Period: aws.Int32(60),
					Metric: &cwtypes.Metric{Namespace: aws.String("Shop"), MetricName: aws.String("Orders")}}},
				{Id: aws.String("all"), Expression: aws.String("TIME_SERIES(SUM(m1))")}}})
		must(t, "GetMetricData", err)
		return got.MetricDataResults[0].Values[0]
	}
	if got := sum(); got < acknowledged || got > tried {
		t.Errorf("after the loss of %s there are %v orders of %v that were acknowledged and %v that were tried", leader, got, acknowledged, tried)
	}
	r.untilAlarm(t, metrics, cwtypes.StateValueInsufficientData, func() {})
	r.do(t, "start", "az/"+leader)
	eventually(t, 30*time.Second, "the history has both changes", func() (bool, string) { // it is written after the state
		told := strings.Join(r.aws(t, "cloudwatch", "describe-alarm-history", "--alarm-name", "orders", "--query",
			"AlarmHistoryItems[].HistorySummary"), " ")
		return strings.Contains(told, "from INSUFFICIENT_DATA to ALARM") && strings.Contains(told, "from ALARM to INSUFFICIENT_DATA"), told
	})
}

// untilAlarm does something again and again until the alarm orders has a state.
func (r *testRegion) untilAlarm(t *testing.T, metrics *cloudwatch.Client, want cwtypes.StateValue, do func()) {
	t.Helper()
	eventually(t, 3*time.Minute, fmt.Sprintf("the alarm is in %s", want), func() (bool, string) {
		do()
		got, err := metrics.DescribeAlarms(within(t, 30*time.Second), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{"orders"}})
		if err != nil || len(got.MetricAlarms) != 1 {
			return false, fmt.Sprint(got, err)
		}
		return got.MetricAlarms[0].StateValue == want, string(got.MetricAlarms[0].StateValue) + ": " + *got.MetricAlarms[0].StateReason
	})
}
