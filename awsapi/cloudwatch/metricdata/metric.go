package metricdata

import (
	"cmp"
	"slices"
	"strings"
)

// Dimension is a name and value that is part of what a metric is.
type Dimension struct{ Name, Value string }

// EKS is the namespace of Amazon EKS's own metrics.
const EKS = "AWS/EKS"

// Largest is the largest value, and its negative the smallest, as CloudWatch has them.
const Largest = 0x1p360

// Metric is what is measured. Its dimensions are in the order of their names.
type Metric struct {
	Namespace, Name string
	Dimensions      []Dimension
}

// NewMetric is the metric with these dimensions, in any order.
func NewMetric(namespace, name string, dimensions []Dimension) Metric {
	sorted := slices.Clone(dimensions)
	slices.SortFunc(sorted, func(a, b Dimension) int { return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Value, b.Value)) })
	return Metric{namespace, name, sorted}
}

// Key tells metrics apart, and orders them by namespace, name and dimensions.
func (m Metric) Key() string {
	var key strings.Builder
	key.WriteString(m.Namespace + "\x00" + m.Name)
	for _, d := range m.Dimensions {
		key.WriteString("\x00" + d.Name + "\x01" + d.Value)
	}
	return key.String()
}

// Value is the value of the metric's dimension with that name.
func (m Metric) Value(dimension string) (value string, found bool) {
	for _, d := range m.Dimensions {
		if d.Name == dimension {
			return d.Value, true
		}
	}
	return "", false
}

// Units are those of data.
var Units = []string{"Seconds", "Microseconds", "Milliseconds", "Bytes", "Kilobytes", "Megabytes", "Gigabytes", "Terabytes", "Bits",
	"Kilobits", "Megabits", "Gigabits", "Terabits", "Percent", "Count", "Bytes/Second", "Kilobytes/Second", "Megabytes/Second",
	"Gigabytes/Second", "Terabytes/Second", "Bits/Second", "Kilobits/Second", "Megabits/Second", "Gigabits/Second", "Terabits/Second",
	"Count/Second", "None"}

// Datum is what was measured once.
type Datum struct {
	Metric Metric
	Unit   string // such as Count; empty means None
	Time   int64  // seconds since 1970
	Fine   bool   // it is kept by the second, and not by the minute
	Summary
}
