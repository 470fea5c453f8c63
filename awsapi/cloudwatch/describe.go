package cloudwatch

import (
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// mostShown is how many alarms a page of DescribeAlarms has, where the call does not say.
const mostShown = 50

func (s *Service) describe(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, s.arn("*"), nil); err != nil {
		return nil, err
	}
	names, prefix, is := texts(in, "AlarmNames"), text(in, "AlarmNamePrefix"), text(in, "StateValue")
	action, kinds := text(in, "ActionPrefix"), texts(in, "AlarmTypes")
	if len(names) > 0 && prefix != "" {
		return nil, invalid("AlarmNamePrefix and AlarmNames cannot be specified together")
	}
	if len(kinds) == 0 {
		kinds = []string{metricAlarm}
		if len(names) > 0 || text(in, "ChildrenOfAlarmName") != "" || text(in, "ParentsOfAlarmName") != "" {
			kinds = []string{metricAlarm, compositeAlarm}
		}
	}
	var all []Alarm
	s.State.View(func(tx *state.Txn) error {
		related := relatives(tx, in)
		all = slices.DeleteFunc(alarms.List(tx), func(a Alarm) bool {
			return len(names) > 0 && !slices.Contains(names, a.Name) || !strings.HasPrefix(a.Name, prefix) || is != "" && a.State != is ||
				action != "" && !a.acts(action) || !slices.Contains(kinds, a.kind()) || related != nil && !slices.Contains(related, a.Name)
		})
		return nil
	})
	size := mostShown
	if given, ok := in["MaxRecords"].(float64); ok && given >= 1 && given <= 100 {
		size = int(given)
	}
	if len(names) > 0 {
		size = mostNamed
	}
	token := text(in, "NextToken")
	part, next, ok := wire.Page("DescribeAlarms "+prefix+" "+is, size, &token, all, func(a Alarm) string { return a.Name })
	if !ok {
		return nil, badToken()
	}
	shown := map[string][]any{metricAlarm: {}, compositeAlarm: {}}
	for _, a := range part {
		one := s.shown(a)
		if text(in, "ChildrenOfAlarmName")+text(in, "ParentsOfAlarmName") != "" { // which show names and states alone
			one = wire.Document{"AlarmName": a.Name, "AlarmArn": s.arn(a.Name), "StateValue": a.State, "StateUpdatedTimestamp": a.Updated}
		}
		shown[a.kind()] = append(shown[a.kind()], one)
	}
	out := wire.Document{"MetricAlarms": shown[metricAlarm], "CompositeAlarms": shown[compositeAlarm]}
	if next != nil {
		out["NextToken"] = *next
	}
	return out, nil
}

// relatives are the names of the children or parents that are asked for; nil: none are.
func relatives(tx *state.Txn, in wire.Document) []string {
	if of := text(in, "ChildrenOfAlarmName"); of != "" {
		a, _ := alarms.Get(tx, of)
		return append([]string{}, childrenOf(a)...)
	}
	if of := text(in, "ParentsOfAlarmName"); of != "" {
		return append([]string{}, parentsOf(tx, of, nil)...)
	}
	return nil
}

func (s *Service) describeForMetric(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, s.arn("*"), nil); err != nil {
		return nil, err
	}
	metric, err := metricOf(in, "")
	if err != nil {
		return nil, err
	}
	shown := []any{}
	s.State.View(func(tx *state.Txn) error {
		shown = []any{}
		for _, a := range alarms.List(tx) {
			if a.kind() == metricAlarm && a.about(metric, in) {
				shown = append(shown, s.shown(a))
			}
		}
		return nil
	})
	return wire.Document{"MetricAlarms": shown}, nil
}

// about says whether the alarm is on the metric, with the statistic, period and unit where these are asked for.
func (a Alarm) about(metric metricdata.Metric, in wire.Document) bool {
	for _, name := range []string{"Statistic", "ExtendedStatistic", "Unit"} {
		if wanted := text(in, name); wanted != "" && text(a.Given, name) != wanted {
			return false
		}
	}
	if wanted, is := numberOf(in["Period"]); is {
		if period, _ := numberOf(a.Given["Period"]); period != wanted {
			return false
		}
	}
	if a.Given["Metrics"] == nil {
		own, err := metricOf(a.Given, "")
		return err == nil && own.Key() == metric.Key()
	}
	return false // CloudWatch finds those on one metric alone
}

// acts says whether one of the alarm's actions begins so.
func (a Alarm) acts(prefix string) bool {
	for _, name := range []string{"OKActions", "AlarmActions", "InsufficientDataActions"} {
		if slices.ContainsFunc(texts(a.Given, name), func(arn string) bool { return strings.HasPrefix(arn, prefix) }) {
			return true
		}
	}
	return false
}

// shown is an alarm as DescribeAlarms shows it.
func (s *Service) shown(a Alarm) wire.Document {
	out := wire.Document{"OKActions": []any{}, "AlarmActions": []any{}, "InsufficientDataActions": []any{}}
	if a.kind() == metricAlarm {
		out["Dimensions"] = []any{}
	}
	maps.Copy(out, a.Given)
	out["AlarmArn"], out["StateValue"], out["StateReason"] = s.arn(a.Name), a.State, a.Reason
	out["StateUpdatedTimestamp"], out["StateTransitionedTimestamp"] = a.Updated, a.Since
	out["AlarmConfigurationUpdatedTimestamp"] = a.Configured
	if a.ReasonData != "" {
		out["StateReasonData"] = a.ReasonData
	}
	if a.SuppressedBy != "" {
		out["ActionsSuppressedBy"] = a.SuppressedBy
		out["ActionsSuppressedReason"] = "The actions wait for the suppressor " + text(a.Given, "ActionsSuppressor")
	}
	return out
}
