package metricdata

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/logs/logstore"
)

// The bounds of the embedded metric format: "Specification: Embedded metric format" of CloudWatch's guide.
const (
	mostEmbedded, mostEmbeddedValues, mostEmbeddedDimensions = 100, 100, 30
	longestName                                              = 1024 // of a namespace and a metric
)

// The bounds of what is made of log events, which name in few bytes what many metrics have in common.
const (
	// mostTries is of how many metrics, each with each of its sets of dimensions, an event has data.
	mostTries = mostEmbedded * mostEmbeddedDimensions
	// mostNames is how many bytes of names and dimensions the data of an event have.
	mostNames = 256 << 10
	// mostOfCall is how many bytes the data of all events that come at once take in the journal.
	mostOfCall = 8 << 20
)

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
// passed over, as the event is a log event all the same, and so is what is beyond its bounds. at is the event's own time, which counts
// where the format has none.
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
	summaries, tries, names := map[string]Summary{}, 0, 0
	for _, d := range about.CloudWatchMetrics {
		if d.Namespace == "" || len(d.Namespace) > longestName || len(d.Metrics) > mostEmbedded {
			continue
		}
		names += len(d.Namespace)
		for _, set := range d.Dimensions {
			dimensions, size, ok := dimensionsIn(members, set)
			tries, names = tries+max(len(d.Metrics), 1), names+size
			if tries > mostTries || names > mostNames {
				return data
			}
			for _, m := range d.Metrics {
				if names += len(m.Name); !ok || names > mostNames || m.Name == "" || len(m.Name) > longestName ||
					m.Unit != "" && !slices.Contains(Units, m.Unit) {
					continue
				}
				sum, known := summaries[m.Name]
				if !known {
					sum = Several(valuesOf(members[m.Name]))
					summaries[m.Name] = sum
				}
				if sum.Count > 0 {
					data = append(data, Datum{Metric: NewMetric(d.Namespace, m.Name, dimensions), Unit: m.Unit, Time: at.Unix(),
						Fine: m.StorageResolution == 1, Summary: sum})
				}
			}
		}
	}
	return data
}

// dimensionsIn are the dimensions with these names, and how many bytes they have; false: one is not there, or there are too many.
func dimensionsIn(members map[string]json.RawMessage, names []string) (all []Dimension, size int, ok bool) {
	if len(names) > mostEmbeddedDimensions {
		return nil, 0, false
	}
	for _, name := range names {
		var value string
		if member := members[name]; len(member) > 6*longestName+2 || json.Unmarshal(member, &value) != nil || value == "" ||
			len(value) > 1024 || name == "" || len(name) > 255 {
			return nil, size, false
		}
		all, size = append(all, Dimension{name, value}), size+len(name)+len(value)
	}
	return all, size, true
}

// valuesOf are a member's values: a number, several, or values and how often each was there. Of anything else there are none.
func valuesOf(member json.RawMessage) (all []Weighted) {
	var one float64
	var several []float64
	var counted struct{ Values, Counts []float64 }
	switch {
	case len(member) == 0:
		return nil
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
	bad := func(v Weighted) bool { return math.Abs(v.Value) > Largest || v.Count <= 0 }
	if len(all) > mostEmbeddedValues || slices.ContainsFunc(all, bad) {
		return nil
	}
	return all
}

// PutEmbedded writes the data that log events of one call have in embedded metric format, up to the bound of a call.
func (s *Store) PutEmbedded(ctx context.Context, events []logstore.Event) error {
	var data []Datum
	var last logstore.Place
	left := mostOfCall
	for i, event := range events {
		data = append(data, Embedded(event.Message, time.UnixMilli(event.Time))...)
		if len(data) == 0 || len(data) < mostData && i < len(events)-1 {
			continue
		}
		place, size, err := s.write(data, left)
		if err != nil {
			return err
		}
		last, data = place, data[:0]
		if left -= size; left <= 0 {
			break
		}
	}
	if last == (logstore.Place{}) {
		return nil
	}
	return s.awaitCopy(ctx, last)
}
