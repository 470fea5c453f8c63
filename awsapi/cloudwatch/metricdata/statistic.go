package metricdata

import (
	"math"
	"regexp"
	"strconv"
)

// Statistic is one number of a summary, by the name that CloudWatch has for it: "CloudWatch statistics definitions" of its
// guide.
type Statistic struct {
	Name string
	of   func(Summary) (float64, bool)
	// values says that it needs the values, and not only sums of them.
	values bool
	// low and high are the percentages of a percentile or of a range of percentages; else 0 and 0.
	low, high float64
}

const number = `\d+(?:\.\d{0,10})?(?:[Ee][+-]?\d+)?`

var (
	shortForm = regexp.MustCompile(`^(p|tm|tc|ts|wm)((?:\d{1,2}(?:\.\d{0,10})?)|100)$`)
	rangeForm = regexp.MustCompile(`^(TM|TC|TS|WM|PR)\((?:(` + number + `)(%?))?:(?:(` + number + `)(%?))?\)$`)
)

// basic are the statistics of sums.
var basic = map[string]func(Summary) float64{
	"SampleCount": func(s Summary) float64 { return s.Count },
	"Sum":         func(s Summary) float64 { return s.Sum },
	"Average":     func(s Summary) float64 { return s.Sum / s.Count },
	"Minimum":     func(s Summary) float64 { return s.Min },
	"Maximum":     func(s Summary) float64 { return s.Max },
}

// ParseStatistic reads a name such as Average, p99.9, tm90 or TM(10%:90%).
func ParseStatistic(name string) (Statistic, bool) {
	if of := basic[name]; of != nil {
		return Statistic{Name: name, of: func(s Summary) (float64, bool) { return of(s), s.Count > 0 }}, true
	}
	if name == "IQM" {
		return shareOf(name, "TM", 25, 75), true
	}
	if m := shortForm.FindStringSubmatch(name); m != nil {
		high, _ := strconv.ParseFloat(m[2], 64)
		if m[1] == "p" {
			return Statistic{Name: name, values: true, high: high,
				of: func(s Summary) (float64, bool) { return s.percentile(high), true }}, true
		}
		kinds := map[string]string{"tm": "TM", "tc": "TC", "ts": "TS", "wm": "WM"}
		return shareOf(name, kinds[m[1]], 0, high), true
	}
	m := rangeForm.FindStringSubmatch(name)
	if m == nil || m[2] == "" && m[4] == "" {
		return Statistic{}, false
	}
	percent := m[3] == "%" || m[5] == "%"
	if percent && (m[2] != "" && m[3] == "" || m[4] != "" && m[5] == "") || percent && m[1] == "PR" {
		return Statistic{}, false
	}
	low, high := math.Inf(-1), math.Inf(1)
	if percent {
		low, high = 0, 100
	}
	if m[2] != "" {
		low, _ = strconv.ParseFloat(m[2], 64)
	}
	if m[4] != "" {
		high, _ = strconv.ParseFloat(m[4], 64)
	}
	if low >= high || percent && high > 100 {
		return Statistic{}, false
	}
	if percent {
		return shareOf(name, m[1], low, high), true
	}
	return boundedBy(name, m[1], low, high), true
}

// Basic says whether the statistic is one of the five that every datum has.
func (st Statistic) Basic() bool { return !st.values }

// Of is the statistic of a summary; false: there is none, as the summary is empty or does not have the values.
func (st Statistic) Of(s Summary) (float64, bool) {
	if s.Count == 0 || st.values && s.Opaque {
		return 0, false
	}
	return st.of(s)
}

// LowSamples says whether a percentile of so many samples may say little: fewer than 10/(1-p) above the median, and than 10/p
// below it ("Percentile-based CloudWatch alarms and low data samples").
func (st Statistic) LowSamples(count float64) bool {
	p := st.high / 100
	switch {
	case !st.values || st.low != 0 || p <= 0 || p >= 1:
		return false
	case p >= 0.5:
		return count < 10/(1-p)
	}
	return count < 10/p
}

// percentile is the value below which that part of the values are, between two values in proportion.
func (s Summary) percentile(p float64) float64 {
	values := s.distribution()
	place, before := p/100*(s.Count-1), 0.0
	for i, v := range values {
		last := before + v.Count - 1 // the place of the last of these values
		if place <= last || i == len(values)-1 {
			return min(max(v.Value, s.Min), s.Max)
		}
		if next := last + 1; place < next {
			return min(max(v.Value+(values[i+1].Value-v.Value)*(place-last), s.Min), s.Max)
		}
		before += v.Count
	}
	return s.Max
}

// shareOf is a statistic of the values between two percentages of all, in their order.
func shareOf(name, kind string, low, high float64) Statistic {
	return Statistic{Name: name, values: true, low: low, high: high, of: func(s Summary) (float64, bool) {
		var inside []Weighted
		from, to, before := s.Count*low/100, s.Count*high/100, 0.0
		for _, v := range s.distribution() {
			if count := min(before+v.Count, to) - max(before, from); count > 0 {
				inside = append(inside, Weighted{v.Value, count})
			}
			before += v.Count
		}
		return kindOf(kind, inside, from, s.Count-to, s.Count)
	}}
}

// boundedBy is a statistic of the values above low and up to high.
func boundedBy(name, kind string, low, high float64) Statistic {
	return Statistic{Name: name, values: true, of: func(s Summary) (float64, bool) {
		var inside []Weighted
		below, above := 0.0, 0.0
		for _, v := range s.distribution() {
			switch {
			case v.Value <= low:
				below += v.Count
			case v.Value > high:
				above += v.Count
			default:
				inside = append(inside, v)
			}
		}
		if kind == "WM" {
			if below > 0 {
				inside, below = append([]Weighted{{low, below}}, inside...), 0
			}
			if above > 0 {
				inside, above = append(inside, Weighted{high, above}), 0
			}
		}
		return kindOf(kind, inside, below, above, s.Count)
	}}
}

// kindOf is a trimmed mean, count or sum, a winsorized mean or a percentile rank of the values inside of bounds; below and above
// are how many are outside.
func kindOf(kind string, inside []Weighted, below, above, all float64) (float64, bool) {
	count, sum := 0.0, 0.0
	for _, v := range inside {
		count += v.Count
		sum += v.Value * v.Count
	}
	switch kind {
	case "TC":
		return count, true
	case "TS":
		return sum, true
	case "PR":
		return count / all * 100, true
	}
	if count == 0 {
		return 0, false
	}
	if kind == "WM" { // what is outside counts as the nearest that is inside
		sum += inside[0].Value*below + inside[len(inside)-1].Value*above
		count += below + above
	}
	return sum / count, true
}
