package metricdata

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of the embedded metric format: "Specification: Embedded metric format" of CloudWatch's guide.
const mostEmbedded, mostEmbeddedValues, mostEmbeddedDimensions = 100, 100, 30

// directive says which members of a log event are metrics, and which are their dimensions.
type directive struct {
	Namespace  string
	Dimensions [][]string
	Metrics    []struct {
		Name, Unit        string
		StorageResolution int
	}
}

// Embedded are the data that a log event in embedded metric format has; none of another event. What breaks the format's rules is
// passed over, as the event is a log event all the same. at is the event's own time, which counts where the format has none.
func Embedded(message string, at time.Time) (data []Datum) {
	if !strings.Contains(message, `"CloudWatchMetrics"`) { // nearly all events
		return nil
	}
	var members map[string]json.RawMessage
	var about struct {
		Timestamp         json.RawMessage
		CloudWatchMetrics []directive
	}
	if json.Unmarshal([]byte(message), &members) != nil {
		return nil
	}
	// Container Insights' events have the members of _aws themselves, which is how the format was first.
	from, found := members["_aws"]
	if !found {
		from = json.RawMessage(message)
	}
	if json.Unmarshal(from, &about) != nil {
		return nil
	}
	if stamp, err := strconv.ParseInt(strings.Trim(string(about.Timestamp), `"`), 10, 64); err == nil {
		at = time.UnixMilli(stamp)
	}
	for _, d := range about.CloudWatchMetrics {
		if d.Namespace == "" || len(d.Metrics) > mostEmbedded {
			continue
		}
		for _, names := range d.Dimensions {
			dimensions, ok := dimensionsIn(members, names)
			if !ok {
				continue
			}
			for _, m := range d.Metrics {
				values, ok := valuesOf(members[m.Name])
				if !ok || m.Name == "" || len(data) >= mostEmbedded*mostEmbeddedDimensions {
					continue
				}
				data = append(data, Datum{Metric: NewMetric(d.Namespace, m.Name, dimensions), Unit: m.Unit, Time: at.Unix(),
					Fine: m.StorageResolution == 1, Summary: Several(values)})
			}
		}
	}
	return data
}

// dimensionsIn are the dimensions with these names; false: one is not there, or there are too many.
func dimensionsIn(members map[string]json.RawMessage, names []string) (all []Dimension, ok bool) {
	if len(names) > mostEmbeddedDimensions {
		return nil, false
	}
	for _, name := range names {
		var value string
		if json.Unmarshal(members[name], &value) != nil || value == "" || len(value) > 1024 || name == "" || len(name) > 255 {
			return nil, false
		}
		all = append(all, Dimension{name, value})
	}
	return all, true
}

// valuesOf are a member's values: a number, several, or values and how often each was there.
func valuesOf(member json.RawMessage) (all []Weighted, ok bool) {
	var one float64
	var several []float64
	var counted struct{ Values, Counts []float64 }
	switch {
	case len(member) == 0:
		return nil, false
	case json.Unmarshal(member, &one) == nil:
		several = []float64{one}
	case json.Unmarshal(member, &several) == nil:
	case json.Unmarshal(member, &counted) == nil && len(counted.Values) == len(counted.Counts):
		several = counted.Values
	}
	for i, value := range several {
		count := 1.0
		if counted.Counts != nil {
			count = counted.Counts[i]
		}
		all = append(all, Weighted{value, count})
	}
	bad := func(v Weighted) bool { return math.Abs(v.Value) > math.Pow(2, 360) || v.Count <= 0 }
	return all, len(all) > 0 && len(all) <= mostEmbeddedValues && !slices.ContainsFunc(all, bad)
}
