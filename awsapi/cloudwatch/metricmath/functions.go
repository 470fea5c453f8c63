package metricmath

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

type function func(c computation, args []Value) (Value, error)

// functions are those that there are, by name. They are filled in by init, since computing asks for them.
var functions map[string]function

func init() {
	functions = map[string]function{
		"ABS": eachNumber(math.Abs), "CEIL": eachNumber(math.Ceil), "FLOOR": eachNumber(math.Floor), "LOG": eachNumber(math.Log),
		"LOG10": eachNumber(math.Log10),
		"SUM":   reducing(sum), "AVG": reducing(mean), "MIN": reducing(slices.Min[[]float64]), "MAX": reducing(slices.Max[[]float64]),
		"STDDEV": reducing(deviation), "DATAPOINT_COUNT": reducing(func(all []float64) float64 { return float64(len(all)) }),
		"METRIC_COUNT": metricCount, "METRICS": metrics, "SEARCH": search, "TIME_SERIES": timeSeries, "PERIOD": period,
		"FILL": fill, "IF": choose, "FIRST": at(0), "LAST": at(-1), "SLICE": slice, "SORT": sorted, "REMOVE_EMPTY": removeEmpty,
		"DIFF": stepwise(func(dx, _ float64) float64 { return dx }), "DIFF_TIME": stepwise(func(_, dt float64) float64 { return dt }),
		"RATE": stepwise(func(dx, dt float64) float64 { return dx / dt }), "RUNNING_SUM": runningSum,
		"MINUTE": clock(func(t time.Time) int { return t.Minute() }), "HOUR": clock(func(t time.Time) int { return t.Hour() }),
		"DAY":  clock(func(t time.Time) int { return (int(t.Weekday())+6)%7 + 1 }), // Monday is 1
		"DATE": clock(func(t time.Time) int { return t.Day() }), "MONTH": clock(func(t time.Time) int { return int(t.Month()) }),
		"YEAR":  clock(func(t time.Time) int { return t.Year() }),
		"EPOCH": clock(func(t time.Time) int { return int(t.Unix()) }),
	}
	for _, name := range []string{"ANOMALY_DETECTION_BAND", "DB_PERF_INSIGHTS", "INSIGHT_RULE_METRIC", "LAMBDA", "SERVICE_QUOTA"} {
		functions[name] = func(computation, []Value) (Value, error) {
			return Value{}, errors.New("this function is not there")
		}
	}
}

var errSeries = errors.New("a time series or an array of time series is expected")

// series is the function's only argument, which has to be series.
func series(args []Value) (Value, error) {
	if len(args) != 1 {
		return Value{}, fmt.Errorf("one argument is expected, not %d", len(args))
	}
	if args[0].kind != single && args[0].kind != several {
		return Value{}, errSeries
	}
	return args[0], nil
}

func eachNumber(f func(float64) float64) function {
	whole := func(x float64) (float64, bool) { y := f(x); return y, !math.IsNaN(y) && !math.IsInf(y, 0) }
	return func(_ computation, args []Value) (Value, error) {
		if len(args) == 1 && args[0].kind == scalar {
			return scalarOf(f(args[0].number)), nil
		}
		of, err := series(args)
		return each(of, func(s Series) Series { return mapped(s, whole) }), err
	}
}

func reducing(f func([]float64) float64) function {
	return func(_ computation, args []Value) (Value, error) {
		of, err := series(args)
		if err != nil {
			return Value{}, err
		}
		return reduced(of, f)
	}
}

func sum(all []float64) (s float64) {
	for _, x := range all {
		s += x
	}
	return s
}

func mean(all []float64) float64 { return sum(all) / float64(len(all)) }

func deviation(all []float64) float64 {
	middle, squares := mean(all), 0.0
	for _, x := range all {
		squares += (x - middle) * (x - middle)
	}
	return math.Sqrt(squares / float64(len(all)))
}

func metricCount(_ computation, args []Value) (Value, error) {
	of, err := series(args)
	return scalarOf(float64(len(of.series))), err
}

func metrics(c computation, args []Value) (Value, error) {
	within := ""
	if len(args) > 1 || len(args) == 1 && args[0].kind != text {
		return Value{}, errors.New("at most one text is expected")
	}
	if len(args) == 1 {
		within = args[0].text
	}
	all, err := c.host.Metrics(within)
	return Several(all), err
}

func search(c computation, args []Value) (Value, error) {
	if len(args) < 2 || len(args) > 3 || args[0].kind != text || args[1].kind != text || len(args) == 3 && args[2].kind != scalar {
		return Value{}, errors.New("a search expression, a statistic and a period are expected")
	}
	period := c.frame.Period
	if len(args) == 3 {
		period = int64(args[2].number)
	}
	all, err := c.host.Search(args[0].text, args[1].text, period)
	return Several(all), err
}

func timeSeries(c computation, args []Value) (Value, error) {
	if len(args) != 1 || args[0].kind != scalar {
		return Value{}, errors.New("a number is expected")
	}
	if err := c.budget.has(c.frame.count()); err != nil {
		return Value{}, err
	}
	out := Series{Period: c.frame.Period, Times: c.frame.times()}
	for range out.Times {
		out.Values = append(out.Values, args[0].number)
	}
	return One(out), nil
}

func period(_ computation, args []Value) (Value, error) {
	if len(args) != 1 || args[0].kind != single {
		return Value{}, errors.New("a time series is expected")
	}
	return scalarOf(float64(args[0].series[0].Period)), nil
}

// fill gives a value to all times of the frame: a number, that of another series, REPEAT of the last one, or LINEAR.
func fill(c computation, args []Value) (Value, error) {
	if len(args) != 2 || args[0].kind != single && args[0].kind != several {
		return Value{}, errors.New("a time series and what fills it are expected")
	}
	with := args[1]
	if with.kind == several || with.kind == text && with.text != "REPEAT" && with.text != "LINEAR" {
		return Value{}, errors.New("a time series is filled with a number, a time series, REPEAT or LINEAR")
	}
	others := map[int64]float64{}
	if with.kind == single {
		others = byTime(with.series[0])
	}
	datapoints := 0
	for _, s := range args[0].series {
		datapoints += c.frame.of(s).count()
	}
	if err := c.budget.has(datapoints); err != nil {
		return Value{}, err
	}
	return each(args[0], func(s Series) Series { return filled(s, with, others, c.frame.of(s)) }), nil
}

// of is the frame with the periods of a series.
func (f Frame) of(s Series) Frame {
	if s.Period > 0 {
		f.Period = s.Period
	}
	return f
}

// filled is the series at all times of the frame; others are the values of the series that it is filled with, if it is one.
func filled(s Series, with Value, others map[int64]float64, frame Frame) Series {
	values := byTime(s)
	out := Series{Label: s.Label, Period: frame.Period}
	next := 0 // the first of s that is not before the time
	for _, at := range frame.times() {
		for next < len(s.Times) && s.Times[next] < at {
			next++
		}
		value, found := values[at]
		switch {
		case found:
		case with.kind == scalar:
			value, found = with.number, true
		case with.kind == single:
			value, found = others[at]
		case next > 0 && with.text == "REPEAT":
			value, found = s.Values[next-1], true
		case next > 0 && next < len(s.Times): // LINEAR
			part := float64(at-s.Times[next-1]) / float64(s.Times[next]-s.Times[next-1])
			value, found = s.Values[next-1]+(s.Values[next]-s.Values[next-1])*part, true
		}
		if found {
			out.Times, out.Values = append(out.Times, at), append(out.Values, value)
		}
	}
	return out
}

func byTime(s Series) map[int64]float64 {
	all := make(map[int64]float64, len(s.Times))
	for i, at := range s.Times {
		all[at] = s.Values[i]
	}
	return all
}

// choose is IF: of the times at which the condition is known, the one value or the other, where it is there.
func choose(_ computation, args []Value) (Value, error) {
	if len(args) < 2 || len(args) > 3 {
		return Value{}, errors.New("a condition and one or two values are expected")
	}
	for _, arg := range args {
		if arg.kind == text || arg.kind == several {
			return Value{}, errors.New("numbers and single time series are expected")
		}
	}
	condition := args[0]
	if condition.kind == scalar {
		switch {
		case condition.number != 0:
			return args[1], nil
		case len(args) == 3:
			return args[2], nil
		}
		return One(Series{}), nil
	}
	if len(args) == 2 && args[1].kind == scalar {
		args = append(args, scalarOf(0))
	}
	of := condition.series[0]
	out := Series{Label: of.Label, Period: of.Period}
	known := make([]map[int64]float64, len(args))
	for i, arg := range args {
		if arg.kind == single {
			known[i] = byTime(arg.series[0])
		}
	}
	for i, when := range of.Times {
		which := 1
		if of.Values[i] == 0 {
			which = 2
		}
		if which >= len(args) {
			continue
		}
		value, found := args[which].number, true
		if args[which].kind == single {
			value, found = known[which][when]
		}
		if found {
			out.Times, out.Values = append(out.Times, when), append(out.Values, value)
		}
	}
	return One(out), nil
}

// at is the first or the last series of a list.
func at(place int) function {
	return func(_ computation, args []Value) (Value, error) {
		of, err := series(args)
		if err != nil {
			return Value{}, err
		}
		if len(of.series) == 0 {
			return One(Series{}), nil
		}
		return One(of.series[(place+len(of.series))%len(of.series)]), nil
	}
}

// slice is the part of a list from one place on, up to another; with one place, that one.
func slice(_ computation, args []Value) (Value, error) {
	if len(args) < 2 || len(args) > 3 || args[0].kind != several || args[1].kind != scalar || len(args) == 3 && args[2].kind != scalar {
		return Value{}, errors.New("an array of time series and one or two numbers are expected")
	}
	all := args[0].series
	from := int(min(max(args[1].number, 0), float64(len(all))))
	if len(args) == 2 {
		if from >= len(all) {
			return One(Series{}), nil
		}
		return One(all[from]), nil
	}
	to := int(min(max(args[2].number, float64(from)), float64(len(all))))
	return Several(all[from:to]), nil
}

// sorted is SORT(array, AVG, DESC, 10): by a number of each series.
func sorted(_ computation, args []Value) (Value, error) {
	if len(args) < 3 || len(args) > 4 || args[0].kind != several || args[1].kind != text || args[2].kind != text ||
		args[2].text != "ASC" && args[2].text != "DESC" || len(args) == 4 && args[3].kind != scalar {
		return Value{}, errors.New("an array of time series, a function, ASC or DESC, and perhaps a number are expected")
	}
	by := map[string]func([]float64) float64{"MIN": slices.Min[[]float64], "MAX": slices.Max[[]float64], "AVG": mean, "SUM": sum}[args[1].text]
	if by == nil {
		return Value{}, fmt.Errorf("an array is sorted by MIN, MAX, AVG or SUM, not by %s", args[1].text)
	}
	all := slices.DeleteFunc(slices.Clone(args[0].series), func(s Series) bool { return len(s.Values) == 0 })
	slices.SortStableFunc(all, func(a, b Series) int {
		if args[2].text == "DESC" {
			a, b = b, a
		}
		return cmp.Compare(by(a.Values), by(b.Values))
	})
	if len(args) == 4 {
		all = all[:int(min(max(args[3].number, 0), float64(len(all))))]
	}
	return Several(all), nil
}

func removeEmpty(_ computation, args []Value) (Value, error) {
	of, err := series(args)
	return Several(slices.DeleteFunc(slices.Clone(of.series), func(s Series) bool { return len(s.Values) == 0 })), err
}

// stepwise is a series of what a function makes of each change of the value and of the time, in seconds.
func stepwise(f func(dx, dt float64) float64) function {
	return func(_ computation, args []Value) (Value, error) {
		of, err := series(args)
		return each(of, func(s Series) Series {
			out := Series{Label: s.Label, Period: s.Period}
			for i := 1; i < len(s.Times); i++ {
				out.Times = append(out.Times, s.Times[i])
				out.Values = append(out.Values, f(s.Values[i]-s.Values[i-1], float64(s.Times[i]-s.Times[i-1])))
			}
			return out
		}), err
	}
}

func runningSum(_ computation, args []Value) (Value, error) {
	of, err := series(args)
	return each(of, func(s Series) Series {
		total := 0.0
		return mapped(s, func(x float64) (float64, bool) { total += x; return total, true })
	}), err
}

// clock is a series of what the times are, in UTC.
func clock(f func(time.Time) int) function {
	return func(_ computation, args []Value) (Value, error) {
		of, err := series(args)
		return each(of, func(s Series) Series {
			out := Series{Label: s.Label, Period: s.Period, Times: s.Times}
			for _, when := range s.Times {
				out.Values = append(out.Values, float64(f(time.Unix(when, 0).UTC())))
			}
			return out
		}), err
	}
}
