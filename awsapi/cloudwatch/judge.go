package cloudwatch

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/wire"
)

// criterion is what a metric alarm is judged by.
type criterion struct {
	// periods is how many datapoints are looked at, and breaching how many of them must be beyond the threshold.
	periods, breaching int
	period             int64
	threshold          float64
	comparison         string
	treatMissing       string // empty means missing
	statistic, unit    string // of an alarm on one metric
	// keepLow says that a percentile of few samples keeps the state.
	keepLow bool
}

// extra is how many periods before the ones that count are asked for too, so that a late datapoint makes no gap: "Configuring how
// CloudWatch alarms treat missing data" of the guide.
const extra = 2

// criterionOf is that of an alarm's members; queries are those of a metric math alarm.
func criterionOf(in wire.Document) criterion {
	number := func(name string, absent float64) float64 {
		if n, is := numberOf(in[name]); is {
			return n
		}
		return absent
	}
	c := criterion{periods: int(number("EvaluationPeriods", 1)), period: int64(number("Period", 60)), threshold: number("Threshold", 0),
		comparison: text(in, "ComparisonOperator"), treatMissing: text(in, "TreatMissingData"), unit: text(in, "Unit"),
		keepLow: text(in, "EvaluateLowSampleCountPercentile") == "ignore"}
	c.breaching = int(number("DatapointsToAlarm", float64(c.periods)))
	if c.statistic = text(in, "Statistic"); c.statistic == "" {
		c.statistic = text(in, "ExtendedStatistic")
	}
	return c
}

// datapoint is one of those that an alarm looks at.
type datapoint struct {
	at      int64
	value   float64
	samples float64 // 0 where it is not known
	// back is how many periods before the last one it is; the last one's is 0.
	back int
}

// verdict is what the datapoints make of an alarm. Without a state it stays as it is.
type verdict struct {
	state, reason, data string
	// value is the latest datapoint's, if there is one.
	value float64
}

// comparisons are by their names: how each is spoken of, and how it is done.
var comparisons = map[string]struct {
	words string
	holds func(value, threshold float64) bool
}{
	"GreaterThanThreshold":          {"greater than", func(v, t float64) bool { return v > t }},
	"GreaterThanOrEqualToThreshold": {"greater than or equal to", func(v, t float64) bool { return v >= t }},
	"LessThanThreshold":             {"less than", func(v, t float64) bool { return v < t }},
	"LessThanOrEqualToThreshold":    {"less than or equal to", func(v, t float64) bool { return v <= t }},
}

// judge decides by the datapoints that there are, the newest first, out of the periods and the extra ones. Missing ones count as
// the alarm says only where there are fewer than it looks at.
func (c criterion) judge(found []datapoint, now time.Time) verdict {
	judged := found[:min(len(found), c.periods)]
	gaps := c.periods - len(judged)
	var beyond, within []datapoint
	for _, p := range judged {
		if comparisons[c.comparison].holds(p.value, c.threshold) {
			beyond = append(beyond, p)
		} else {
			within = append(within, p)
		}
	}
	state := c.stateOf(len(beyond), judged, gaps)
	if state == "" {
		return verdict{}
	}
	v := verdict{state: state, data: c.data(judged, now)}
	if len(judged) > 0 {
		v.value = judged[0].value
	}
	switch {
	case state == InsufficientData:
		v.reason = fmt.Sprintf("Insufficient Data: %d %s unknown.", gaps, counted(gaps, "datapoint was", "datapoints were"))
	case len(judged) == 0:
		v.reason = fmt.Sprintf("Threshold Crossed: no datapoints were received for %d %s and %s.", gaps, counted(gaps, "period", "periods"),
			c.treated(gaps))
	case state == Alarming:
		v.reason = c.reason(beyond, "", c.breaching, "OK -> ALARM", gaps)
	default:
		v.reason = c.reason(within, "not ", c.periods-c.breaching+1, "ALARM -> OK", gaps)
	}
	return v
}

// stateOf is the state that so many datapoints beyond the threshold make; empty: it stays as it is. It is the guide's table.
func (c criterion) stateOf(beyond int, judged []datapoint, gaps int) string {
	decide := func(n int) string {
		if n >= c.breaching {
			return Alarming
		}
		return OK
	}
	all := beyond == len(judged)
	switch {
	case gaps == 0 || beyond >= c.breaching:
		return decide(beyond)
	case c.treatMissing == "breaching":
		return decide(beyond + gaps)
	case c.treatMissing == "notBreaching":
		return OK
	case !all:
		return OK
	case c.treatMissing == "ignore":
		return ""
	case len(judged) == 0:
		return InsufficientData
	case judged[len(judged)-1].back+1 >= c.breaching: // nothing since then speaks against it
		return Alarming
	}
	return ""
}

func (c criterion) reason(of []datapoint, not string, least int, change string, gaps int) string {
	var shown []string
	for _, p := range of {
		shown = append(shown, javaNumber(p.value)+" ("+time.Unix(p.at, 0).UTC().Format("02/01/06 15:04:05")+")")
	}
	missing := ""
	if gaps > 0 && (c.treatMissing == "breaching" || c.treatMissing == "notBreaching") {
		missing = " and " + c.treated(gaps)
	}
	text := fmt.Sprintf("Threshold Crossed: %d out of the last %d datapoints [%s] %s %s%s the threshold (%s)%s "+
		"(minimum %d %s for %s transition).", len(of), c.periods, strings.Join(shown, ", "), counted(len(of), "was", "were"),
		not, comparisons[c.comparison].words,
		javaNumber(c.threshold), missing, least, counted(least, "datapoint", "datapoints"), change)
	return clipped(text, 1023)
}

func (c criterion) treated(gaps int) string {
	as := "NonBreaching"
	if c.treatMissing == "breaching" {
		as = "Breaching"
	}
	return fmt.Sprintf("%d missing %s treated as [%s]", gaps, counted(gaps, "datapoint was", "datapoints were"), as)
}

func counted(n int, one, several string) string {
	if n == 1 {
		return one
	}
	return several
}

func clipped(text string, most int) string { return text[:min(len(text), most)] }

// javaTime is a time as CloudWatch writes it in a reason's data.
func javaTime(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.000-0700") }

// javaNumber is a number as CloudWatch writes it, which has always a point: 80.0, 1.0E7.
func javaNumber(x float64) string {
	if size := math.Abs(x); x != 0 && (size >= 1e7 || size < 1e-3) {
		mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(x, 'E', -1, 64), "E")
		if !strings.Contains(mantissa, ".") {
			mantissa += ".0"
		}
		n, _ := strconv.Atoi(exponent)
		return mantissa + "E" + strconv.Itoa(n)
	}
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return text
}

// data is StateReasonData: the same for programs.
func (c criterion) data(judged []datapoint, now time.Time) string {
	type evaluated struct {
		Timestamp   string   `json:"timestamp"`
		SampleCount *float64 `json:"sampleCount,omitempty"`
		Value       float64  `json:"value"`
	}
	out := struct {
		Version    string      `json:"version"`
		QueryDate  string      `json:"queryDate"`
		StartDate  string      `json:"startDate,omitempty"`
		Statistic  string      `json:"statistic,omitempty"`
		Unit       string      `json:"unit,omitempty"`
		Period     int64       `json:"period"`
		Recent     []float64   `json:"recentDatapoints"`
		Threshold  float64     `json:"threshold"`
		Datapoints []evaluated `json:"evaluatedDatapoints,omitempty"`
	}{Version: "1.0", QueryDate: javaTime(now), Statistic: c.statistic, Unit: c.unit, Period: c.period, Threshold: c.threshold,
		Recent: []float64{}}
	for _, p := range judged[:min(len(judged), 40)] { // 4,000 characters is what the member may have
		one := evaluated{Timestamp: javaTime(time.Unix(p.at, 0)), Value: p.value}
		if p.samples > 0 {
			one.SampleCount = &p.samples
		}
		out.Datapoints = append(out.Datapoints, one)
		out.Recent = append(out.Recent, p.value)
		out.StartDate = one.Timestamp
	}
	slices.Reverse(out.Recent)
	text, _ := json.Marshal(out)
	if len(text) > 4000 {
		out.Datapoints = nil
		text, _ = json.Marshal(out)
	}
	return string(text)
}

// datapoints are those of an alarm's periods up to a time, the newest first. low says that the alarm is of a percentile of which
// some have few samples.
func (s *Service) datapoints(in wire.Document, c criterion, end int64) (found []datapoint, low bool, err error) {
	span := func(period int64) metricdata.Span {
		n := (int64(c.periods+extra)*c.period + period - 1) / period
		return metricdata.Span{From: end - n*period, To: end, Period: period}
	}
	back := func(at int64) int { return int((end - at - 1) / c.period) }
	if in["Metrics"] == nil {
		metric, err := metricOf(in, "")
		if err != nil {
			return nil, false, err
		}
		st, _ := metricdata.ParseStatistic(c.statistic)
		s.want(metric.Namespace)
		points, err := s.Metrics.Merged(metric, c.unit, span(c.period))
		for _, p := range points {
			if value, known := st.Of(p.Summary); known {
				found = append(found, datapoint{p.Time, value, p.Count, back(p.Time)})
				low = low || st.LowSamples(p.Count)
			}
		}
		slices.Reverse(found)
		return found, low, err
	}
	queries, err := queriesIn(in, "Metrics")
	if err != nil {
		return nil, false, err
	}
	answers := s.answers(queries, span)
	for _, q := range queries {
		if !q.returned {
			continue
		}
		value, err := answers.Get(q.id)
		if err != nil {
			return nil, false, expressionError(q.id, err)
		}
		if len(value.Series()) != 1 {
			return nil, false, invalid("Error in expression '%s': The result must be one time series.", q.id)
		}
		series := value.Series()[0]
		for i, at := range series.Times {
			found = append(found, datapoint{at: at, value: series.Values[i], back: back(at)})
		}
	}
	slices.Reverse(found)
	return found, false, nil
}
