package metricdata

import (
	"cmp"
	"math"
	"slices"
)

// mostValues is how many different values a summary tells apart. Beyond that values that are close to each other become one.
const mostValues = 128

// Weighted is a value that was measured so many times.
type Weighted struct{ Value, Count float64 }

// Summary is what is known of the values of some time. Summaries can be merged, in any order.
type Summary struct {
	Count, Sum, Min, Max float64
	// Values are the different ones in their order; nil where all are Min.
	Values []Weighted
	// Opaque says that only sums of some values are known (a statistic set), so that there are no percentiles.
	Opaque bool
}

// Single is the summary of one value.
func Single(value float64) Summary { return Summary{Count: 1, Sum: value, Min: value, Max: value} }

// Several is the summary of values and how often each was there.
func Several(values []Weighted) (s Summary) {
	for i, v := range values {
		if i == 0 {
			s.Min, s.Max = v.Value, v.Value
		}
		s.Count, s.Sum = s.Count+v.Count, s.Sum+v.Value*v.Count
		s.Min, s.Max = min(s.Min, v.Value), max(s.Max, v.Value)
	}
	if s.Min != s.Max {
		s.Values = merged(values, nil)
	}
	return s
}

// distribution are the values in their order.
func (s Summary) distribution() []Weighted {
	if s.Values == nil && s.Count > 0 {
		return []Weighted{{s.Min, s.Count}}
	}
	return s.Values
}

// Merge takes the other summary's values in.
func (s *Summary) Merge(other Summary) {
	if other.Count == 0 {
		return
	}
	if s.Count == 0 {
		*s = other
		return
	}
	opaque := s.Opaque || other.Opaque
	var values []Weighted
	if !opaque && (s.Min != s.Max || other.Min != other.Max || s.Min != other.Min) {
		values = merged(s.distribution(), other.distribution())
	}
	*s = Summary{Count: s.Count + other.Count, Sum: s.Sum + other.Sum, Min: min(s.Min, other.Min), Max: max(s.Max, other.Max),
		Values: values, Opaque: opaque}
}

// merged are the values of two lists in their order, at most mostValues of them. Neither list is changed.
func merged(a, b []Weighted) []Weighted {
	all := append(slices.Clone(a), b...)
	slices.SortStableFunc(all, func(x, y Weighted) int { return cmp.Compare(x.Value, y.Value) })
	all = joined(all)
	for bits := 8; len(all) > mostValues && bits > 0; bits-- {
		for i := range all {
			all[i].Value = rounded(all[i].Value, bits)
		}
		all = joined(all)
	}
	return slices.Clip(all)
}

// joined makes one of values that are the same and stand beside each other.
func joined(all []Weighted) []Weighted {
	n := 0
	for _, v := range all {
		if n > 0 && all[n-1].Value == v.Value {
			all[n-1].Count += v.Count
			continue
		}
		all[n] = v
		n++
	}
	return all[:n]
}

// rounded is a value with so many bits of its fraction.
func rounded(value float64, bits int) float64 {
	fraction, exponent := math.Frexp(value)
	scale := float64(int(1) << bits)
	return math.Ldexp(math.Round(fraction*scale)/scale, exponent)
}
