package resourcemetrics

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/metrics/pkg/apis/metrics/v1beta1"

	"tripod/nodes/kubeletapi"
)

var start = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that a test sets.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// using is what something that has run since a time has used by now, with so many cores and bytes.
func using(since, now time.Time, cores float64, memory uint64) kubeletapi.Point {
	return kubeletapi.Point{Since: since, CoreNanos: uint64(cores * 1e9 * now.Sub(since).Seconds()), NanoCores: uint64(cores * 1e9),
		Memory: memory}
}

func pod(namespace, name string, labels map[string]string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, UID: types.UID(namespace + name), Labels: labels},
		Status: corev1.PodStatus{Phase: corev1.PodRunning}}
}

// within asks zones in this process.
func within(zones ...http.Handler) *API {
	a := &API{}
	for _, zone := range zones {
		a.Zones = append(a.Zones, func(ctx context.Context, path string) (*http.Response, error) {
			w := httptest.NewRecorder()
			zone.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/"+path, nil))
			return w.Result(), nil
		})
	}
	return a
}

// twoZones are a zone with node-a and two pods, one of them new, and one with node-b and a pod of two containers.
func twoZones(c *clock) *API {
	old := start.Add(-time.Hour)
	a := &Zone{Now: c.now, Read: func() []Node {
		return []Node{{"node-a", map[string]string{"zone": "a"}, kubeletapi.Reading{At: c.at, Point: using(old, c.at, 1, 1<<30),
			Pods: []kubeletapi.PodReading{
				{Pod: pod("shop", "web", map[string]string{"app": "web"}), Containers: []kubeletapi.ContainerReading{
					{Name: "web", Point: using(old, c.at, 0.25, 64<<20)}}},
				{Pod: pod("shop", "new", nil), Containers: []kubeletapi.ContainerReading{
					{Name: "web", Point: using(start.Add(-5*time.Second), c.at, 0.5, 64<<20)}}},
			}}}}
	}}
	b := &Zone{Now: c.now, Read: func() []Node {
		return []Node{{"node-b", map[string]string{"zone": "b"}, kubeletapi.Reading{At: c.at, Point: using(old, c.at, 2, 2<<30),
			Pods: []kubeletapi.PodReading{{Pod: pod("data", "db", map[string]string{"app": "db"}),
				Containers: []kubeletapi.ContainerReading{{Name: "db", Point: using(old, c.at, 1.5, 1<<30)},
					{Name: "log", Point: using(old, c.at, 0.1, 16<<20)}}}}}}}
	}}
	return within(b, a)
}

// get asks an API.
func get(t *testing.T, a http.Handler, path, accept string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func TestNodesAndPodsOfAllZonesAreListedByName(t *testing.T) {
	c := &clock{start}
	a := twoZones(c)
	for path, want := range map[string]string{
		"/apis/metrics.k8s.io/v1beta1/nodes":                                                 "node-a node-b",
		"/apis/metrics.k8s.io/v1beta1/nodes?labelSelector=zone%3Db":                          "node-b",
		"/apis/metrics.k8s.io/v1beta1/nodes?fieldSelector=metadata.name%3Dnode-a":            "node-a",
		"/apis/metrics.k8s.io/v1beta1/pods":                                                  "data/db shop/web",
		"/apis/metrics.k8s.io/v1beta1/pods?limit=1":                                          "data/db shop/web",
		"/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods":                                  "shop/web",
		"/apis/metrics.k8s.io/v1beta1/pods?labelSelector=app%20in%20(db,cache)":              "data/db",
		"/apis/metrics.k8s.io/v1beta1/pods?fieldSelector=metadata.namespace%21%3Ddata":       "shop/web",
		"/apis/metrics.k8s.io/v1beta1/namespaces/none/pods":                                  "",
		"/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods?fieldSelector=metadata.name%3Ddb": "",
	} {
		status, body := get(t, a, path, "application/json")
		var list struct {
			Kind, APIVersion string
			Items            []struct{ Metadata metav1.ObjectMeta }
		}
		if err := json.Unmarshal([]byte(body), &list); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, item := range list.Items {
			names = append(names, strings.TrimPrefix(item.Metadata.Namespace+"/"+item.Metadata.Name, "/"))
		}
		if got := strings.Join(names, " "); status != 200 || got != want || list.APIVersion != "metrics.k8s.io/v1beta1" ||
			!strings.HasSuffix(list.Kind, "MetricsList") || list.Items == nil {
			t.Errorf("%s: got %d %q of %s %s, want %q", path, status, got, list.APIVersion, list.Kind, want)
		}
	}
}

func TestCPUIsARateSinceTheQuestionBefore(t *testing.T) {
	c := &clock{start}
	a := twoZones(c)
	const path = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/web"
	ask := func() v1beta1.PodMetrics {
		t.Helper()
		var got v1beta1.PodMetrics
		status, body := get(t, a, path, "application/json")
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
			t.Fatalf("got %d %s, %v", status, body, err)
		}
		return got
	}
	want := func(what string, window time.Duration, at time.Time) {
		t.Helper()
		got := ask()
		if cpu := got.Containers[0].Usage.Cpu().String(); cpu != "250m" || got.Window.Duration != window || !got.Timestamp.Time.Equal(at) {
			t.Errorf("%s: %s over %s until %s, want 250m over %s until %s", what, cpu, got.Window.Duration, got.Timestamp, window, at)
		}
	}
	want("nobody has asked before", 10*time.Second, start)
	c.at = start.Add(9 * time.Second)
	want("it is known", 10*time.Second, start)
	c.at = start.Add(17 * time.Second)
	want("somebody has", 17*time.Second, c.at)
	c.at = start.Add(5 * time.Minute)
	want("that is long ago", 10*time.Second, c.at)
}

func TestANewContainerHasNoMetricsForTenSeconds(t *testing.T) {
	c := &clock{start}
	a := twoZones(c)
	const path = "/apis/metrics.k8s.io/v1beta1/namespaces/shop/pods/new"
	if status, body := get(t, a, path, "application/json"); status != 404 ||
		!strings.Contains(body, `"message":"podmetrics.metrics.k8s.io \"shop/new\" not found","reason":"NotFound"`) {
		t.Errorf("got %d %s", status, body)
	}
	c.at = start.Add(11 * time.Second) // it is 16 s old, and was 5 s old at the question before
	if status, body := get(t, a, path, "application/json"); status != 200 || !strings.Contains(body, `"cpu":"500m"`) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestWhatThereIsNotIsToldInMetricsServersWords(t *testing.T) {
	a := twoZones(&clock{start})
	for _, c := range []struct {
		path   string
		status int
		want   string
	}{
		{"namespaces/shop/pods/none", 404, `pods \"none\" not found`},
		{"nodes/none", 404, `nodes \"none\" not found`},
		{"pods?watch=true", 405, `watch is not supported on resources of kind \"pods.metrics.k8s.io\"`},
		{"pods?fieldSelector=spec.nodeName%3Dx", 400, `\"spec.nodeName\" is not a known field selector: only \"metadata.name\", ` +
			`\"metadata.namespace\"`},
		{"pods?labelSelector=a%3D%3D%3Db", 400, "found '=', expected: "},
		{"pods/web", 404, "the server could not find the requested resource"},
		{"namespaces/shop/nodes", 404, "the server could not find the requested resource"},
		{"secrets", 404, "the server could not find the requested resource"},
	} {
		status, body := get(t, a, "/apis/metrics.k8s.io/v1beta1/"+c.path, "application/json")
		if status != c.status || !strings.Contains(body, c.want) || !strings.Contains(body, `"kind":"Status"`) {
			t.Errorf("%s: got %d %s, want %d with %s", c.path, status, body, c.status, c.want)
		}
	}
}

func TestAZoneThatDoesNotAnswerIsMissing(t *testing.T) {
	c := &clock{start}
	a := twoZones(c)
	a.Zones[0] = func(context.Context, string) (*http.Response, error) { return nil, errors.New("unreachable") }
	if status, body := get(t, a, "/apis/metrics.k8s.io/v1beta1/nodes", "application/json"); status != 200 ||
		!strings.Contains(body, "node-a") || strings.Contains(body, "node-b") {
		t.Errorf("got %d %s", status, body)
	}
	// its pod is one that has no metrics: whether there is one is not known
	if status, body := get(t, a, "/apis/metrics.k8s.io/v1beta1/namespaces/data/pods/db", "application/json"); status != 404 ||
		!strings.Contains(body, `podmetrics.metrics.k8s.io \"data/db\" not found`) {
		t.Errorf("got %d %s", status, body)
	}
}

func TestAnswersAreInTheFormThatTheClientAccepts(t *testing.T) {
	a := twoZones(&clock{start})
	const path = "/apis/metrics.k8s.io/v1beta1/pods"
	const table = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
	for _, c := range []struct{ path, accept, want string }{
		{path, table, `"columnDefinitions":[{"name":"Name","type":"string","format":"name","description":"Name of the resource",` +
			`"priority":0},{"name":"cpu","type":"string","format":"quantity","description":"","priority":0},{"name":"memory",`},
		{path, table, `{"cells":["db","1600m","1040Mi","10s"],"object":{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1",` +
			`"metadata":{"name":"db","namespace":"data","creationTimestamp":"2026-07-01T12:00:00Z","labels":{"app":"db"}}}}`},
		{path + "?includeObject=Object", table, `"object":{"kind":"PodMetrics","apiVersion":"metrics.k8s.io/v1beta1",`},
		{path + "?includeObject=None", table, `"10s"],"object":null}`},
		{"/apis/metrics.k8s.io/v1beta1/nodes/node-a", table, `"rows":[{"cells":["node-a","1","1Gi","10s"],`},
		{path, "application/yaml", "kind: PodMetricsList\n"},
		{path, "*/*", `{"kind":"PodMetricsList","apiVersion":"metrics.k8s.io/v1beta1","metadata":{},"items":[{"metadata":`},
		{path, "text/html", "only the following media types are accepted"},
	} {
		if _, body := get(t, a, c.path, c.accept); !strings.Contains(body, c.want) {
			t.Errorf("%s as %s: got %s, want %s", c.path, c.accept, body, c.want)
		}
	}
	_, body := get(t, a, path, "application/vnd.kubernetes.protobuf,application/json")
	raw, isProto := bytes.CutPrefix([]byte(body), []byte("k8s\x00"))
	var unknown runtime.Unknown
	var list v1beta1.PodMetricsList
	if err := errors.Join(unknown.Unmarshal(raw), list.Unmarshal(unknown.Raw)); !isProto || err != nil || unknown.Kind != "PodMetricsList" ||
		len(list.Items) != 2 {
		t.Errorf("in protobuf: %v %v %+v", isProto, err, list)
	}
}

func TestDiscoveryNamesNodesAndPods(t *testing.T) {
	a := twoZones(&clock{start})
	for path, want := range map[string]string{
		"/apis/metrics.k8s.io": `"name":"metrics.k8s.io","versions":[{"groupVersion":"metrics.k8s.io/v1beta1","version":"v1beta1"}]`,
		"/apis/metrics.k8s.io/v1beta1": `"resources":[{"name":"nodes","singularName":"","namespaced":false,"kind":"NodeMetrics","verbs":` +
			`["get","list"]},{"name":"pods","singularName":"","namespaced":true,"kind":"PodMetrics","verbs":["get","list"]}]`,
	} {
		if status, body := get(t, a, path, "application/json"); status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %s", path, status, body)
		}
	}
}

func TestWhatWasReadIsForgotten(t *testing.T) {
	reads := 0
	z := &Zone{Read: func() []Node { reads++; return nil }}
	z.current()
	z.current()
	z.drop()
	if z.current(); reads != 2 {
		t.Errorf("read %d times, want 2", reads)
	}
	z.forget.Stop()
}

// BenchmarkList is a list of 20,000 pods on 1,000 nodes of three zones as JSON, all in one process: read anew, and from what was read.
func BenchmarkList(b *testing.B) {
	c := &clock{start}
	var zones []http.Handler
	for z := range 3 {
		var nodes []Node
		for n := range 333 {
			node := Node{Name: fmt.Sprintf("node-%d-%d", z, n), Reading: kubeletapi.Reading{At: start,
				Point: using(start.Add(-time.Hour), start, 1, 1<<30)}}
			for p := range 20 {
				node.Pods = append(node.Pods, kubeletapi.PodReading{Pod: pod("default", fmt.Sprintf("web-%d-%d-%d", z, n, p),
					map[string]string{"app": "web", "pod-template-hash": "5b8d9c7f6d"}), Containers: []kubeletapi.ContainerReading{
					{Name: "web", Point: using(start.Add(-time.Hour), start, 0.1234567, 64<<20)}}})
			}
			nodes = append(nodes, node)
		}
		zones = append(zones, &Zone{Now: c.now, Read: func() []Node { return nodes }})
	}
	a := within(zones...)
	for _, form := range []string{"application/json", protobuf, "application/json;as=Table;v=v1;g=meta.k8s.io"} {
		for _, anew := range []bool{true, false} {
			b.Run(fmt.Sprintf("%s/anew=%v", form, anew), func(b *testing.B) {
				for b.Loop() {
					if anew {
						c.at = c.at.Add(2 * mostWindow)
					}
					r := httptest.NewRequest(http.MethodGet, "/apis/metrics.k8s.io/v1beta1/pods", nil)
					r.Header.Set("Accept", form)
					w := httptest.NewRecorder()
					if a.ServeHTTP(w, r); w.Code != 200 {
						b.Fatal(w.Body)
					}
					b.ReportMetric(float64(w.Body.Len()), "bytes")
				}
			})
		}
	}
}
