package emulator

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"tripod/api"
	"tripod/az/instance"
	"tripod/client"
)

// TestControllersAreTwoJobs: they are one process with one text, of which each job has its own and what is the process's.
func TestControllersAreTwoJobs(t *testing.T) {
	const text = `# HELP go_goroutines Goroutines.
# TYPE go_goroutines gauge
go_goroutines 7
# HELP scheduler_pending_pods Pods.
# TYPE scheduler_pending_pods gauge
scheduler_pending_pods{queue="active"} 1
# TYPE workqueue_depth gauge
workqueue_depth{name="job"} 2
`
	for job, want := range map[string][]string{
		api.JobScheduler:  {"go_goroutines 7", `scheduler_pending_pods{queue="active"} 1`},
		api.JobController: {"go_goroutines 7", `workqueue_depth{name="job"} 2`},
	} {
		var out bytes.Buffer
		if err := instance.CopyFamilies(&out, strings.NewReader(text), func(family string) bool { return isOf(job, family) }); err != nil {
			t.Fatal(err)
		}
		var got []string
		for line := range strings.Lines(out.String()) {
			if !strings.HasPrefix(line, "#") {
				got = append(got, strings.TrimSpace(line))
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", job, diff)
		}
	}
	long := "# TYPE a gauge\na{b=\"" + strings.Repeat("x", 200_000) + "\"} 1\n"
	var out bytes.Buffer
	if err := instance.CopyFamilies(&out, strings.NewReader(long), func(string) bool { return true }); err != nil || out.String() != long {
		t.Errorf("a long line comes out with %d bytes, want %d: %v", out.Len(), len(long), err)
	}
}

func TestTargetsOfAZoneThatIsDownStay(t *testing.T) {
	var known knownTargets
	node, pod := api.ScrapedNode{Name: "n1", Address: "10.0.0.4:10250"}, api.ScrapedPod{Namespace: "shop", Name: "web", Node: "n1",
		Address: "10.0.0.7", Ports: []int{8080, 8081}}
	known.take("us-east-1b", map[string]api.Scraped{"demo": {Nodes: []api.ScrapedNode{node}, Pods: []api.ScrapedPod{pod}}, "old": {}})
	known.take("us-east-1b", map[string]api.Scraped{}) // an agent that has started nothing yet
	known.keep([]string{"demo"})
	list := func(job string) []api.TargetGroup {
		all := &targets{address: "127.0.0.1:1"}
		all.ofZone(job, "demo", "us-east-1b", known.of("us-east-1b", "demo"))
		return all.groups
	}
	kubelets := list(api.JobKubelet)
	want := api.TargetGroup{Targets: []string{"127.0.0.1:1"}, Labels: map[string]string{"instance": "10.0.0.4:10250", "cluster": "demo",
		"zone": "us-east-1b", "node": "n1", "metrics_path": "/metrics/cadvisor", "__metrics_path__": "/v1/metrics/node/demo/n1",
		"__param_path": "/metrics/cadvisor", "__param_zone": "us-east-1b"}}
	if len(kubelets) != len(api.KubeletMetrics) {
		t.Fatalf("kubelets: %v", kubelets)
	}
	if diff := cmp.Diff(want, kubelets[1]); diff != "" {
		t.Errorf("a kubelet (-want +got):\n%s", diff)
	}
	pods := list(api.JobPods)
	if len(pods) != 2 || pods[1].Labels["instance"] != "10.0.0.7:8081" || pods[1].Labels["__param_port"] != "8081" ||
		pods[0].Labels["pod"] != "web" || pods[0].Labels["namespace"] != "shop" {
		t.Errorf("pods: %v", pods)
	}
	scheduler := list(api.JobScheduler)
	if len(scheduler) != 1 || scheduler[0].Labels["__param_of"] != "kube-scheduler" || scheduler[0].Labels["instance"] != "controllers/b" ||
		scheduler[0].Labels["__metrics_path__"] != "/v1/metrics/controllers/us-east-1b" {
		t.Errorf("scheduler: %v", scheduler)
	}
	if known.of("us-east-1b", "old").Nodes != nil || len(known.zones["us-east-1b"]) != 1 {
		t.Errorf("a cluster that is gone is known: %v", known.zones)
	}
}

// scrapingClient is a client of a region's port for metrics.
type scrapingClient struct {
	*api.Prometheus
	http  http.Client
	token string
}

func newPrometheus(t *testing.T, door *api.Prometheus) *scrapingClient {
	t.Helper()
	token, err := os.ReadFile(door.TokenFile)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(door.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	return &scrapingClient{Prometheus: door, token: strings.TrimSpace(string(token)), http: http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}}
}

func (p *scrapingClient) ask(t *testing.T, method, path, token string) (status int, body string) {
	t.Helper()
	request, err := http.NewRequest(method, "https://"+p.Address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := p.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// testPrometheus opens the port for a Prometheus, reads there what it would, and closes it.
func testPrometheus(t *testing.T, r *testRegion) {
	region := client.New(r.dir.path)
	door, err := region.Prometheus(t.Context(), api.PrometheusOrder{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := region.Prometheus(t.Context(), api.PrometheusOrder{}); err != nil || *again != *door {
		t.Errorf("asked again: %+v, %v, want %+v", again, err, door)
	}
	p := newPrometheus(t, door)
	status, text := p.ask(t, http.MethodGet, "/v1/prometheus/targets/etcd", p.token)
	var groups []api.TargetGroup
	if err := json.Unmarshal([]byte(text), &groups); err != nil || status != http.StatusOK || len(groups) != 3 {
		t.Fatalf("targets: %d %v %s", status, err, text)
	}
	for i, group := range groups {
		labels := group.Labels
		if labels["zone"] != r.zoneName(i) || labels["cluster"] != "demo" || labels["component"] != "etcd" ||
			!slices.Equal(group.Targets, []string{door.Address}) {
			t.Errorf("target %d is %+v", i, group)
		}
		path := fmt.Sprintf("%s?cluster=%s", labels["__metrics_path__"], labels["__param_cluster"])
		// the member of these tests answers nobody, which is a target that is down
		if status, text := p.ask(t, http.MethodGet, path, p.token); status != http.StatusConflict ||
			!strings.Contains(text, labels["instance"]+" does not answer") {
			t.Errorf("%s: %d %.100s", path, status, text)
		}
	}
	control, err := os.ReadFile(r.dir.file(tokenFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, token string
		status              int
		says                string
	}{
		{http.MethodGet, "/v1/metrics", p.token, 200, `tripod_region_leader{zone="us-east-1a"}`},
		{http.MethodGet, "/v1/metrics?zones=false", p.token, 200, "tripod_lb_target_healthy{"},
		{http.MethodGet, "/v1/metrics/az/b", p.token, 200, `process_cpu_seconds_total{zone="us-east-1b"}`},
		{http.MethodGet, "/v1/prometheus/targets/tripod", p.token, 200, "/v1/metrics/az/us-east-1c"},
		{http.MethodGet, "/v1/prometheus/targets/kubelet", p.token, 200, "[]"},
		{http.MethodGet, "/v1/prometheus/targets/kube-state-metrics", p.token, 200, `"__metrics_path__":"/v1/metrics/kube-state/demo"`},
		{http.MethodGet, "/v1/prometheus/targets/nobody", p.token, 400, `there is no job \"nobody\"`},
		{http.MethodGet, "/v1/metrics/etcd/d", p.token, 400, `there is no zone \"d\"`},
		{http.MethodGet, "/v1/metrics/pod/demo/default/web?zone=a&port=80", p.token, 409, "does not run nodes"},
		{http.MethodGet, "/v1/metrics/node/demo/n1?zone=a&path=/metrics", p.token, 409, "does not run nodes"},
		{http.MethodGet, "/v1/metrics", "", 401, "metrics-token"},
		{http.MethodGet, "/v1/metrics", strings.TrimSpace(string(control)), 401, "metrics-token"},
		{http.MethodGet, "/v1/status", p.token, 404, "there is no call"},
		{http.MethodPost, "/v1/targets/az/b/kill", p.token, 404, "there is no call"},
	} {
		if status, text := p.ask(t, c.method, c.path, c.token); status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s %s: %d %.200s, want %d with %s", c.method, c.path, status, text, c.status, c.says)
		}
	}
	if _, text := p.ask(t, http.MethodGet, "/v1/metrics?zones=false", p.token); strings.Contains(text, "tripod_region_leader") {
		t.Error("what the zones' agents tell is there without them")
	}
	if err := r.Do(t.Context(), api.Order{Target: api.Target{Kind: "etcd", Name: "b"}, Verb: "pause"}); err != nil {
		t.Fatal(err)
	}
	const paused = "/v1/metrics/etcd/b?cluster=demo"
	if status, text := p.ask(t, http.MethodGet, paused, p.token); status != 409 || !strings.Contains(text, "is paused") {
		t.Errorf("of a process that is paused: %d %s", status, text)
	}
	if err := r.Reset(t.Context()); err != nil {
		t.Fatal(err)
	}
	if closed, err := region.Prometheus(t.Context(), api.PrometheusOrder{Off: true}); err != nil || closed.Address != "" {
		t.Errorf("off: %+v, %v", closed, err)
	}
	if response, err := p.http.Get("https://" + door.Address); err == nil {
		response.Body.Close()
		t.Error("the port is open after --off")
	}
}
