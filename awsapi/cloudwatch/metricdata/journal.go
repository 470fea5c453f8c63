package metricdata

import (
	"encoding/json"
	"fmt"
	"slices"

	"tripod/logs/logstore"
)

// Stream is the stream of the log store that has the data of all metrics. No log stream has its id: those are random.
const Stream = "0000000000000000006d657472696373"

// line is a datum as it is written. What is not there is as in the line before it.
type line struct {
	Namespace  *string     `json:"n,omitempty"`
	Name       *string     `json:"m,omitempty"`
	Dimensions *[]string   `json:"d,omitempty"` // name, value, name, value ...
	Unit       *string     `json:"u,omitempty"`
	Time       *int64      `json:"t,omitempty"`
	Fine       *bool       `json:"f,omitempty"`
	Value      *float64    `json:"v,omitempty"`  // of one value
	Values     []float64   `json:"vs,omitempty"` // value, count, value, count ...
	Set        *[4]float64 `json:"s,omitempty"`  // count, sum, minimum and maximum
}

// A line of the journal has so many data and bytes at most. One datum has less: 30 dimensions, 150 values.
const mostData, mostBytes = 1000, 1 << 20

// encode writes the first of the data, as many as fit one line, as one event: its time is the latest one's.
func encode(data []Datum) (event logstore.Event, n int, err error) {
	all := []byte{'['}
	latest := int64(0)
	for ; n < min(len(data), mostData); n++ {
		var was *Datum
		if n > 0 {
			was = &data[n-1]
		}
		text, err := json.Marshal(lineOf(&data[n], was))
		if err != nil {
			return logstore.Event{}, 0, fmt.Errorf("write metric data: %w", err)
		}
		if n > 0 && len(all)+len(text)+2 > mostBytes {
			break
		}
		if n > 0 {
			all = append(all, ',')
		}
		all, latest = append(all, text...), max(latest, data[n].Time)
	}
	return logstore.Event{Time: latest * 1000, Message: string(append(all, ']'))}, n, nil
}

// lineOf is a datum as it is written behind another one, or as the first.
func lineOf(d, was *Datum) (l line) {
	first := was == nil
	if first || d.Metric.Namespace != was.Metric.Namespace {
		l.Namespace = &d.Metric.Namespace
	}
	if first || d.Metric.Name != was.Metric.Name {
		l.Name = &d.Metric.Name
	}
	if first || !slices.Equal(d.Metric.Dimensions, was.Metric.Dimensions) {
		pairs := []string{}
		for _, one := range d.Metric.Dimensions {
			pairs = append(pairs, one.Name, one.Value)
		}
		l.Dimensions = &pairs
	}
	if first || d.Unit != was.Unit {
		l.Unit = &d.Unit
	}
	if first || d.Time != was.Time {
		l.Time = &d.Time
	}
	if first || d.Fine != was.Fine {
		l.Fine = &d.Fine
	}
	switch {
	case d.Opaque:
		l.Set = &[4]float64{d.Count, d.Sum, d.Min, d.Max}
	case d.Count == 1:
		l.Value = &d.Min
	default:
		for _, v := range d.distribution() {
			l.Values = append(l.Values, v.Value, v.Count)
		}
	}
	return l
}

// decode calls fn for each datum that encode wrote. What a later Tripod wrote differently, or a disk spoiled, is passed over.
func decode(e logstore.Event, fn func(Datum)) {
	var lines []line
	if json.Unmarshal([]byte(e.Message), &lines) != nil {
		return
	}
	var d Datum
	for _, l := range lines {
		take(&d.Metric.Namespace, l.Namespace)
		take(&d.Metric.Name, l.Name)
		take(&d.Unit, l.Unit)
		take(&d.Time, l.Time)
		take(&d.Fine, l.Fine)
		if l.Dimensions != nil {
			d.Metric.Dimensions = nil
			for i := 0; i+1 < len(*l.Dimensions); i += 2 {
				d.Metric.Dimensions = append(d.Metric.Dimensions, Dimension{(*l.Dimensions)[i], (*l.Dimensions)[i+1]})
			}
		}
		switch {
		case l.Set != nil:
			d.Summary = Summary{Count: l.Set[0], Sum: l.Set[1], Min: l.Set[2], Max: l.Set[3], Opaque: true}
		case l.Value != nil:
			d.Summary = Single(*l.Value)
		default:
			var values []Weighted
			for i := 0; i+1 < len(l.Values); i += 2 {
				values = append(values, Weighted{l.Values[i], l.Values[i+1]})
			}
			d.Summary = Several(values)
		}
		if d.Count > 0 {
			fn(d)
		}
	}
}

func take[T any](into *T, given *T) {
	if given != nil {
		*into = *given
	}
}
