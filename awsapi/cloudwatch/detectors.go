package cloudwatch

import (
	"encoding/json"
	"maps"
	"net/http"
	"strings"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// detector is an anomaly detector, as it was given.
type detector struct {
	Key   string         `json:"key"`
	Given map[string]any `json:"given"`
}

var detectors = state.NewTable[detector]("cloudwatch-anomaly-detector") // by what it is about

// maxDetectors bounds them, as each voter has them in memory.
const maxDetectors = 500

var (
	singleMetric = map[string]member{"AccountId": short(255), "Namespace": short(255), "MetricName": short(255), "Dimensions": dimensions,
		"Stat": short(50)}
	detectorMembers = map[string]member{
		"Namespace": short(255), "MetricName": short(255), "Dimensions": dimensions, "Stat": short(50),
		"SingleMetricAnomalyDetector": {document: singleMetric},
		"MetricMathAnomalyDetector":   {document: map[string]member{"MetricDataQueries": alarmMembers["Metrics"]}},
		"Configuration": {document: map[string]member{"MetricTimezone": short(50), "ExcludedTimeRanges": listOf(member{
			document: map[string]member{"StartTime": number, "EndTime": number}}, 100)}},
		"MetricCharacteristics": {document: map[string]member{"PeriodicSpikes": boolean}},
	}
)

// detectorIn is the detector that a call is about: a single metric's is written in two ways, which mean the same.
func detectorIn(in wire.Document) (d detector, err error) {
	given, err := known(in, detectorMembers)
	if err != nil {
		return d, err
	}
	single, isSingle := given["SingleMetricAnomalyDetector"].(wire.Document)
	math, isMath := given["MetricMathAnomalyDetector"].(wire.Document)
	if !isSingle && !isMath {
		single = wire.Document{}
		for _, name := range []string{"Namespace", "MetricName", "Dimensions", "Stat"} {
			if given[name] != nil {
				single[name] = given[name]
			}
			delete(given, name)
		}
		given["SingleMetricAnomalyDetector"] = single
	}
	if isSingle && isMath {
		return d, exclusive("SingleMetricAnomalyDetector", "MetricMathAnomalyDetector")
	}
	if isMath {
		if _, err := queriesIn(math, "MetricDataQueries"); err != nil {
			return d, err
		}
		key, err := json.Marshal(math)
		return detector{string(key), given}, err
	}
	metric, err := metricOf(single, "SingleMetricAnomalyDetector.")
	if err != nil {
		return d, err
	}
	if text(single, "Stat") == "" {
		return d, missing("SingleMetricAnomalyDetector.Stat")
	}
	return detector{strings.ReplaceAll(metric.Key()+"\x00"+text(single, "Stat"), "\x00", "\x02"), given}, nil
}

func (s *Service) putDetector(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	made, err := detectorIn(in)
	if err != nil {
		return nil, err
	}
	return nil, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		if _, found := detectors.Get(tx, made.Key); !found && len(detectors.List(tx)) >= maxDetectors {
			return &wire.Error{Code: "LimitExceededException", Status: http.StatusBadRequest,
				Message: "The quota for anomaly detectors has already been reached."}
		}
		detectors.Put(tx, made.Key, made)
		return nil
	})
}

func (s *Service) deleteDetector(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	named, err := detectorIn(in)
	if err != nil {
		return nil, err
	}
	return nil, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		if _, found := detectors.Get(tx, named.Key); !found {
			return &wire.Error{Code: "ResourceNotFoundException", Status: http.StatusNotFound, Message: "The anomaly detector does not exist."}
		}
		detectors.Delete(tx, named.Key)
		return nil
	})
}

func (s *Service) describeDetectors(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	token, most := text(in, "NextToken"), 50
	if n, is := numberOf(in["MaxResults"]); is && n >= 1 && n <= 50 {
		most = int(n)
	}
	var all []detector
	s.State.View(func(tx *state.Txn) error {
		all = nil
		for _, d := range detectors.List(tx) {
			single, _ := d.Given["SingleMetricAnomalyDetector"].(map[string]any)
			if (text(in, "Namespace") == "" || text(single, "Namespace") == text(in, "Namespace")) &&
				(text(in, "MetricName") == "" || text(single, "MetricName") == text(in, "MetricName")) {
				all = append(all, d)
			}
		}
		return nil
	})
	page, next, ok := wire.Page("DescribeAnomalyDetectors", most, &token, all, func(d detector) string { return d.Key })
	if !ok {
		return nil, badToken()
	}
	shown := []any{}
	for _, d := range page {
		one := maps.Clone(d.Given)
		if single, is := one["SingleMetricAnomalyDetector"].(map[string]any); is { // CloudWatch shows it in both ways
			for _, name := range []string{"Namespace", "MetricName", "Dimensions", "Stat"} {
				if single[name] != nil {
					one[name] = single[name]
				}
			}
		}
		if configuration, is := one["Configuration"].(map[string]any); is {
			one["Configuration"] = withTimes(configuration)
		}
		one["StateValue"] = "PENDING_TRAINING"
		shown = append(shown, one)
	}
	out := wire.Document{"AnomalyDetectors": shown}
	if next != nil {
		out["NextToken"] = *next
	}
	return out, nil
}

// withTimes is a configuration with the times of its ranges, which are kept as numbers.
func withTimes(configuration map[string]any) wire.Document {
	out, ranges := maps.Clone(configuration), []any{}
	for _, one := range itemsOf(configuration, "ExcludedTimeRanges") {
		shown := wire.Document{}
		for name := range one {
			if at, found, err := timeIn(one, name, name); found && err == nil {
				shown[name] = at
			}
		}
		ranges = append(ranges, shown)
	}
	out["ExcludedTimeRanges"] = ranges
	return out
}
