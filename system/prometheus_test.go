package system

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/api"
)

// scrapeInterval of the stories' Prometheus is also the time that it gives a scrape: on a busy machine an API server takes a second or two.
const scrapeInterval = 5 * time.Second

// prometheusServer is a real one.
type prometheusServer struct{ url string }

// startPrometheus runs Debian's program by a configuration until the test ends, which is skipped where the program is not there.
func startPrometheus(t *testing.T, config string) *prometheusServer {
	t.Helper()
	program := prometheusProgram(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, "find a free port", err)
	address := free.Addr().String()
	free.Close()
	runUntilEnd(t, exec.Command(program, "--config.file", config, "--storage.tsdb.path", filepath.Join(t.TempDir(), "data"),
		"--web.listen-address", address))
	p := &prometheusServer{"http://" + address}
	eventually(t, 30*time.Second, "prometheus serves", func() (bool, string) {
		response, err := http.Get(p.url + "/-/ready")
		if err != nil {
			return false, err.Error()
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK, response.Status
	})
	return p
}

func prometheusProgram(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("there is no program prometheus: Debian's package of that name has it")
	}
	return program
}

// sample is one series of an answer.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"`
}

func (s sample) String() string { return fmt.Sprint(s.Value[1], " ", s.Metric) }

// query asks in PromQL.
func (p *prometheusServer) query(t *testing.T, text string) []sample {
	t.Helper()
	request, err := http.NewRequestWithContext(within(t, 20*time.Second), http.MethodGet,
		p.url+"/api/v1/query?query="+url.QueryEscape(text), nil)
	must(t, "query", err)
	response, err := http.DefaultClient.Do(request)
	must(t, "query", err)
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct{ Result []sample }
	}
	must(t, "read the answer of "+text, json.NewDecoder(response.Body).Decode(&answer))
	if answer.Error != "" {
		t.Fatalf("%s: %s", text, answer.Error)
	}
	return answer.Data.Result
}

// target is one that a Prometheus scrapes.
type target struct {
	Labels     map[string]string `json:"labels"`
	Health     string            `json:"health"`
	LastError  string            `json:"lastError"`
	LastScrape time.Time         `json:"lastScrape"`
}

func (p *prometheusServer) targets(t *testing.T) []target {
	t.Helper()
	response, err := http.Get(p.url + "/api/v1/targets?state=active")
	must(t, "targets", err)
	defer response.Body.Close()
	var answer struct {
		Data struct {
			ActiveTargets []target `json:"activeTargets"`
		}
	}
	must(t, "read the targets", json.NewDecoder(response.Body).Decode(&answer))
	return answer.Data.ActiveTargets
}

// awaitUp waits until there are targets of all jobs, and all are up.
func (p *prometheusServer) awaitUp(t *testing.T, what string, jobs map[string]int) {
	t.Helper()
	eventually(t, time.Minute, what, func() (bool, string) {
		counts, down := map[string]int{}, []string{}
		for _, one := range p.targets(t) {
			counts[one.Labels["job"]]++
			if one.Health != "up" {
				down = append(down, fmt.Sprint(one.Labels["job"], " ", one.Labels["instance"], ": ", one.LastError))
			}
		}
		enough := true
		for job, least := range jobs {
			enough = enough && counts[job] >= least
		}
		return enough && len(down) == 0, fmt.Sprint(counts, down)
	})
}

// TestPrometheusFollowsTheRegionOverTheLossOfAZone runs Debian's Prometheus by what `tripod prometheus` writes.
func TestPrometheusFollowsTheRegionOverTheLossOfAZone(t *testing.T) {
	prometheusProgram(t)
	t.Parallel()
	r := startRegion(t)
	r.shop(t)
	dir := t.TempDir()
	if _, errs, code := tripod(t, r.dir, "prometheus", "--output", dir, "--interval", scrapeInterval.String()); code != 0 {
		t.Fatalf("tripod prometheus: %s", errs)
	}
	p := startPrometheus(t, filepath.Join(dir, "prometheus.yml"))
	p.awaitUp(t, "all is up", map[string]int{api.JobRegion: 4, api.JobAPIServer: 3, api.JobEtcd: 3, api.JobController: 3,
		api.JobScheduler: 3, api.JobKubelet: 12, api.JobState: 1, api.JobPods: 1})
	r.awsClients(t, awsHTTPS).read(t)
	settled := time.Now()
	for _, question := range []string{
		`sum(rate(apiserver_request_total{job="apiserver",cluster="demo"}[1m])) >= 0`,
		`count(etcd_server_has_leader{job="etcd"} == 1) == 3`,
		`sum(scheduler_schedule_attempts_total{job="kube-scheduler"}) >= 0`,
		`count(workqueue_adds_total{job="kube-controller-manager",name="deployment"}) > 0`,
		`count(container_memory_working_set_bytes{job="kubelet",metrics_path="/metrics/cadvisor",pod="shop",node!=""}) > 0`,
		`shop_orders_total{job="pods",exported_job="forged",pod="shop",namespace="default"} == 7`,
		`count(kube_node_info{job="kube-state-metrics",cluster="demo"}) == 3`, `count(tripod_zone_up == 1) == 3`, `sum(tripod_region_leader) == 1`,
		`sum(tripod_aws_requests_total{service="sts",principal="user/admin"}) >= 1`,
		`count(tripod_lb_target_healthy{balancer="demo"} == 1) == 3`,
	} {
		eventually(t, 30*time.Second, question, func() (bool, string) {
			return len(p.query(t, question)) > 0, "no answer"
		})
	}

	r.do(t, "kill", "az/b")
	killed := time.Now()
	eventually(t, 3*scrapeInterval, "each target of the zone is down, and none of another", func() (bool, string) {
		var wrong []string
		for _, one := range p.targets(t) {
			if down := strings.HasSuffix(one.Labels["zone"], "b"); down != (one.Health == "down") {
				wrong = append(wrong, fmt.Sprint(one.Health, one.Labels, one.LastError))
			}
		}
		return len(wrong) == 0, strings.Join(wrong, "\n")
	})
	t.Logf("the killed zone showed after %.1f s, with scrapes each %v", time.Since(killed).Seconds(), scrapeInterval)
	eventually(t, 15*time.Second, "the fault is a series", func() (bool, string) {
		return len(p.query(t, `tripod_fault{target="az/us-east-1b",fault="killed"} == 1`)) == 1, fmt.Sprint(p.query(t, "tripod_fault"))
	})
	r.do(t, "start", "az/b")
	p.awaitUp(t, "all is up again", map[string]int{api.JobAPIServer: 3, api.JobEtcd: 3, api.JobKubelet: 12})
	since := int(time.Since(settled).Seconds())
	gaps := p.query(t, fmt.Sprintf(`min_over_time(up{job!~"kubelet|pods|kube-state-metrics"}[%ds]) == 0`, since)) // nodes may be replaced elsewhere meanwhile
	if slices.ContainsFunc(gaps, func(s sample) bool { return !strings.HasSuffix(s.Metric["zone"], "b") }) {
		t.Errorf("there are gaps where the zone was not: %v", gaps)
	}
}

// shop makes a pod that asks to be scraped.
func (r *testRegion) shop(t *testing.T) {
	t.Helper()
	kube := r.kube(t)
	eventually(t, time.Minute, "a pod is made", func() (bool, string) {
		_, err := kube.CoreV1().Pods("default").Create(within(t, 20*time.Second), &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: map[string]string{"app": "shop"}, Annotations: map[string]string{
				"prometheus.io/scrape": "true", "prometheus.io/port": "9102",
				"tripod.internal/http-body.9102": "# TYPE shop_orders_total counter\nshop_orders_total{job=\"forged\"} 7\n"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "shop", Image: "nginx",
				Ports: []corev1.ContainerPort{{ContainerPort: 80}, {ContainerPort: 9102, Name: "metrics"}}}}}}, metav1.CreateOptions{})
		return err == nil, fmt.Sprint(err)
	})
	r.kubectl(t, "wait", "--for=condition=Ready", "--timeout=60s", "pod/shop")
}
