package cloudwatch

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/cloudwatch/metricmath"
	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
)

const (
	// mostGiven is how many datapoints GetMetricData gives at once.
	mostGiven = 100_800
	// mostDynamic is how many of a label's parts stand for something else: "Using dynamic labels" of the guide.
	mostDynamic = 6
	// bytesOfPoint is how many bytes a datapoint takes: a label is taken from the budget by them.
	bytesOfPoint = 16
)

func (s *Service) getData(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	asked, err := s.dataQuestion(in)
	if err != nil {
		return nil, err
	}
	answers := s.answers(asked.queries, func(period int64) metricdata.Span { return s.spanOf(asked.from, asked.to, period) })
	var all []result
	for _, q := range asked.queries {
		value, err := answers.Get(q.id)
		if err != nil {
			return nil, expressionError(q.id, err)
		}
		if !q.returned {
			continue
		}
		if value.IsNumber() {
			return nil, invalid("Error in expression '%s': The result is a number. It must be a time series: use TIME_SERIES.", q.id)
		}
		for _, series := range value.Series() {
			label := labelled(q, series, value.IsList(), asked.zone)
			if err := answers.budget.Spend(len(label)/bytesOfPoint + 1); err != nil {
				return nil, expressionError(q.id, err)
			}
			all = append(all, result{q, series, label})
		}
	}
	return asked.page(all)
}

// expressionError names the query that could not be computed.
func expressionError(id string, err error) error {
	if _, refused := err.(*wire.Error); refused {
		return err
	}
	return invalid("Error in expression '%s': %s", id, err)
}

// dataQuestion is what GetMetricData is asked.
type dataQuestion struct {
	queries   []query
	from, to  time.Time
	ascending bool
	most      int
	zone      *time.Location
	// skip is what earlier pages had: so many results, and so many datapoints of the next.
	skip  [2]int
	token string // what its tokens are bound to
}

type result struct {
	query
	series metricmath.Series
	label  string
}

func (s *Service) dataQuestion(in wire.Document) (q dataQuestion, err error) {
	if q.queries, err = queriesIn(in, "MetricDataQueries"); err != nil {
		return q, err
	}
	for name, into := range map[string]*time.Time{"StartTime": &q.from, "EndTime": &q.to} {
		at, found, err := timeIn(in, name, name)
		switch {
		case err != nil:
			return q, err
		case !found:
			return q, invalid("The parameter %s is required.", name)
		}
		*into = at
	}
	switch {
	case q.from.Equal(q.to):
		return q, invalid("The parameter StartTime must not equal parameter EndTime.")
	case q.from.After(q.to):
		return q, invalid("The parameter EndTime must be greater than StartTime.")
	}
	if err := oneOf(in, "ScanBy", "TimestampDescending", "TimestampAscending"); err != nil {
		return q, err
	}
	q.ascending = text(in, "ScanBy") == "TimestampAscending"
	most, err := whole(in, "MaxDatapoints", mostGiven)
	if err != nil {
		return q, err
	}
	if most < 1 || most > mostGiven {
		return q, invalid("The value %d for parameter MaxDatapoints is invalid. It must be from 1 to %d.", most, mostGiven)
	}
	q.most = int(most)
	for _, one := range q.queries {
		if period := one.period; period > 0 && q.to.Sub(q.from)/time.Duration(period)/time.Second > mostGiven {
			return q, invalid("You have requested more than %s datapoints of '%s'. You may reduce the datapoints requested by increasing "+
				"Period, or decreasing the time range.", grouped(mostGiven), one.id)
		}
	}
	options, _ := in["LabelOptions"].(wire.Document)
	if q.zone, err = zoneOf(text(options, "Timezone")); err != nil {
		return q, err
	}
	q.token = fmt.Sprint("GetMetricData ", in["MetricDataQueries"], in["StartTime"], in["EndTime"], q.ascending)
	if token := text(in, "NextToken"); token != "" {
		last, ok := wire.AfterToken(q.token, token)
		if n, _ := fmt.Sscanf(last, "%d:%d", &q.skip[0], &q.skip[1]); !ok || n != 2 {
			return q, badToken()
		}
	}
	return q, nil
}

// zoneOf is the time zone of labels, such as +0130.
func zoneOf(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	at, err := time.Parse("-0700", name)
	if err != nil {
		return nil, invalid("The value %s for parameter LabelOptions.Timezone is invalid. It must be + or - and four digits.", wire.Clip(name))
	}
	_, seconds := at.Zone()
	return time.FixedZone(name, seconds), nil
}

// page is the part of the results that the question is about.
func (q dataQuestion) page(all []result) (wire.Document, error) {
	left, shown, next := q.most, []any{}, ""
	for i := q.skip[0]; i < len(all); i++ {
		one, first := all[i], 0
		if i == q.skip[0] {
			first = q.skip[1]
		}
		if left == 0 && len(one.series.Times) > 0 {
			next = fmt.Sprintf("%d:0", i)
			break
		}
		times, values := slices.Clone(one.series.Times), slices.Clone(one.series.Values)
		if !q.ascending {
			slices.Reverse(times)
			slices.Reverse(values)
		}
		first = min(first, len(times))
		end := min(first+left, len(times))
		status := "Complete"
		if end < len(times) {
			status, next = "PartialData", fmt.Sprintf("%d:%d", i, end)
		}
		stamps, numbers := []any{}, []any{}
		for j := first; j < end; j++ {
			stamps, numbers = append(stamps, time.Unix(times[j], 0).UTC()), append(numbers, values[j])
		}
		left -= end - first
		shown = append(shown, wire.Document{"Id": one.id, "Label": one.label, "Timestamps": stamps, "Values": numbers, "StatusCode": status})
		if next != "" {
			break
		}
	}
	out := wire.Document{"MetricDataResults": shown, "Messages": []any{}}
	if next != "" {
		out["NextToken"] = wire.Token(q.token, next)
	}
	return out, nil
}

// dynamic are the parts of a label that stand for something of the series: "Using dynamic labels" of the guide.
var dynamic = regexp.MustCompile(`\$\{([A-Z_]+|PROP\('([^']+)'\))\}`)

// labelled is the label of a query's series: its own, what the query says, or in a list both.
func labelled(q query, s metricmath.Series, list bool, zone *time.Location) string {
	label := q.label
	switch {
	case label == "" && q.expression != nil && !list:
		return q.id
	case label == "":
		return s.Label
	}
	if !strings.Contains(label, "${") {
		if list && s.Label != "" {
			return label + " " + s.Label
		}
		return label
	}
	done := 0
	return dynamic.ReplaceAllStringFunc(label, func(part string) string {
		if done++; done > mostDynamic {
			return part
		}
		groups := dynamic.FindStringSubmatch(part)
		if groups[2] != "" {
			return propertyOf(q, groups[2])
		}
		return numberOfLabel(groups[1], s, part, zone)
	})
}

// propertyOf is a property of the query's metric; -- where it has none.
func propertyOf(q query, name string) string {
	const none = "--"
	if q.expression != nil {
		return none
	}
	switch name {
	case "MetricName":
		return q.metric.Name
	case "Namespace":
		return q.metric.Namespace
	case "Period":
		return strconv.FormatInt(q.period, 10)
	case "Stat":
		return q.statistic.Name
	}
	if value, found := q.metric.Value(strings.TrimPrefix(name, "Dim.")); found {
		return value
	}
	return none
}

// numberOfLabel is a number or a time of the series; what is not known stays as it is.
func numberOfLabel(name string, s metricmath.Series, part string, zone *time.Location) string {
	if name == "LABEL" {
		return s.Label
	}
	if name == "DATAPOINT_COUNT" {
		return strconv.Itoa(len(s.Values))
	}
	if len(s.Values) == 0 {
		return "--"
	}
	sum, lowest, highest := 0.0, 0, 0
	for i, value := range s.Values {
		sum += value
		if value < s.Values[lowest] {
			lowest = i
		}
		if value > s.Values[highest] {
			highest = i
		}
	}
	last := len(s.Values) - 1
	at := map[string]int{"MIN": lowest, "MAX": highest, "FIRST": 0, "LAST": last}
	base, isTime := strings.CutSuffix(name, "_TIME")
	i, found := at[base]
	switch {
	case name == "AVG":
		return shortNumber(sum / float64(len(s.Values)))
	case name == "SUM":
		return shortNumber(sum)
	case found && isTime:
		return shownTime(s.Times[i], zone)
	case found:
		return shortNumber(s.Values[i])
	}
	return part
}

func shortNumber(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
