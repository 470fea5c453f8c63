package vended

import (
	"maps"
	"slices"
	"strings"

	"tripod/awsapi/cloudwatch/metricdata"
)

// Data are the data of a minute, which begins at that time in seconds: what a process had at its end, and what it counted since an
// older reading. Without one there are no counts.
func Data(cluster string, was, is *Reading, minute int64) (data []metricdata.Datum) {
	put := func(name, unit string, value float64) {
		data = append(data, metricdata.Datum{Unit: unit, Time: minute, Summary: metricdata.Single(value),
			Metric: metricdata.NewMetric(metricdata.EKS, name, []metricdata.Dimension{{Name: "ClusterName", Value: cluster}})})
	}
	for _, name := range slices.Sorted(maps.Keys(is.gauges)) {
		unit := "Count"
		if strings.HasSuffix(name, "_bytes") {
			unit = "Bytes"
		}
		put(name, unit, is.gauges[name])
	}
	if was == nil {
		return data
	}
	for _, name := range slices.Sorted(maps.Keys(is.counts)) {
		gained := is.counts[name] - was.counts[name]
		if gained < 0 { // the process is another one
			gained = is.counts[name]
		}
		put(name, "Count", gained)
	}
	for _, name := range slices.Sorted(maps.Keys(is.means)) {
		now, before := is.means[name], was.means[name]
		if now.count < before.count { // the process is another one
			before = mean{}
		}
		if n := now.count - before.count; n > 0 {
			put(name, "Seconds", (now.sum-before.sum)/n)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(is.times)) {
		if value, some := quantile(0.99, was.times[name], is.times[name]); some {
			put(name, "Seconds", value)
		}
	}
	return data
}
