package kwokusage

import (
	"context"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
)

// metricOf has one family of pods, and its path found.
func metricOf(t *testing.T, s *Set, c v1alpha1.MetricConfig) *Metric {
	t.Helper()
	o := &v1alpha1.Metric{Spec: v1alpha1.MetricSpec{Path: "/metrics/own", Metrics: []v1alpha1.MetricConfig{c}}}
	o.Name = "own"
	s.setMetrics([]*v1alpha1.Metric{o})
	m, _ := s.Path("/metrics/own")
	if m == nil {
		t.Fatal("the path is not found")
	}
	return m
}

func gauge(value string, labels ...string) v1alpha1.MetricConfig {
	c := v1alpha1.MetricConfig{Name: "own", Kind: v1alpha1.KindGauge, Dimension: v1alpha1.DimensionPod, Value: value}
	for i := 0; i < len(labels); i += 2 {
		c.Labels = append(c.Labels, v1alpha1.MetricLabel{Name: labels[i], Value: labels[i+1]})
	}
	return c
}

// counting is a sink that counts, and has then done after each series.
type counting struct {
	series, text int
	then         func()
}

func (c *counting) Family(string, string, string) {}
func (c *counting) Series(name string, _ float64, labels ...string) {
	c.series++
	c.text += len(name) + len(strings.Join(labels, ""))
	if c.then != nil {
		c.then()
	}
}

func podsNamed(n int, annotations map[string]string) (pods []*corev1.Pod) {
	for i := range n {
		pods = append(pods, newPod(fmt.Sprint("web-", i), annotations))
	}
	return pods
}

func TestAMetricEndsWithWhoAsks(t *testing.T) {
	s, _ := newSet()
	m := metricOf(t, s, gauge("1", "pod", "pod.metadata.name"))
	ctx, cancel := context.WithCancel(t.Context())
	sink := &counting{then: cancel}
	s.Write(ctx, m, sink, subject(newPod("web", nil)), podsNamed(10, nil))
	if sink.series != 1 {
		t.Errorf("%d series are written", sink.series)
	}
}

// Whoever else asks what expressions say does not wait for a whole Metric.
func TestOthersAskWhileAMetricIsWritten(t *testing.T) {
	s, _ := newSet()
	m := metricOf(t, s, gauge("1", "pod", "pod.metadata.name"))
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", "1")})
	pod := newPod("web", nil)
	a, about := s.Find(pod, "c", "cpu"), subject(pod)
	asks, said := make(chan struct{}), make(chan bool)
	go func() {
		<-asks
		_, ok := s.At(a, about)
		said <- ok
	}()
	sink, ok, answered := &counting{}, false, false
	sink.then = func() {
		switch {
		case sink.series == 1:
			close(asks)
		case !answered:
			select {
			case ok = <-said:
				answered = true
			default:
			}
		}
	}
	s.Write(t.Context(), m, sink, about, podsNamed(50_000, nil))
	if !answered || !ok {
		t.Errorf("answered within %d series: %v, told: %v", sink.series, answered, ok)
	}
}

// A Metric's answer is bounded, and what it leaves out is told once.
func TestAMetricsAnswerIsBounded(t *testing.T) {
	many := v1alpha1.MetricConfig{Name: "own", Kind: v1alpha1.KindHistogram, Dimension: v1alpha1.DimensionPod,
		Labels: []v1alpha1.MetricLabel{{Name: "pod", Value: "pod.metadata.name"}}}
	for i := range mostBuckets {
		many.Buckets = append(many.Buckets, v1alpha1.MetricBucket{Le: float64(i), Value: "1"})
	}
	for name, test := range map[string]struct {
		family v1alpha1.MetricConfig
		pods   []*corev1.Pod
	}{
		"text": {gauge("1", "pod", "pod.metadata.name", "long", `pod.metadata.annotations["x"]`),
			podsNamed(300, map[string]string{"x": strings.Repeat("x", 100<<10)})},
		"series": {many, podsNamed(2000, nil)},
	} {
		s, told := newSet()
		sink := &counting{}
		s.Write(t.Context(), metricOf(t, s, test.family), sink, subject(newPod("web", nil)), test.pods)
		if sink.series == 0 || sink.series > mostSeries || sink.text > mostText {
			t.Errorf("%s: %d series with %d bytes", name, sink.series, sink.text)
		}
		if len(*told) != 1 || !strings.Contains((*told)[0], "more than 100000 series or 16 MiB of names and labels, and the rest is left out") {
			t.Errorf("%s: told %.300q", name, *told)
		}
	}
}

func TestLabelsAndBucketsAreBounded(t *testing.T) {
	for _, c := range []v1alpha1.MetricConfig{
		{Name: "own", Kind: v1alpha1.KindGauge, Value: "1", Labels: make([]v1alpha1.MetricLabel, mostLabels+1)},
		{Name: "own", Kind: v1alpha1.KindHistogram, Buckets: make([]v1alpha1.MetricBucket, mostBuckets+1)},
	} {
		s, told := newSet()
		m := metricOf(t, s, c)
		want := fmt.Sprintf("Metric own: own counts as not said: it has %d labels and %d buckets, and 64 labels and 64 buckets may be",
			len(c.Labels), len(c.Buckets))
		if len(m.families) != 0 || len(*told) != 1 || (*told)[0] != want {
			t.Errorf("told %q, want %s", *told, want)
		}
	}
}

// A Metric that takes too much is passed over as other expressions are.
func TestAMetricThatCostsTooMuchIsPassedOver(t *testing.T) {
	s, told := newSet()
	m := metricOf(t, s, gauge(asking("cpu"), "pod", "pod.metadata.name"))
	asked := 0
	about := subject(newPod("web", nil))
	about.Uses = func(Question) (float64, error) { asked++; return 1, nil }
	sink := &counting{}
	s.Write(t.Context(), m, sink, about, podsNamed(100, nil))
	const want = "Metric own: own counts as not said: its expressions"
	if sink.series > 0 || asked > mostCost/questionCost || len(*told) != 1 || !strings.Contains((*told)[0], want) {
		t.Errorf("%d series, %d questions, told %q", sink.series, asked, *told)
	}
}
