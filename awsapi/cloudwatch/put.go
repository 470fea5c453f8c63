package cloudwatch

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/iam"
)

// The bounds of PutMetricData, as its reference has them.
const (
	mostData, mostValues = 1000, 150
	oldest, newest       = 14 * 24 * time.Hour, 2 * time.Hour
)

func (s *Service) putData(call *operation.Call, in wire.Document) (wire.Document, error) {
	namespace := text(in, "Namespace")
	if err := permit(call, "*", nil, iam.Keys{"cloudwatch:namespace": {namespace}}); err != nil {
		return nil, err
	}
	if _, err := namespaceOf(in, "Namespace"); err != nil {
		return nil, err
	}
	if strings.HasPrefix(namespace, "AWS/") {
		return nil, badValue("The value AWS/ for parameter Namespace is invalid.")
	}
	given := map[string][]wire.Document{"MetricData": itemsOf(in, "MetricData")}
	names := []string{"MetricData"}
	for i, entity := range itemsOf(in, "EntityMetricData") {
		name := itemOf("EntityMetricData", i) + ".MetricData"
		names, given[name] = append(names, name), itemsOf(entity, "MetricData")
	}
	var data []metricdata.Datum
	for _, name := range names {
		for i, item := range given[name] {
			if len(data) >= mostData {
				return nil, tooMany("MetricData", mostData)
			}
			d, err := s.datum(namespace, item, itemOf(name, i)+".")
			if err != nil {
				return nil, err
			}
			data = append(data, d)
		}
	}
	if len(data) == 0 {
		return nil, missing("MetricData")
	}
	err := s.Metrics.Put(call.Request.Context(), data)
	if errors.Is(err, metricdata.ErrNotCopied) {
		return nil, &wire.Error{Code: "ServiceUnavailable", Status: http.StatusServiceUnavailable, Message: "No other zone has taken the " +
			"metric data, so a loss of this one would lose them: try again. They may count twice then."}
	}
	return nil, err
}

// datum is one of PutMetricData; under is what its parameters' names begin with.
func (s *Service) datum(namespace string, in wire.Document, under string) (d metricdata.Datum, err error) {
	name, err := textOf(in, "MetricName", under+"MetricName", 255, true)
	if err != nil {
		return d, err
	}
	dimensions, err := dimensionsOf(in, under+"Dimensions")
	if err != nil {
		return d, err
	}
	d.Metric = metricdata.NewMetric(namespace, name, dimensions)
	if d.Unit, err = unitOf(in, under+"Unit"); err != nil {
		return d, err
	}
	now := s.now()
	at, found, err := timeIn(in, "Timestamp", under+"Timestamp")
	switch {
	case err != nil:
		return d, err
	case !found:
		at = now
	case at.Before(now.Add(-oldest)):
		return d, badValue("The parameter %sTimestamp must specify a time no more than two weeks in the past.", under)
	case at.After(now.Add(newest)):
		return d, badValue("The parameter %sTimestamp must specify a time no more than two hours in the future.", under)
	}
	d.Time = at.Unix()
	switch resolution, err := whole(in, "StorageResolution", 60); {
	case err != nil:
		return d, err
	case resolution != 1 && resolution != 60:
		return d, badValue("The value %d for parameter %sStorageResolution is invalid. It must be 1 or 60.", resolution, under)
	default:
		d.Fine = resolution == 1
	}
	d.Summary, err = summaryOf(in, under)
	return d, err
}

// summaryOf is what a datum was measured as: a value, values and their counts, or a statistic set.
func summaryOf(in wire.Document, under string) (sum metricdata.Summary, err error) {
	set, isSet := in["StatisticValues"].(wire.Document)
	switch {
	case in["Value"] != nil && in["Values"] != nil:
		return sum, exclusive(under+"Value", under+"Values")
	case in["Value"] != nil && isSet:
		return sum, exclusive(under+"Value", under+"StatisticValues")
	case in["Values"] != nil && isSet:
		return sum, exclusive(under+"Values", under+"StatisticValues")
	case in["Value"] != nil:
		value, err := valueIn(in["Value"], under+"Value")
		return metricdata.Single(value), err
	case isSet:
		return setOf(set, under+"StatisticValues.")
	case in["Values"] != nil:
		return severalOf(in, under)
	}
	return sum, missing(under + "Value")
}

// valueIn is a value, which CloudWatch takes between -2^360 and 2^360.
func valueIn(given any, name string) (float64, error) {
	value, is := numberOf(given)
	if !is || math.IsNaN(value) || math.Abs(value) > metricdata.Largest {
		shown := fmt.Sprint(given)
		if is {
			shown = strconv.FormatFloat(value, 'g', -1, 64)
		}
		return 0, badValue("The value %s for parameter %s is invalid.", wire.Clip(shown), name)
	}
	return value, nil
}

func setOf(set wire.Document, under string) (sum metricdata.Summary, err error) {
	for member, into := range map[string]*float64{"SampleCount": &sum.Count, "Sum": &sum.Sum, "Minimum": &sum.Min, "Maximum": &sum.Max} {
		if set[member] == nil {
			return sum, missing(under + member)
		}
		if *into, err = valueIn(set[member], under+member); err != nil {
			return sum, err
		}
	}
	switch {
	case sum.Count <= 0:
		return sum, badValue("The parameter %sSampleCount must be greater than 0.", under)
	case sum.Min > sum.Max:
		return sum, badValue("The parameter %sMaximum must be greater than or equal to %[1]sMinimum.", under)
	}
	sum.Opaque = sum.Min != sum.Max || sum.Sum != sum.Min*sum.Count
	return sum, nil
}

func severalOf(in wire.Document, under string) (sum metricdata.Summary, err error) {
	values, _ := in["Values"].([]any)
	counts, counted := in["Counts"].([]any)
	switch {
	case len(values) == 0:
		return sum, missing(under + "Values")
	case len(values) > mostValues:
		return sum, tooMany(under+"Values", mostValues)
	case counted && len(counts) != len(values):
		return sum, badValue("The parameters %sValues and %[1]sCounts must be of the same size.", under)
	}
	all := make([]metricdata.Weighted, len(values))
	for i := range values {
		all[i].Count = 1
		if all[i].Value, err = valueIn(values[i], itemOf(under+"Values", i)); err != nil {
			return sum, err
		}
		if !counted {
			continue
		}
		if all[i].Count, err = valueIn(counts[i], itemOf(under+"Counts", i)); err != nil {
			return sum, err
		}
		if all[i].Count <= 0 {
			return sum, badValue("The value %v for parameter %s is invalid.", all[i].Count, itemOf(under+"Counts", i))
		}
	}
	return metricdata.Several(all), nil
}
