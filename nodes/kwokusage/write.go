package kwokusage

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	kwokcel "sigs.k8s.io/kwok/pkg/utils/cel"
)

// Sink takes the series of a Metric.
type Sink interface {
	// Family begins one of a kind: counter, gauge or histogram.
	Family(name, kind, help string)
	// Series is one of the family's, with names and values of labels in turn.
	Series(name string, value float64, labels ...string)
}

// answer is a Metric's, while it is written.
type answer struct {
	language *language
	sink     Sink
	series   int             // so far
	text     int             // bytes of names and labels so far
	full     bool            // nothing more fits
	seen     map[string]bool // labels in the family
}

var errFull = fmt.Errorf("the Metric's answer would have more than %d series or %d MiB of names and labels, and the rest is left out; "+
	"give it fewer series or shorter labels", mostSeries, mostText>>20)

// Write gives the sink the series of a Metric: of a node, and of the pods on it. Series that cannot be told are left out. It
// ends with ctx, and others may ask between any two series.
func (s *Set) Write(ctx context.Context, m *Metric, sink Sink, node Subject, pods []*corev1.Pod) {
	l, err := s.speak()
	if err != nil {
		return // and no family could be read
	}
	a := &answer{language: l, sink: sink}
	for _, f := range m.families {
		sink.Family(f.name, string(f.kind), f.help)
		a.seen = map[string]bool{}
		for subject := range f.subjects(node, pods) {
			if a.full || ctx.Err() != nil {
				return
			}
			if err := a.tell(f, subject); err != nil {
				s.tell(subject.Pod, m.object+": "+f.name, err)
			}
		}
	}
}

// subjects are those of a family, by its dimension.
func (f *family) subjects(node Subject, pods []*corev1.Pod) func(yield func(Subject) bool) {
	return func(yield func(Subject) bool) {
		if f.dimension == v1alpha1.DimensionNode {
			yield(node)
			return
		}
		for _, pod := range pods {
			subject := node
			subject.Pod = pod
			if f.dimension == v1alpha1.DimensionPod {
				if !yield(subject) {
					return
				}
				continue
			}
			for i := range pod.Spec.Containers {
				subject.Container = &pod.Spec.Containers[i]
				if !yield(subject) {
					return
				}
			}
		}
	}
}

// tell writes the series of a family about a subject. All of its expressions share one allowance.
func (a *answer) tell(f *family, subject Subject) error {
	a.language.mu.Lock()
	defer a.language.mu.Unlock()
	var labels []string
	var values []float64
	err := a.language.under(&f.fuse, func() (err error) {
		if labels, err = a.labels(f, subject); err == nil {
			values, err = a.values(f, subject)
		}
		return err
	})
	if err != nil {
		return err
	}
	key := strings.Join(labels, "\x00")
	if a.seen[key] {
		return fmt.Errorf("there are two series with the same labels %.200q", strings.Join(labels, " "))
	}
	lines := 1
	if f.kind == v1alpha1.KindHistogram {
		lines = len(f.buckets) + 3
	}
	if !a.fits(lines, len(f.name)+len(key)) {
		return errFull
	}
	a.seen[key] = true
	if f.kind == v1alpha1.KindHistogram {
		a.histogram(f, labels, values)
	} else {
		a.sink.Series(f.name, values[0], labels...)
	}
	return nil
}

// labels are those of a series, names and values in turn.
func (a *answer) labels(f *family, subject Subject) (labels []string, err error) {
	for _, l := range f.labels {
		value, err := a.language.evaluate(l.value, subject)
		if err != nil {
			return nil, err
		}
		text, err := kwokcel.AsString(value)
		if err != nil {
			return nil, fmt.Errorf("label %s is a %s, no text", l.name, value.Type().TypeName())
		}
		labels = append(labels, l.name, text)
	}
	return labels, nil
}

// values are the one of a series, or those of a histogram's buckets.
func (a *answer) values(f *family, subject Subject) (values []float64, err error) {
	expressions := []*Expression{f.value}
	if f.kind == v1alpha1.KindHistogram {
		expressions = nil
		for _, b := range f.buckets {
			expressions = append(expressions, b.count)
		}
	}
	for _, x := range expressions {
		n, err := a.language.number(x, subject)
		if err != nil {
			return nil, err
		}
		values = append(values, n)
	}
	return values, nil
}

// fits says whether so many more series do, each with so many bytes of text.
func (a *answer) fits(series, text int) bool {
	a.series += series
	a.text += series * text
	a.full = a.series > mostSeries || a.text > mostText
	return !a.full
}

// histogram writes the buckets of one, as KWOK's (pkg/kwok/metrics/histogram.go): each is told how many are in it alone.
func (a *answer) histogram(f *family, labels []string, values []float64) {
	count, sum := 0.0, 0.0
	for i, b := range f.buckets {
		n := math.Floor(max(0, values[i]))
		count += n
		sum += n * b.bound
		if !b.hidden {
			a.sink.Series(f.name+"_bucket", count, append(slices.Clone(labels), "le", fmt.Sprint(b.bound))...)
		}
	}
	a.sink.Series(f.name+"_bucket", count, append(slices.Clone(labels), "le", "+Inf")...)
	a.sink.Series(f.name+"_sum", sum, labels...)
	a.sink.Series(f.name+"_count", count, labels...)
}
