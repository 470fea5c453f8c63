package kwokusage

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

// What a Metric's answer may be: as much as fits where all nodes of a zone are asked at once.
const (
	mostLabels  = 64 // of a series
	mostBuckets = 64 // of a histogram
	mostSeries  = 100_000
	mostText    = 16 << 20 // bytes of their names and labels
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
	if len(c.Labels) > mostLabels || len(c.Buckets) > mostBuckets {
		return f, fmt.Errorf("it has %d labels and %d buckets, and %d labels and %d buckets may be",
			len(c.Labels), len(c.Buckets), mostLabels, mostBuckets)
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
