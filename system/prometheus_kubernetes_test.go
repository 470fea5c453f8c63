package system

import (
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestPrometheusFindsTargetsByTheAPI runs Prometheus' own discovery and scraping, as OpenTelemetry's receiver has them, by the
// configuration of docs/observability.md: nodes, pods, endpoints and Services are found by the cluster's API, with a service account's
// token, and scraped through the API server's proxy.
func TestPrometheusFindsTargetsByTheAPI(t *testing.T) {
	program := builtApart(t, "otelcol")
	r := sharedRegion(t)
	r.kubectl(t, "apply", "-f", "../testdata/collector/prometheus-access.yaml", "-f", "testdata/scraped.yaml")
	t.Cleanup(func() {
		r.kubectl(t, "delete", "--wait=false", "-f", "../testdata/collector/prometheus-access.yaml", "-f", "testdata/scraped.yaml")
	})
	r.kubectl(t, "rollout", "status", "--timeout=2m", "-n", "scraped", "deployment/shop")
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, "write "+name, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	server, authority := r.endpoint(t)
	template, err := os.ReadFile("../testdata/collector/prometheus-kubernetes.yml")
	must(t, "read the configuration", err)
	token := strings.TrimSpace(r.kubectl(t, "create", "token", "prometheus", "-n", "monitoring", "--duration=1h"))
	config := strings.NewReplacer("SERVER", server, "file: CA", "file: "+file("ca.crt", authority),
		"file: TOKEN", "file: "+file("token", token), "scrape_interval: 15s", "scrape_interval: "+scrapeInterval.String()).
		Replace(string(template))
	collector := file("config.yaml", fmt.Sprintf(`
receivers: {prometheus: {config: "${file:%s}"}}
exporters: {file: {path: %s/metrics.json}}
service: {telemetry: {metrics: {level: none}}, pipelines: {metrics: {receivers: [prometheus], exporters: [file]}}}
`, file("prometheus.yml", config), dir))
	runUntilEnd(t, exec.Command(program, "--config", collector))

	written, told := grown{name: filepath.Join(dir, "metrics.json")}, told{}
	eventually(t, time.Minute, "what the API knows is found, and up", func() (bool, string) {
		written.lines(t, func(line []byte) { told.add(t, line) })
		jobs, good := map[string]int{}, true
		for target, up := range told["up"] {
			job, _, _ := strings.Cut(target, "/")
			jobs[job]++
			good = good && up == 1
		}
		want := map[string]int{"nodes": 3, "pods": 2, "endpoints": 2, "services": 1, "apiserver": 1}
		return good && maps.Equal(jobs, want), fmt.Sprint(told["up"])
	})
	for _, job := range []string{"pods", "endpoints", "services"} {
		for target := range told["up"] {
			if strings.HasPrefix(target, job+"/") && told["shop_orders_total"][target] != 7 {
				t.Errorf("%s: shop_orders_total is %v, want 7", target, told["shop_orders_total"][target])
			}
		}
	}
	for _, name := range []string{"container_memory_working_set_bytes", "apiserver_request_total"} {
		if len(told[name]) == 0 {
			t.Errorf("nobody tells %s", name)
		}
	}
}

// endpoint is the host and port of the cluster's endpoint, and its authority.
func (r *testRegion) endpoint(t *testing.T) (server, authority string) {
	t.Helper()
	config := r.kubectl(t, "config", "view", "--raw", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}")
	parsed, err := url.Parse(strings.TrimSpace(config))
	must(t, "read the endpoint's URL", err)
	return parsed.Host, r.kubectl(t, "get", "configmap", "kube-root-ca.crt", "-n", "kube-system", "-o", `jsonpath={.data.ca\.crt}`)
}
