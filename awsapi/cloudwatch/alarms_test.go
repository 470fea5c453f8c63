package cloudwatch_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"

	"tripod/iam"
)

// alarm puts an alarm on the sum of orders in a minute: more than 5 is too many.
func (w *world) alarm(name string, edit func(*cloudwatch.PutMetricAlarmInput)) {
	w.t.Helper()
	in := &cloudwatch.PutMetricAlarmInput{AlarmName: &name, Namespace: aws.String("Shop"), MetricName: aws.String("Orders"),
		Dimensions: w.orders(0, 0).Dimensions, Statistic: types.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1),
		Threshold: aws.Float64(5), ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold}
	edit(in)
	if _, err := w.PutMetricAlarm(w.t.Context(), in); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) composite(name, rule string, edit func(*cloudwatch.PutCompositeAlarmInput)) error {
	in := &cloudwatch.PutCompositeAlarmInput{AlarmName: &name, AlarmRule: &rule}
	edit(in)
	_, err := w.PutCompositeAlarm(w.t.Context(), in)
	return err
}

func (w *world) described(name string) (m types.MetricAlarm, c types.CompositeAlarm) {
	w.t.Helper()
	got, err := w.DescribeAlarms(w.t.Context(), &cloudwatch.DescribeAlarmsInput{AlarmNames: []string{name}})
	if err != nil || len(got.MetricAlarms)+len(got.CompositeAlarms) != 1 {
		w.t.Fatalf("got %+v, %v", got, err)
	}
	if len(got.MetricAlarms) == 1 {
		return got.MetricAlarms[0], c
	}
	return m, got.CompositeAlarms[0]
}

func (w *world) history(name string) (summaries []string) {
	w.t.Helper()
	pages := cloudwatch.NewDescribeAlarmHistoryPaginator(w.Client, &cloudwatch.DescribeAlarmHistoryInput{AlarmName: &name,
		MaxRecords: aws.Int32(2), ScanBy: types.ScanByTimestampAscending})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, one := range page.AlarmHistoryItems {
			summaries = append(summaries, *one.HistorySummary)
			if !json.Valid([]byte(*one.HistoryData)) {
				w.t.Errorf("history data %s", *one.HistoryData)
			}
		}
	}
	return summaries
}

// TestAlarmsFollowTheirData and say why in CloudWatch's words; EventBridge and the history are told.
func TestAlarmsFollowTheirData(t *testing.T) {
	w := newWorld(t)
	queue, err := sqs.NewFromConfig(w.Config("admin")).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("news")})
	if err != nil {
		t.Fatal(err)
	}
	bus := eventbridge.NewFromConfig(w.Config("admin"))
	if _, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: aws.String("alarms"),
		EventPattern: aws.String(`{"source":["aws.cloudwatch"],"detail":{"state":{"value":["ALARM"]}}}`)}); err != nil {
		t.Fatal(err)
	}
	if _, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: aws.String("alarms"), Targets: []ebtypes.Target{{
		Id: aws.String("q"), Arn: aws.String("arn:aws:sqs:us-east-1:" + iam.DefaultAccountID + ":news")}}}); err != nil {
		t.Fatal(err)
	}
	if again := w.evaluate(); again != 0 {
		t.Errorf("without alarms something is to be done in %v", again)
	}
	w.alarm("orders", func(in *cloudwatch.PutMetricAlarmInput) { in.AlarmActions = []string{"arn:aws:sns:us-east-1:1:topic"} })
	w.pass(3 * time.Second)
	if again := w.evaluate(); again != 59*time.Second {
		t.Errorf("the next evaluation is in %v", again)
	}
	if got, _ := w.described("orders"); got.StateValue != "INSUFFICIENT_DATA" || *got.StateReason != "Unchecked: Initial alarm creation" {
		t.Errorf("a new alarm is %s: %s", got.StateValue, *got.StateReason)
	}
	minute := w.clock().Truncate(time.Minute)
	if err := w.put(w.orders(0, 4), w.orders(0, 3)); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.evaluate()
	got, _ := w.described("orders")
	want := "Threshold Crossed: 1 out of the last 1 datapoints [7.0 (" + minute.Format("02/01/06 15:04:05") + ")] was greater than the " +
		"threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
	if got.StateValue != "ALARM" || *got.StateReason != want || !strings.Contains(*got.StateReasonData, `"recentDatapoints":[7]`) {
		t.Errorf("got %s: %s %s, want %s", got.StateValue, *got.StateReason, aws.ToString(got.StateReasonData), want)
	}
	news, err := sqs.NewFromConfig(w.Config("admin")).ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl})
	if err != nil || len(news.Messages) != 1 || !strings.Contains(*news.Messages[0].Body, `"detail-type":"CloudWatch Alarm State Change"`) ||
		!strings.Contains(*news.Messages[0].Body, alarmARN("orders")) {
		t.Errorf("EventBridge was told %+v, %v", news, err)
	}
	if err := w.put(w.orders(0, 1)); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute)
	w.evaluate()
	if got, _ := w.described("orders"); got.StateValue != "OK" || !strings.Contains(*got.StateReason, "was not greater than the threshold") {
		t.Errorf("got %s: %s", got.StateValue, *got.StateReason)
	}
	w.pass(4 * time.Minute)
	w.evaluate()
	if got, _ := w.described("orders"); got.StateValue != "INSUFFICIENT_DATA" ||
		*got.StateReason != "Insufficient Data: 1 datapoint was unknown." {
		t.Errorf("got %s: %s", got.StateValue, *got.StateReason)
	}
	if _, err := w.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"orders"}}); err != nil {
		t.Fatal(err)
	}
	told := strings.Join(w.history("orders"), "\n")
	if want := `Alarm "orders" created
Alarm updated from INSUFFICIENT_DATA to ALARM
Failed to execute action arn:aws:sns:us-east-1:1:topic. Received error: "there is nothing behind this action: it is kept, and not taken"
Alarm updated from ALARM to OK
Alarm updated from OK to INSUFFICIENT_DATA
Alarm "orders" deleted`; told != want {
		t.Errorf("the history is\n%s", told)
	}
}

// TestAlarmsOnMetricMath are evaluated as those on one metric are, and a state that was set by hand lasts till then.
func TestAlarmsOnMetricMath(t *testing.T) {
	w := newWorld(t)
	hidden := stat("m1", "Orders", "Sum", 60)
	hidden.ReturnData = aws.Bool(false)
	w.alarm("double", func(in *cloudwatch.PutMetricAlarmInput) {
		in.Namespace, in.MetricName, in.Dimensions, in.Statistic, in.Period = nil, nil, nil, "", nil
		in.Metrics = []types.MetricDataQuery{hidden, expression("e1", "FILL(m1, 0) * 2")}
	})
	if err := w.put(w.orders(0, 3)); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute + 2*time.Second)
	w.evaluate()
	if got, _ := w.described("double"); got.StateValue != "ALARM" || !strings.Contains(*got.StateReason, "[6.0 (") {
		t.Errorf("got %s: %s", got.StateValue, *got.StateReason)
	}
	if _, err := w.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("double"), StateValue: "OK",
		StateReason: aws.String("by hand")}); err != nil {
		t.Fatal(err)
	}
	w.evaluate()
	if got, _ := w.described("double"); got.StateValue != "OK" {
		t.Errorf("a state that was set is %s at once", got.StateValue)
	}
	w.pass(6 * time.Second)
	w.evaluate()
	if got, _ := w.described("double"); got.StateValue != "ALARM" {
		t.Errorf("a state that was set is %s after its time", got.StateValue)
	}
	for name, edit := range map[string]func(*cloudwatch.PutMetricAlarmInput){
		"Exactly one element of the metrics list should return data.": func(in *cloudwatch.PutMetricAlarmInput) {
			in.Namespace, in.MetricName, in.Dimensions, in.Statistic, in.Period = nil, nil, nil, "", nil
			in.Metrics = []types.MetricDataQuery{stat("m1", "Orders", "Sum", 60), expression("e1", "m1 * 2")}
		},
		"Period must be 10, 20, 30 or a multiple of 60": func(in *cloudwatch.PutMetricAlarmInput) { in.Period = aws.Int32(45) },
		"Option x is not supported. Supported options for parameter EvaluateLowSampleCountPercentile are evaluate and ignore.": func(
			in *cloudwatch.PutMetricAlarmInput) {
			in.EvaluateLowSampleCountPercentile = aws.String("x")
		},
		"DatapointsToAlarm": func(in *cloudwatch.PutMetricAlarmInput) { in.DatapointsToAlarm = aws.Int32(2) },
	} {
		in := &cloudwatch.PutMetricAlarmInput{AlarmName: aws.String("bad"), Namespace: aws.String("Shop"), MetricName: aws.String("Orders"),
			Statistic: types.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(1), Threshold: aws.Float64(5),
			ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold}
		edit(in)
		_, err := w.PutMetricAlarm(t.Context(), in)
		var e smithy.APIError
		if !errors.As(err, &e) || !strings.Contains(e.ErrorMessage(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// TestAlarmBeyondTheBudgetIsInsufficient, and those beside it are evaluated: it does not end the zone that leads.
func TestAlarmBeyondTheBudgetIsInsufficient(t *testing.T) {
	w := newWorld(t)
	w.alarm("a-huge", func(in *cloudwatch.PutMetricAlarmInput) {
		in.Namespace, in.MetricName, in.Dimensions, in.Statistic, in.Period = nil, nil, nil, "", nil
		in.Metrics = budgetBreaking()
		for i := range in.Metrics {
			in.Metrics[i].ReturnData = aws.Bool(false)
		}
		in.Metrics = append(in.Metrics, expression("sum", "SUM(e0)"))
	})
	w.alarm("orders", func(*cloudwatch.PutMetricAlarmInput) {})
	if err := w.put(w.orders(0, 7)); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Minute + 2*time.Second)
	w.evaluate()
	if got, _ := w.described("orders"); got.StateValue != "ALARM" {
		t.Errorf("the alarm beside it is %s: %s", got.StateValue, *got.StateReason)
	}
	if _, err := w.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: aws.String("a-huge"), StateValue: "OK",
		StateReason: aws.String("by hand")}); err != nil {
		t.Fatal(err)
	}
	w.pass(6 * time.Second)
	w.evaluate()
	if got, _ := w.described("a-huge"); got.StateValue != "INSUFFICIENT_DATA" || !strings.Contains(*got.StateReason, "2,000,000 datapoints") {
		t.Errorf("got %s: %s", got.StateValue, *got.StateReason)
	}
}

// TestCompositeAlarmsFollowOthers, wait for their suppressor, keep their children from being deleted, and stand still in a circle.
func TestCompositeAlarmsFollowOthers(t *testing.T) {
	w := newWorld(t)
	none := func(*cloudwatch.PutCompositeAlarmInput) {}
	err := w.composite("both", `ALARM("a") AND NOT OK(b)`, none)
	if err == nil || !strings.Contains(err.Error(), "Could not save the composite alarm as alarms [a, b] in the alarm rule do not exist") {
		t.Errorf("got %v", err)
	}
	for _, name := range []string{"a", "b", "quiet"} {
		w.alarm(name, func(*cloudwatch.PutMetricAlarmInput) {})
	}
	set := func(name string, to types.StateValue) {
		t.Helper()
		if _, err := w.SetAlarmState(t.Context(), &cloudwatch.SetAlarmStateInput{AlarmName: &name, StateValue: to,
			StateReason: aws.String("a test")}); err != nil {
			t.Fatal(err)
		}
		w.evaluate()
	}
	if err := w.composite("both", `ALARM("a") AND NOT OK(`+alarmARN("b")+`)`, func(in *cloudwatch.PutCompositeAlarmInput) {
		in.ActionsSuppressor, in.ActionsSuppressorWaitPeriod = aws.String("quiet"), aws.Int32(20)
		in.ActionsSuppressorExtensionPeriod, in.AlarmActions = aws.Int32(30), []string{"arn:aws:sns:us-east-1:1:topic"}
	}); err != nil {
		t.Fatal(err)
	}
	if err := w.composite("top", "ALARM(both) OR FALSE", none); err != nil {
		t.Fatal(err)
	}
	set("quiet", "OK")
	set("a", "ALARM")
	_, both := w.described("both")
	_, top := w.described("top")
	if both.StateValue != "ALARM" || both.ActionsSuppressedBy != "WaitPeriod" || top.StateValue != "ALARM" ||
		!strings.HasPrefix(*both.StateReason, alarmARN("a")+" transitioned to ALARM at ") {
		t.Errorf("got %s %s (%s), and %s", both.StateValue, both.ActionsSuppressedBy, *both.StateReason, top.StateValue)
	}
	w.pass(4 * time.Second)
	set("quiet", "ALARM")
	if _, both = w.described("both"); both.ActionsSuppressedBy != "Alarm" {
		t.Errorf("actions wait for %q", both.ActionsSuppressedBy)
	}
	set("quiet", "OK")
	if _, both = w.described("both"); both.ActionsSuppressedBy != "ExtensionPeriod" {
		t.Errorf("actions wait for %q", both.ActionsSuppressedBy)
	}
	if told := strings.Join(w.history("both"), "\n"); strings.Contains(told, "action") {
		t.Errorf("an action was taken: %s", told)
	}
	set("b", "OK")
	if _, both = w.described("both"); both.StateValue != "OK" {
		t.Errorf("got %s", both.StateValue)
	}
	_, err = w.DeleteAlarms(t.Context(), &cloudwatch.DeleteAlarmsInput{AlarmNames: []string{"a"}})
	if err == nil || !strings.Contains(err.Error(), "Cannot delete a as there are composite alarm(s) depending on it.") {
		t.Errorf("got %v", err)
	}
	if err := w.composite("both", "ALARM(top)", none); err != nil {
		t.Fatal(err)
	}
	w.evaluate()
	children, err := w.DescribeAlarms(t.Context(), &cloudwatch.DescribeAlarmsInput{ChildrenOfAlarmName: aws.String("top")})
	if err != nil || len(children.CompositeAlarms) != 1 || *children.CompositeAlarms[0].AlarmName != "both" {
		t.Errorf("got %+v, %v", children, err)
	}
	if err := w.composite("bad", "ALARM(a", none); err == nil || !strings.Contains(err.Error(), "ValidationError") {
		t.Errorf("got %v", err)
	}
}

// TestDashboardsAndDetectorsAreKept as they were given.
func TestDashboardsAndDetectorsAreKept(t *testing.T) {
	w := newWorld(t)
	body := `{"widgets":[]}`
	if _, err := w.PutDashboard(t.Context(), &cloudwatch.PutDashboardInput{DashboardName: aws.String("shop"),
		DashboardBody: &body}); err != nil {
		t.Fatal(err)
	}
	got, err := w.GetDashboard(t.Context(), &cloudwatch.GetDashboardInput{DashboardName: aws.String("shop")})
	if err != nil || *got.DashboardBody != body {
		t.Errorf("got %+v, %v", got, err)
	}
	listed, err := w.ListDashboards(t.Context(), &cloudwatch.ListDashboardsInput{DashboardNamePrefix: aws.String("sh")})
	if err != nil || len(listed.DashboardEntries) != 1 || *listed.DashboardEntries[0].Size != int64(len(body)) {
		t.Errorf("got %+v, %v", listed, err)
	}
	_, err = w.DeleteDashboards(t.Context(), &cloudwatch.DeleteDashboardsInput{DashboardNames: []string{"shop", "other"}})
	var unknown *types.DashboardNotFoundError
	if !errors.As(err, &unknown) {
		t.Errorf("got %v", err)
	}
	detector := &types.SingleMetricAnomalyDetector{Namespace: aws.String("Shop"), MetricName: aws.String("Orders"), Stat: aws.String("Sum")}
	if _, err := w.PutAnomalyDetector(t.Context(), &cloudwatch.PutAnomalyDetectorInput{SingleMetricAnomalyDetector: detector,
		Configuration: &types.AnomalyDetectorConfiguration{MetricTimezone: aws.String("UTC"), ExcludedTimeRanges: []types.Range{{
			StartTime: aws.Time(w.clock()), EndTime: aws.Time(w.clock().Add(time.Hour))}}}}); err != nil {
		t.Fatal(err)
	}
	shown, err := w.DescribeAnomalyDetectors(t.Context(), &cloudwatch.DescribeAnomalyDetectorsInput{Namespace: aws.String("Shop")})
	if err != nil || len(shown.AnomalyDetectors) != 1 || len(shown.AnomalyDetectors[0].Configuration.ExcludedTimeRanges) != 1 {
		t.Errorf("got %+v, %v", shown, err)
	}
	if _, err := w.DeleteAnomalyDetector(t.Context(), &cloudwatch.DeleteAnomalyDetectorInput{
		SingleMetricAnomalyDetector: detector}); err != nil {
		t.Error(err)
	}
}
