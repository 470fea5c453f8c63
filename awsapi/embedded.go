package awsapi

import (
	"context"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/logs"
	"tripod/logs/logstore"
)

// embedding takes metrics out of log events that have some, in embedded metric format, when they are written.
type embedding struct {
	logs.Events
	metrics *metricdata.Store
}

// Append writes the events, and then their metrics. Those are extracted beside the events, as in AWS: that they cannot be written
// does not undo the events, which a client would send twice.
func (e embedding) Append(stream string, events []logstore.Event, mark any) (logstore.Place, error) {
	place, err := e.Events.Append(stream, events, mark)
	if err != nil {
		return place, err
	}
	_ = e.metrics.PutEmbedded(context.Background(), events)
	return place, nil
}

// logEvents are the events that CloudWatch Logs writes.
func (b Backend) logEvents() logs.Events {
	if b.LogEvents == nil || b.Metrics == nil {
		return b.LogEvents
	}
	return embedding{b.LogEvents, b.Metrics}
}

// FilteredMetrics takes what the metric filters of CloudWatch Logs find into the metrics' data.
type FilteredMetrics struct{ *metricdata.Store }

// Put implements logs.Metrics.
func (m FilteredMetrics) Put(ctx context.Context, found []logs.Datum) error {
	data := make([]metricdata.Datum, len(found))
	for i, one := range found {
		var dimensions []metricdata.Dimension
		for name, value := range one.Dimensions {
			dimensions = append(dimensions, metricdata.Dimension{Name: name, Value: value})
		}
		data[i] = metricdata.Datum{Metric: metricdata.NewMetric(one.Namespace, one.Metric, dimensions), Unit: one.Unit, Time: one.Time.Unix(),
			Summary: metricdata.Single(one.Value)}
	}
	return m.Store.Put(ctx, data)
}
