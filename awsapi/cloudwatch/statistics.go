package cloudwatch

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

// mostDatapoints is how many GetMetricStatistics gives.
const mostDatapoints = 1440

// periodFits says whether a period is one that CloudWatch has.
func periodFits(period int64) bool {
	return slices.Contains([]int64{1, 5, 10, 20, 30}, period) || period > 0 && period%60 == 0 && period <= 86400*365
}

// spanOf are the periods of a question. A start is rounded down to the finest that is kept of its time, as the references of
// GetMetricStatistics and GetMetricData have it.
func (s *Service) spanOf(from, to time.Time, period int64) metricdata.Span {
	unit, age := int64(60), s.now().Sub(from)
	switch {
	case period < 60 && age <= 3*time.Hour:
		unit = period
	case age > 63*24*time.Hour:
		unit = 3600
	case age > 15*24*time.Hour:
		unit = 300
	}
	start := from.Unix()
	return metricdata.Span{From: start - ((start%unit)+unit)%unit, To: to.Unix(), Period: period}
}

func (s *Service) statistics(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	metric, err := metricOf(in, "")
	if err != nil {
		return nil, err
	}
	unit, err := unitOf(in, "Unit")
	if err != nil {
		return nil, err
	}
	wanted, err := statisticsIn(in)
	if err != nil {
		return nil, err
	}
	span, err := s.spanIn(in)
	if err != nil {
		return nil, err
	}
	s.want(metric.Namespace)
	byUnit, err := s.Metrics.Points(metric, unit, span)
	if err != nil {
		return nil, err
	}
	shown := []any{}
	for _, unit := range slices.Sorted(maps.Keys(byUnit)) {
		for _, p := range byUnit[unit] {
			out := wire.Document{"Timestamp": time.Unix(p.Time, 0).UTC(), "Unit": cmp.Or(unit, "None")}
			extended := wire.Map{}
			for _, st := range wanted {
				value, found := st.Of(p.Summary)
				switch {
				case !found:
				case st.Basic():
					out[st.Name] = value
				default:
					extended[st.Name] = value
				}
			}
			if len(extended) > 0 {
				out["ExtendedStatistics"] = extended
			}
			if len(out) > 2 {
				shown = append(shown, out)
			}
		}
	}
	return wire.Document{"Label": metric.Name, "Datapoints": shown}, nil
}

// statisticsIn are the statistics that a call asks for.
func statisticsIn(in wire.Document) (all []metricdata.Statistic, err error) {
	basic, extended := texts(in, "Statistics"), texts(in, "ExtendedStatistics")
	switch {
	case len(basic)+len(extended) == 0:
		return nil, badCombination("At least one of the parameters Statistics and ExtendedStatistics must be specified.")
	case len(basic) > 5:
		return nil, tooMany("Statistics", 5)
	case len(extended) > 10:
		return nil, tooMany("ExtendedStatistics", 10)
	}
	for i, name := range basic {
		st, found := metricdata.ParseStatistic(name)
		if !found || !st.Basic() {
			return nil, badValue("The parameter %s must be a value in the set [ %s ].", itemOf("Statistics", i),
				strings.Join(basicStatistics, ", "))
		}
		all = append(all, st)
	}
	for _, name := range extended {
		st, found := metricdata.ParseStatistic(name)
		if !found || st.Basic() {
			return nil, badValue("The value %s for parameter ExtendedStatistics is not supported.", wire.Clip(name))
		}
		all = append(all, st)
	}
	return all, nil
}

var basicStatistics = []string{"SampleCount", "Average", "Sum", "Minimum", "Maximum"}

// spanIn are the periods that GetMetricStatistics is asked for.
func (s *Service) spanIn(in wire.Document) (span metricdata.Span, err error) {
	var ends [2]time.Time
	for i, name := range []string{"StartTime", "EndTime"} {
		at, found, err := timeIn(in, name, name)
		switch {
		case err != nil:
			return span, err
		case !found:
			return span, missing(name)
		}
		ends[i] = at
	}
	if !ends[0].Before(ends[1]) {
		return span, badValue("The parameter StartTime must be less than the parameter EndTime.")
	}
	if in["Period"] == nil {
		return span, missing("Period")
	}
	period, err := whole(in, "Period", 0)
	if err != nil {
		return span, err
	}
	if !periodFits(period) {
		return span, badValue("The value %d for parameter Period is invalid. It must be 1, 5, 10, 20, 30 or a multiple of 60.", period)
	}
	span = s.spanOf(ends[0], ends[1], period)
	if n := (span.To - span.From + period - 1) / period; n > mostDatapoints {
		return span, badCombination("You have requested up to %s datapoints, which exceeds the limit of %s. You may reduce the datapoints "+
			"requested by increasing Period, or decreasing the time range.", grouped(n), grouped(mostDatapoints))
	}
	return span, nil
}

// grouped is a number with commas.
func grouped(n int64) string {
	if n < 1000 {
		return strconv.FormatInt(n, 10)
	}
	return grouped(n/1000) + "," + fmt.Sprintf("%03d", n%1000)
}
