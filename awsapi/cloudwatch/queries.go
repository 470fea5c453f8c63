package cloudwatch

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/cloudwatch/metricmath"
	"tripod/awsapi/wire"
)

// query is one of GetMetricData's, or of a metric math alarm's: a statistic of a metric, or an expression.
type query struct {
	id, label string
	// metric, statistic and unit are set where expression is nil.
	metric     metricdata.Metric
	statistic  metricdata.Statistic
	unit       string
	expression *metricmath.Expression
	period     int64 // 0: an expression's, that is not given
	returned   bool
}

// mostQueries is how many a request may have, mostSearches how many searches are done for it, and mostFound how many metrics one finds.
const mostQueries, mostSearches, mostFound = 500, 20, 500

var idForm = regexp.MustCompile(`^[a-z][a-zA-Z0-9_]*$`)

// queriesIn reads a list of queries.
func queriesIn(in wire.Document, member string) (all []query, err error) {
	items := itemsOf(in, member)
	switch {
	case len(items) == 0:
		return nil, invalid("The parameter %s is required.", member)
	case len(items) > mostQueries:
		return nil, invalid("The collection %s must not have a size greater than %d.", member, mostQueries)
	}
	ids := map[string]bool{}
	for i, item := range items {
		q, err := queryOf(item, itemOf(member, i))
		if err != nil {
			return nil, err
		}
		if ids[q.id] {
			return nil, invalid("The values for parameter Id in %s must be unique: %s is there twice.", member, q.id)
		}
		ids[q.id] = true
		all = append(all, q)
	}
	for _, q := range all {
		if q.expression == nil {
			continue
		}
		for _, name := range q.expression.Names {
			if !ids[name] {
				return nil, invalid("Error in expression '%s': Variable '%s' is not defined", q.id, name)
			}
		}
	}
	return all, nil
}

func queryOf(in wire.Document, name string) (q query, err error) {
	q.id, q.label, q.returned = text(in, "Id"), text(in, "Label"), true
	stat, isStat := in["MetricStat"].(wire.Document)
	expression := text(in, "Expression")
	switch {
	case q.id == "":
		return q, invalid("The parameter %s.Id is required.", name)
	case !idForm.MatchString(q.id) || len(q.id) > 255:
		return q, invalid("The value '%s' for parameter %s.Id is not matching the expected pattern %s.", wire.Clip(q.id), name, idForm)
	case isStat && expression != "":
		return q, invalid("The parameters %s.Expression and %[1]s.MetricStat are mutually exclusive and you have specified both.", name)
	case !isStat && expression == "":
		return q, invalid("The parameter %s.MetricStat is required.", name)
	}
	if returned, is := in["ReturnData"].(bool); is {
		q.returned = returned
	}
	if !isStat {
		return q, q.readExpression(in, expression, name)
	}
	metric, is := stat["Metric"].(wire.Document)
	if !is {
		return q, invalid("The parameter %s.MetricStat.Metric is required.", name)
	}
	if q.metric, err = metricOf(metric, name+".MetricStat.Metric."); err != nil {
		return q, err
	}
	if q.unit, err = unitOf(stat, name+".MetricStat.Unit"); err != nil {
		return q, err
	}
	var known bool
	if q.statistic, known = metricdata.ParseStatistic(text(stat, "Stat")); !known {
		return q, invalid("The value %s for parameter %s.MetricStat.Stat is not supported.", wire.Clip(text(stat, "Stat")), name)
	}
	if q.period, err = whole(stat, "Period", 0); err != nil {
		return q, err
	}
	if !periodFits(q.period) {
		return q, invalid("The value %d for parameter %s.MetricStat.Period is invalid. It must be 1, 5, 10, 20, 30 or a multiple of 60.",
			q.period, name)
	}
	return q, nil
}

func (q *query) readExpression(in wire.Document, expression, name string) (err error) {
	if len(expression) > 2048 {
		return invalid("The parameter %s.Expression must be shorter than 2049 characters.", name)
	}
	if first, _, _ := strings.Cut(strings.TrimSpace(expression), " "); strings.EqualFold(first, "SELECT") {
		return invalid("Error in expression '%s': Tripod does not have Metrics Insights queries", q.id)
	}
	if q.expression, err = metricmath.Parse(expression); err != nil {
		return invalid("Error in expression '%s': %s", q.id, err)
	}
	if q.period, err = whole(in, "Period", 0); err != nil {
		return err
	}
	if q.period != 0 && !periodFits(q.period) {
		return invalid("The value %d for parameter %s.Period is invalid. It must be 1, 5, 10, 20, 30 or a multiple of 60.", q.period, name)
	}
	return nil
}

// answers computes the queries of one request.
type answers struct {
	service *Service
	queries []query
	// span are the periods of a question, for periods of that length.
	span  func(period int64) metricdata.Span
	known map[string]metricmath.Value
	asked map[string]bool // those that are being computed
	// budget is what all of them together may take, and searched how many searches they have done.
	budget   metricmath.Budget
	searched int
}

func (s *Service) answers(queries []query, span func(period int64) metricdata.Span) *answers {
	return &answers{service: s, queries: queries, span: span, known: map[string]metricmath.Value{}, asked: map[string]bool{}}
}

// Get implements metricmath.Host.
func (a *answers) Get(id string) (metricmath.Value, error) {
	if value, found := a.known[id]; found {
		return value, nil
	}
	i := slices.IndexFunc(a.queries, func(q query) bool { return q.id == id })
	switch {
	case i < 0:
		return metricmath.Value{}, fmt.Errorf("variable '%s' is not defined", id)
	case a.asked[id]:
		return metricmath.Value{}, fmt.Errorf("circular reference of '%s'", id)
	}
	a.asked[id] = true
	value, err := a.compute(a.queries[i])
	if err == nil {
		a.known[id] = value
	}
	return value, err
}

func (a *answers) compute(q query) (metricmath.Value, error) {
	if q.expression == nil {
		series, err := a.stat(q.metric, q.statistic, q.unit, q.period, q.metric.Name)
		return metricmath.One(series), err
	}
	span := a.span(periodAmong(a.queries, q))
	return q.expression.Compute(a, metricmath.Frame{From: span.From, To: span.To, Period: span.Period}, &a.budget)
}

// periodAmong is the period of a query; where an expression does not say it, the longest of all metrics.
func periodAmong(queries []query, q query) int64 {
	period := q.period
	if period == 0 {
		for _, other := range queries {
			period = max(period, other.period)
		}
	}
	if period == 0 {
		period = 60
	}
	return period
}

// stat is a metric's series.
func (a *answers) stat(m metricdata.Metric, st metricdata.Statistic, unit string, period int64, label string) (
	out metricmath.Series, err error) {
	a.service.want(m.Namespace)
	points, err := a.service.Metrics.Merged(m, unit, a.span(period))
	if err != nil {
		return out, err
	}
	out = metricmath.Series{Label: label, Period: period}
	for _, p := range points {
		if value, found := st.Of(p.Summary); found {
			out.Times, out.Values = append(out.Times, p.Time), append(out.Values, value)
		}
	}
	return out, a.budget.SpendOn(out)
}

// Metrics implements metricmath.Host.
func (a *answers) Metrics(within string) (all []metricmath.Series, err error) {
	for _, q := range a.queries {
		if q.expression != nil || !strings.Contains(q.id, within) {
			continue
		}
		value, err := a.Get(q.id)
		if err != nil {
			return nil, err
		}
		all = append(all, value.Series()...)
	}
	return all, nil
}

// Search implements metricmath.Host.
func (a *answers) Search(expression, statistic string, period int64) ([]metricmath.Series, error) {
	if a.searched++; a.searched > mostSearches {
		return nil, fmt.Errorf("the request has more than %d searches", mostSearches)
	}
	search, err := metricmath.ParseSearch(expression)
	if err != nil {
		return nil, err
	}
	st, known := metricdata.ParseStatistic(statistic)
	if !known {
		return nil, fmt.Errorf("the statistic %s is not known", wire.Clip(statistic))
	}
	if !periodFits(period) {
		return nil, fmt.Errorf("the period %d is invalid", period)
	}
	if strings.Contains(expression, metricdata.EKS) {
		a.service.want(metricdata.EKS)
	}
	found, err := a.service.Metrics.Metrics(a.service.now().Add(-listed), search.Matches)
	if err != nil {
		return nil, err
	}
	found = found[:min(len(found), mostFound)]
	oneName := !slices.ContainsFunc(found, func(m metricdata.Metric) bool { return m.Name != found[0].Name })
	all := make([]metricmath.Series, len(found))
	for i, m := range found {
		if all[i], err = a.stat(m, st, "", period, labelOf(m, oneName)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// labelOf is what a search calls a metric that it finds: the values of its dimensions, and its name where names differ.
func labelOf(m metricdata.Metric, oneName bool) string {
	var parts []string
	for _, d := range m.Dimensions {
		parts = append(parts, d.Value)
	}
	if !oneName || len(parts) == 0 {
		parts = append(parts, m.Name)
	}
	return strings.Join(parts, " ")
}

// shownTime is a time as labels have it.
func shownTime(at int64, zone *time.Location) string {
	return time.Unix(at, 0).In(zone).Format("2006-01-02 15:04:05")
}
