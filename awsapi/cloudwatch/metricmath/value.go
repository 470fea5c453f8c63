package metricmath

import (
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Series is a time series: times in seconds since 1970, in their order, and a value at each.
type Series struct {
	Label  string
	Period int64
	Times  []int64
	Values []float64
}

// Value is what an expression is: a number, one series, or several.
type Value struct {
	kind   kind
	number float64
	series []Series
	text   string
}

type kind int

const (
	scalar kind = iota
	single
	several
	text // within expressions only: an argument of a function
)

// One is the value of one series, and Several of a list of them.
func One(s Series) Value { return Value{kind: single, series: []Series{s}} }

// Several is the value of a list of series.
func Several(all []Series) Value { return Value{kind: several, series: all} }

func scalarOf(number float64) Value { return Value{number: number} }

// Series are the value's; none of a number.
func (v Value) Series() []Series { return v.series }

// IsNumber says that it is a number and no series, and IsList that it is a list of them.
func (v Value) IsNumber() bool { return v.kind == scalar }

// IsList says that it is a list of series.
func (v Value) IsList() bool { return v.kind == several }

var errLists = errors.New("the arrays of time series do not have the same number of time series")

// combine applies an operation to two values: number by number, where both have one at the same time.
func combine(a, b Value, op func(x, y float64) (float64, bool)) (Value, error) {
	switch {
	case a.kind == text || b.kind == text:
		return Value{}, errors.New("a text is no operand")
	case a.kind == scalar && b.kind == scalar:
		number, _ := op(a.number, b.number)
		return scalarOf(number), nil
	case b.kind == scalar:
		return each(a, func(s Series) Series { return mapped(s, func(x float64) (float64, bool) { return op(x, b.number) }) }), nil
	case a.kind == scalar:
		return each(b, func(s Series) Series { return mapped(s, func(y float64) (float64, bool) { return op(a.number, y) }) }), nil
	case a.kind == several && b.kind == several:
		if len(a.series) != len(b.series) {
			return Value{}, errLists
		}
		all := make([]Series, len(a.series))
		for i := range all {
			all[i] = joined(a.series[i], b.series[i], op)
		}
		return Several(all), nil
	case b.kind == several:
		return each(b, func(s Series) Series { return labelled(joined(a.series[0], s, op), s.Label) }), nil
	default:
		return each(a, func(s Series) Series { return joined(s, b.series[0], op) }), nil
	}
}

// each is the value with something done to each series.
func each(v Value, do func(Series) Series) Value {
	all := make([]Series, len(v.series))
	for i, s := range v.series {
		all[i] = do(s)
	}
	return Value{kind: v.kind, series: all}
}

func labelled(s Series, label string) Series {
	s.Label = label
	return s
}

// mapped is a series of what f makes of each value, without those for which it says false.
func mapped(s Series, f func(float64) (float64, bool)) Series {
	out := Series{Label: s.Label, Period: s.Period}
	for i, x := range s.Values {
		if y, ok := f(x); ok {
			out.Times, out.Values = append(out.Times, s.Times[i]), append(out.Values, y)
		}
	}
	return out
}

// joined is a series of what op makes of two series' values at the same time.
func joined(a, b Series, op func(x, y float64) (float64, bool)) Series {
	out := Series{Label: a.Label, Period: max(a.Period, b.Period)}
	for i, j := 0, 0; i < len(a.Times) && j < len(b.Times); {
		switch {
		case a.Times[i] < b.Times[j]:
			i++
		case a.Times[i] > b.Times[j]:
			j++
		default:
			if y, ok := op(a.Values[i], b.Values[j]); ok {
				out.Times, out.Values = append(out.Times, a.Times[i]), append(out.Values, y)
			}
			i, j = i+1, j+1
		}
	}
	return out
}

// reduced is a number of a series' values, or a series of what all series have at each time.
func reduced(v Value, f func([]float64) float64) (Value, error) {
	switch v.kind {
	case single:
		if len(v.series[0].Values) == 0 {
			return Value{kind: single, series: []Series{{Period: v.series[0].Period}}}, nil // of nothing there is nothing
		}
		return scalarOf(f(v.series[0].Values)), nil
	case several:
		byTime, out := map[int64][]float64{}, Series{}
		for _, s := range v.series {
			out.Period = max(out.Period, s.Period)
			for i, at := range s.Times {
				byTime[at] = append(byTime[at], s.Values[i])
			}
		}
		for _, at := range slices.Sorted(maps.Keys(byTime)) {
			out.Times, out.Values = append(out.Times, at), append(out.Values, f(byTime[at]))
		}
		return One(out), nil
	}
	return Value{}, fmt.Errorf("a time series or an array of time series is expected")
}
