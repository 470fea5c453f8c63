package cloudwatch

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"tripod/awsapi/wire"
)

// member is what a document's member may be. Exactly one of the first fields is set.
type member struct {
	text     int               // a string of at most so many bytes
	number   bool              // and no NaN, which JSON does not know
	boolean  bool              // true or false
	document map[string]member // one of these members
	list     *member           // several, at most so many
	most     int               // of a list
}

func short(most int) member           { return member{text: most} }
func listOf(one member, m int) member { return member{list: &one, most: m} }

var (
	number  = member{number: true}
	boolean = member{boolean: true}
	actions = listOf(short(1024), 5)
	// dimensions are those of a metric, and tags those of an alarm.
	dimensions = listOf(member{document: map[string]member{"Name": short(255), "Value": short(1024)}}, 30)
	tags       = listOf(member{document: map[string]member{"Key": short(128), "Value": short(256)}}, 50)
)

// alarmMembers are those of PutMetricAlarm, with CloudWatch's limits. Others are not kept: clients of a later CloudWatch know more, and
// whoever reads an alarm is to find what the API promises.
var alarmMembers = map[string]member{
	"AlarmName": short(255), "AlarmDescription": short(1024), "ActionsEnabled": boolean, "OKActions": actions, "AlarmActions": actions,
	"InsufficientDataActions": actions, "MetricName": short(255), "Namespace": short(255), "Statistic": short(20),
	"ExtendedStatistic": short(20), "Dimensions": dimensions, "Period": number, "Unit": short(30), "EvaluationPeriods": number,
	"DatapointsToAlarm": number, "Threshold": number, "ComparisonOperator": short(60), "TreatMissingData": short(255),
	"EvaluateLowSampleCountPercentile": short(255), "ThresholdMetricId": short(255), "Tags": tags,
	"Metrics": listOf(member{document: map[string]member{"Id": short(255), "Expression": short(2048), "Label": short(1000),
		"ReturnData": boolean, "Period": number, "AccountId": short(255), "MetricStat": {document: map[string]member{"Period": number,
			"Stat": short(50), "Unit": short(30), "Metric": {document: map[string]member{"Namespace": short(255), "MetricName": short(255),
				"Dimensions": dimensions}}}}}}, 500),
}

// compositeMembers are those of PutCompositeAlarm.
var compositeMembers = map[string]member{
	"AlarmName": short(255), "AlarmDescription": short(1024), "AlarmRule": short(10240), "ActionsEnabled": boolean, "OKActions": actions,
	"AlarmActions": actions, "InsufficientDataActions": actions, "ActionsSuppressor": short(1600), "ActionsSuppressorWaitPeriod": number,
	"ActionsSuppressorExtensionPeriod": number, "Tags": tags,
}

// known is the document with the members that it may have, or why one of them is not what it may be.
func known(in wire.Document, members map[string]member) (wire.Document, error) {
	out := wire.Document{}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		m, found := members[name]
		if !found || in[name] == nil {
			continue
		}
		value, err := m.of(name, in[name])
		if err != nil {
			return nil, err
		}
		out[name] = value
	}
	return out, nil
}

// of is a value of the member.
func (m member) of(name string, value any) (any, error) {
	wrong := invalid("1 validation error detected: Value at '%s' failed to satisfy constraint", name)
	switch {
	case m.list != nil:
		items, is := value.([]any)
		if !is || len(items) > m.most {
			return nil, wrong
		}
		all := make([]any, 0, len(items))
		for _, item := range items {
			one, err := m.list.of(name, item)
			if err != nil {
				return nil, err
			}
			all = append(all, one)
		}
		return all, nil
	case m.document != nil:
		document, is := value.(wire.Document)
		if !is {
			return nil, wrong
		}
		return known(document, m.document)
	case m.number:
		return value, numeric(value, wrong)
	case m.boolean:
		if _, is := value.(bool); !is {
			return nil, wrong
		}
	default:
		if text, is := value.(string); !is || len(text) > m.text {
			return nil, wrong
		}
	}
	return value, nil
}

// numeric is the error of a value that is no number.
func numeric(value any, wrong error) error {
	switch n := value.(type) {
	case float64:
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return wrong
		}
		return nil
	case int, int64, uint64, json.Number:
		return nil
	}
	return wrong
}
