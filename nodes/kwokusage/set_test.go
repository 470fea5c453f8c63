package kwokusage

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kwok/pkg/apis/v1alpha1"
	"sigs.k8s.io/yaml"
)

var now = time.Date(2026, 11, 30, 8, 0, 0, 0, time.UTC)

func newPod(name string, annotations map[string]string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, Annotations: annotations, Labels: map[string]string{"team": "blue"},
			CreationTimestamp: metav1.NewTime(now.Add(-time.Minute))},
		Spec: corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{
			{Name: "c", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{"cpu": resource.MustParse("500m")}}}, {Name: "side"}}},
	}
}

// newSet returns a Set and what it has told.
func newSet() (*Set, *[]string) {
	told := &[]string{}
	return &Set{Tell: func(_ *corev1.Pod, wrong string) { *told = append(*told, wrong) }}, told
}

func (s *Set) setResourceUsages(list []*v1alpha1.ResourceUsage) { s.ReadResourceUsages(list)() }

func (s *Set) setClusterResourceUsages(list []*v1alpha1.ClusterResourceUsage) {
	s.ReadClusterResourceUsages(list)()
}

func (s *Set) setMetrics(list []*v1alpha1.Metric) { s.ReadMetrics(list)() }

func read[T any](t testing.TB, text string) *T {
	t.Helper()
	o := new(T)
	if err := yaml.UnmarshalStrict([]byte(text), o); err != nil {
		t.Fatal(err)
	}
	return o
}

func subject(pod *corev1.Pod) Subject {
	return Subject{Node: &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1", CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))}},
		Pod: pod, Container: &pod.Spec.Containers[0], At: now,
		Uses: func(q Question) (float64, error) {
			if q.Pod != nil {
				return 7, nil
			}
			return 0, fmt.Errorf("%s is not known", q.Node)
		}}
}

func TestExpressionsAreKWOKs(t *testing.T) {
	pod := newPod("web", map[string]string{"kwok.x-k8s.io/usage-cpu": "10m"})
	for text, want := range map[string]float64{
		`1`: 1, `1.5`: 1.5, `Quantity("100m")`: 0.1, `Quantity("1Mi")`: 1 << 20, `Quantity("100m") * 3`: 0.3,
		`SinceSecond(pod)`: 60, `pod.SinceSecond()`: 60, `SinceSecond(node)`: 3600, `node.SinceSecond()`: 3600,
		`UnixSecond(Now())`: float64(now.Unix()), `now().UnixSecond()`: float64(now.Unix()),
		`Usage(pod, "cpu")`: 7, `pod.Usage("cpu", "c")`: 7, `pod.CumulativeUsage("cpu")`: 7,
		`math.abs(1)`:                       -1, // not KWOK's
		`double(size(pod.spec.containers))`: 2, `container.name == "c" ? 3 : 4`: 3, `pod.metadata.labels["team"] == "blue"`: 1,
		`container.resources.requests["cpu"]`: 0.5, `pod.spec.nodeName == node.metadata.name`: 1,
		`"kwok.x-k8s.io/usage-cpu" in pod.metadata.annotations ? Quantity(pod.metadata.annotations["kwok.x-k8s.io/usage-cpu"]) : Quantity("1m")`: 0.01,
	} {
		s, told := newSet()
		s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", text)})
		a := s.Find(pod, "c", "cpu")
		if want < 0 {
			const says = "ResourceUsage default/web: cpu counts as not said: the expression is wrong"
			if a != nil || len(*told) != 1 || !strings.Contains((*told)[0], says) {
				t.Errorf("%s: got %v, told %q", text, a, *told)
			}
			continue
		}
		if a == nil {
			t.Errorf("%s: not found; told %q", text, *told)
			continue
		}
		if got, ok := s.At(a, subject(pod)); !ok || math.Abs(got-want) > 1e-9 {
			t.Errorf("%s: got %v, want %v; told %q", text, got, want, *told)
		}
	}
}

func usageOf(name, resource, expression string) *v1alpha1.ResourceUsage {
	return &v1alpha1.ResourceUsage{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: v1alpha1.ResourceUsageSpec{Usages: []v1alpha1.ResourceUsageContainer{{
			Usage: map[string]v1alpha1.ResourceUsageValue{resource: {Expression: &expression}}}}}}
}

func TestRandIsOfThePodAndTheTime(t *testing.T) {
	s, _ := newSet()
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", "Rand()"), usageOf("db", "cpu", "Rand()")})
	at := func(pod *corev1.Pod, t time.Time) float64 {
		about := subject(pod)
		about.At = t
		got, _ := s.At(s.Find(pod, "c", "cpu"), about)
		return got
	}
	web, db := newPod("web", nil), newPod("db", nil)
	first := at(web, now)
	if first != at(web, now) || first == at(db, now) || first == at(web, now.Add(time.Second)) || first < 0 || first > 1 {
		t.Errorf("got %v", first)
	}
	if a := s.Find(web, "c", "cpu"); !a.Moves() {
		t.Error("it does not move")
	}
}

// Whatever an expression says, it ends soon, and is told once in one sentence.
func TestExpressionsCannotDoHarm(t *testing.T) {
	pod := newPod("web", nil)
	list := "[" + strings.TrimSuffix(strings.Repeat("1,", 40), ",") + "]"
	for text, want := range map[string]string{
		`-1`:                            "the expression's value is -1, less than nothing",
		`"much"`:                        "the expression's value is a string, no number",
		`1.0 / 0.0`:                     "the expression's value is +Inf",
		`Quantity("1") / 0`:             "divide by zero",
		`Quantity("much")`:              "quantities must match",
		`pod.metadata.annotations["x"]`: "no such key",
		`node.Usage("cpu")`:             "n1 is not known",
		fmt.Sprintf(`size(%s.filter(a, %s.exists(b, %s.all(c, %s.all(d, a + b + c + d > 0)))))`, list, list, list, list): "it is passed over until the object changes", // by its cost or, on a machine that is busy, its time
	} {
		s, told := newSet()
		s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", text)})
		a := s.Find(pod, "c", "cpu")
		if a == nil {
			t.Errorf("%s: not found; told %q", text, *told)
			continue
		}
		began := time.Now()
		for range 3 {
			if got, ok := s.At(a, subject(pod)); ok {
				t.Errorf("%.60s: got %v", text, got)
			}
		}
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("%.60s took %v", text, took)
		}
		if len(*told) != 1 || !strings.Contains((*told)[0], want) {
			t.Errorf("%.60s: told %q, want %s", text, *told, want)
		}
	}
	s, told := newSet()
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", strings.Repeat("1+", 4000)+"1"), usageOf("db", "cpu", "pod.nothing")})
	if s.Find(pod, "c", "cpu") != nil || s.Find(newPod("db", nil), "c", "cpu") != nil || len(*told) != 2 {
		t.Errorf("told %q", *told)
	}
}

func TestAnExpressionThatAsksForItselfEnds(t *testing.T) {
	pod := newPod("web", nil)
	s, told := newSet()
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", `pod.Usage("cpu")`)})
	a := s.Find(pod, "c", "cpu")
	about := subject(pod)
	about.Uses = func(Question) (float64, error) {
		if n, ok := s.Within(a, about); ok {
			return n, nil
		}
		return 0, fmt.Errorf("it is not known")
	}
	if got, ok := s.At(a, about); ok || len(*told) != 1 || !strings.Contains((*told)[0], "asks for what it says itself") {
		t.Errorf("got %v; told %q", got, *told)
	}
}

func TestTheMoreSpecialObjectIsFound(t *testing.T) {
	s, told := newSet()
	s.setResourceUsages([]*v1alpha1.ResourceUsage{read[v1alpha1.ResourceUsage](t, `
metadata: {name: web, namespace: default}
spec:
  usages:
  - usage: {cpu: {value: 100m}}
  - containers: [side]
    usage: {cpu: {value: 200m}, memory: {value: 64Mi}}
`)})
	s.setClusterResourceUsages([]*v1alpha1.ClusterResourceUsage{
		read[v1alpha1.ClusterResourceUsage](t, `
metadata: {name: b}
spec: {usages: [{usage: {cpu: {value: 1}, memory: {value: 1Mi}}}]}`),
		read[v1alpha1.ClusterResourceUsage](t, `
metadata: {name: a}
spec:
  selector: {matchNamespaces: [default], matchNames: [db]}
  usages: [{usage: {cpu: {value: 2}, memory: {expression: "what"}}}]`),
	})
	for _, test := range []struct {
		pod, container, resource string
		want                     float64
	}{
		{"web", "c", "cpu", 0.1}, {"web", "side", "cpu", 0.2}, {"web", "side", "memory", 64 << 20},
		{"web", "c", "memory", 1 << 20},                       // of which its own object says nothing
		{"db", "c", "cpu", 2}, {"db", "c", "memory", 1 << 20}, // as a's is wrong
		{"other", "c", "cpu", 1}, {"other", "c", "gpu", -1},
	} {
		pod := newPod(test.pod, nil)
		a, got := s.Find(pod, test.container, test.resource), -1.0
		if a != nil {
			got, _ = s.At(a, subject(pod))
		}
		if got != test.want {
			t.Errorf("%+v: got %v", test, got)
		}
	}
	if len(*told) != 1 || !strings.Contains((*told)[0], "ClusterResourceUsage a: memory counts as not said: the expression is wrong") {
		t.Errorf("told %q", *told)
	}
}

// lines are a sink of text.
type lines struct{ strings.Builder }

func (l *lines) Family(name, kind, _ string) { fmt.Fprintln(l, name, kind) }
func (l *lines) Series(name string, value float64, labels ...string) {
	fmt.Fprintln(l, name, labels, value)
}

func TestMetricsOfTheClusterAreWritten(t *testing.T) {
	s, told := newSet()
	s.setMetrics([]*v1alpha1.Metric{read[v1alpha1.Metric](t, `
metadata: {name: own}
spec:
  path: /metrics/nodes/{nodeName}/own
  metrics:
  - {name: temperature, kind: gauge, value: '20 + 1', labels: [{name: node, value: node.metadata.name}]}
  - {name: used, kind: counter, dimension: pod, value: 'pod.Usage("cpu")', labels: [{name: pod, value: pod.metadata.name}]}
  - {name: twice, kind: gauge, dimension: container, value: '1', labels: [{name: pod, value: pod.metadata.name}]}
  - {name: wrong, kind: gauge, value: 'nothing'}
  - name: latency
    kind: histogram
    buckets: [{le: 1, value: '1'}, {le: 0.5, value: '2', hidden: true}, {le: 2, value: '3'}]
`), read[v1alpha1.Metric](t, `{metadata: {name: elsewhere}, spec: {path: /stats, metrics: []}}`)})
	if m, _ := s.Path("/metrics/nodes/n1/other"); m != nil {
		t.Error("a path that is nobody's is found")
	}
	m, node := s.Path("/metrics/nodes/n1/own")
	if m == nil || node != "n1" {
		t.Fatal("the path is not found")
	}
	var got lines
	about := subject(newPod("web", nil))
	about.Pod, about.Container = nil, nil
	s.Write(t.Context(), m, &got, about, []*corev1.Pod{newPod("web", nil), newPod("db", nil)})
	if want := `temperature gauge
temperature [node n1] 21
used counter
used [pod web] 7
used [pod db] 7
twice gauge
twice [pod web] 1
twice [pod db] 1
latency histogram
latency_bucket [le 1] 3
latency_bucket [le 2] 6
latency_bucket [le +Inf] 6
latency_sum [] 8
latency_count [] 6
`; got.String() != want {
		t.Errorf("got %s, want %s", got.String(), want)
	}
	for _, want := range []string{"Metric elsewhere counts as not said: its path must begin with /metrics/",
		"Metric own: wrong counts as not said: the expression is wrong", "Metric own: twice counts as not said: there are two series"} {
		if !strings.Contains(strings.Join(*told, "\n"), want) {
			t.Errorf("told %q, want %s", *told, want)
		}
	}
}

func BenchmarkExpression(b *testing.B) {
	s, _ := newSet()
	pod := newPod("web", map[string]string{"kwok.x-k8s.io/usage-cpu": "10m"})
	s.setResourceUsages([]*v1alpha1.ResourceUsage{usageOf("web", "cpu", `"kwok.x-k8s.io/usage-cpu" in pod.metadata.annotations ? `+
		`Quantity(pod.metadata.annotations["kwok.x-k8s.io/usage-cpu"]) : Quantity("1m")`)})
	a, about := s.Find(pod, "c", "cpu"), subject(pod)
	for b.Loop() {
		s.At(a, about)
	}
}
