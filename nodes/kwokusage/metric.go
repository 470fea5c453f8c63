package kwokusage

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	kwokcel "sigs.k8s.io/kwok/pkg/utils/cel"
)

// Metric is a path of the kubelets' endpoints.
type Metric struct {
	version
	object   string
	path     []string // its parts
	families []*family
}

// family is the series of one name.
type family struct {
	name, help string
	kind       v1alpha1.Kind
	dimension  v1alpha1.Dimension
	labels     []label
	value      *Expression // of all kinds but histograms
	buckets    []bucket    // of histograms, by their bounds
	fuse       fuse
}

type label struct {
	name  string
	value *Expression
}

type bucket struct {
	bound  float64
	hidden bool
	count  *Expression
}

// ReadMetrics is ReadResourceUsages of Metrics.
func (s *Set) ReadMetrics(list []*v1alpha1.Metric) Change {
	known := map[string]*Metric{}
	s.mu.RLock()
	for _, m := range s.metrics {
		known[m.object] = m
	}
	s.mu.RUnlock()
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b *v1alpha1.Metric) int { return cmp.Compare(a.Name, b.Name) })
	var metrics []*Metric
	var tell []func()
	wrong := func(object string, err error) { tell = append(tell, func() { s.tell(nil, object, err) }) }
	for _, o := range list {
		object, v := "Metric "+o.Name, versionOf(o)
		if m := known[object]; m != nil && v.same(m.version) {
			metrics = append(metrics, m)
			continue
		}
		if !strings.HasPrefix(o.Spec.Path, "/metrics/") {
			wrong(object, fmt.Errorf("its path must begin with /metrics/, not be %q", o.Spec.Path))
			continue
		}
		m := &Metric{version: v, object: object, path: strings.Split(o.Spec.Path, "/")}
		for _, c := range o.Spec.Metrics {
			f, err := s.family(c)
			if err != nil {
				wrong(object+": "+c.Name, err)
				continue
			}
			m.families = append(m.families, f)
		}
		metrics = append(metrics, m)
	}
	change := s.change(func() { s.metrics = metrics })
	return func() {
		change()
		for _, each := range tell {
			each()
		}
	}
}

func (s *Set) family(c v1alpha1.MetricConfig) (f *family, err error) {
	f = &family{name: c.Name, help: strings.TrimSpace(c.Help), kind: c.Kind, dimension: cmp.Or(c.Dimension, v1alpha1.DimensionNode)}
	if !model.LegacyValidation.IsValidMetricName(c.Name) {
		return f, fmt.Errorf("it is no name of a metric")
	}
	switch f.dimension {
	case v1alpha1.DimensionNode, v1alpha1.DimensionPod, v1alpha1.DimensionContainer:
	default:
		return f, fmt.Errorf("its dimension must be node, pod or container, not %q", f.dimension)
	}
	for _, l := range c.Labels {
		if !model.LegacyValidation.IsValidLabelName(l.Name) {
			return f, fmt.Errorf("%q is no name of a label", l.Name)
		}
		value, err := s.read(l.Value)
		if err != nil {
			return f, fmt.Errorf("label %s: %w", l.Name, err)
		}
		f.labels = append(f.labels, label{l.Name, value})
	}
	switch f.kind {
	case v1alpha1.KindCounter, v1alpha1.KindGauge:
		f.value, err = s.read(c.Value)
	case v1alpha1.KindHistogram:
		for _, b := range c.Buckets {
			count, err := s.read(b.Value)
			if err != nil {
				return f, fmt.Errorf("bucket %v: %w", b.Le, err)
			}
			f.buckets = append(f.buckets, bucket{b.Le, b.Hidden, count})
		}
		slices.SortFunc(f.buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
	default:
		err = fmt.Errorf("its kind must be counter, gauge or histogram, not %q", f.kind)
	}
	return f, err
}

// Path is the first Metric by name whose path that is, and the node that the path names; "": none. nil: no Metric has it.
func (s *Set) Path(path string) (m *Metric, node string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	parts := strings.Split(path, "/")
	for _, m := range s.metrics {
		if node, ok := m.matches(parts); ok {
			return m, node
		}
	}
	return nil, ""
}

func (m *Metric) matches(parts []string) (node string, ok bool) {
	if len(parts) != len(m.path) {
		return "", false
	}
	for i, part := range m.path {
		switch {
		case part == "{nodeName}" && parts[i] != "":
			node = parts[i]
		case part != parts[i]:
			return "", false
		}
	}
	return node, true
}

// Sink takes the series of a Metric.
type Sink interface {
	// Family begins one of a kind: counter, gauge or histogram.
	Family(name, kind, help string)
	// Series is one of the family's, with names and values of labels in turn.
	Series(name string, value float64, labels ...string)
}

// mostSeries a Metric's answer has.
const mostSeries = 100_000

// Write gives the sink the series of a Metric: of a node, and of the pods on it. Series that cannot be told are left out.
func (s *Set) Write(m *Metric, sink Sink, node Subject, pods []*corev1.Pod) {
	if s.language == nil {
		return // it has no expression
	}
	s.language.mu.Lock()
	defer s.language.mu.Unlock()
	count := 0
	for _, f := range m.families {
		sink.Family(f.name, string(f.kind), f.help)
		seen := map[string]bool{}
		write := func(subject Subject) {
			if count >= mostSeries {
				return
			}
			count++
			if err := s.language.under(&f.fuse, func() error { return s.series(f, sink, subject, seen) }); err != nil {
				s.tell(subject.Pod, m.object+": "+f.name, err)
			}
		}
		if f.dimension == v1alpha1.DimensionNode {
			write(node)
			continue
		}
		for _, pod := range pods {
			subject := node
			subject.Pod = pod
			if f.dimension == v1alpha1.DimensionPod {
				write(subject)
				continue
			}
			for i := range pod.Spec.Containers {
				subject.Container = &pod.Spec.Containers[i]
				write(subject)
			}
		}
	}
}

// series writes one of a family, unless its labels have been seen.
func (s *Set) series(f *family, sink Sink, subject Subject, seen map[string]bool) error {
	var labels []string
	for _, l := range f.labels {
		value, err := s.language.evaluate(l.value, subject)
		if err != nil {
			return err
		}
		text, err := kwokcel.AsString(value)
		if err != nil {
			return fmt.Errorf("label %s is a %s, no text", l.name, value.Type().TypeName())
		}
		labels = append(labels, l.name, text)
	}
	key := strings.Join(labels, "\x00")
	if seen[key] {
		return fmt.Errorf("there are two series with the same labels %q", labels)
	}
	seen[key] = true
	if f.kind != v1alpha1.KindHistogram {
		value, err := s.language.number(f.value, subject)
		if err == nil {
			sink.Series(f.name, value, labels...)
		}
		return err
	}
	return s.histogram(f, sink, subject, labels)
}

// histogram writes the buckets of one, as KWOK's (pkg/kwok/metrics/histogram.go): each is told how many are in it alone.
func (s *Set) histogram(f *family, sink Sink, subject Subject, labels []string) error {
	count, sum := 0.0, 0.0
	var counts []float64
	for _, b := range f.buckets {
		n, err := s.language.number(b.count, subject)
		if err != nil {
			return err
		}
		n = math.Floor(max(0, n))
		count += n
		sum += n * b.bound
		counts = append(counts, count)
	}
	for i, b := range f.buckets {
		if !b.hidden {
			sink.Series(f.name+"_bucket", counts[i], append(slices.Clone(labels), "le", fmt.Sprint(b.bound))...)
		}
	}
	sink.Series(f.name+"_bucket", count, append(slices.Clone(labels), "le", "+Inf")...)
	sink.Series(f.name+"_sum", sum, labels...)
	sink.Series(f.name+"_count", count, labels...)
	return nil
}
