package cloudwatch

import "tripod/awsapi/operation"

// documented says what the operations do, each by the first clause that names it.
var documented = []operation.Clause{
	{Words: []string{"PutMetricData"}, State: operation.Works, Effect: "the data are on the disks of two zones when it answers; they can " +
		"be read at once; kept as long as CloudWatch does, within the bounds in docs/observability.md; entities are not kept"},
	{Words: []string{"GetMetricStatistics"}, State: operation.Works, Effect: "every statistic that CloudWatch has; percentiles are exact up " +
		"to 128 different values in what is merged, and within some 6 % beyond"},
	{Words: []string{"GetMetricData"}, State: operation.Works, Effect: "metric math and SEARCH; no Metrics Insights queries, no anomaly " +
		"bands, no LAMBDA, SERVICE_QUOTA, INSIGHT_RULE_METRIC and DB_PERF_INSIGHTS"},
	{Words: []string{"ListMetrics"}, State: operation.Works, Effect: "a metric is listed at once, and for two weeks after its last data; " +
		"those of AWS/EKS come a minute or two after the first question about them, whatever operation asks"},
	{Words: []string{"PutMetricAlarm"}, State: operation.Works, Effect: "evaluated at the end of each period, and each minute for longer " +
		"ones; a change is an event for EventBridge, stops experiments, and has policies of Auto Scaling followed; other actions are told in " +
		"the history and not taken; alarms on anomaly bands stay in the state that they are given"},
	{Words: []string{"PutCompositeAlarm"}, State: operation.Works, Effect: "evaluated when another alarm changes; its suppressor and " +
		"periods hold its actions back"},
	{Words: []string{"SetAlarmState"}, State: operation.Works, Effect: "the state stays until the alarm is evaluated next, and at least " +
		"5 s; in ALARM it stops the experiments of Fault Injection Service that have it as a stop condition"},
	{Words: []string{"AlarmHistory"}, State: operation.Works, Effect: "of 30 days, also of deleted alarms"},
	{Words: []string{"AlarmActions"}, State: operation.Works, Effect: "holds for what actions there are: see PutMetricAlarm"},
	{Words: []string{"Tag"}, State: operation.Works, Effect: "of alarms"},
	{Words: []string{"Dashboard"}, State: operation.Recorded, Effect: "kept and shown; nothing draws them"},
	{Words: []string{"AnomalyDetector"}, State: operation.Recorded, Effect: "kept and shown; nothing is learned"},
	{Words: []string{""}, State: operation.Works, Effect: "of metric alarms and composite ones"},
}
