package cli

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"tripod/api"
)

func TestPrometheusIsGivenAConfigurationOfAllJobs(t *testing.T) {
	dataDir := newDataDir(t)
	region := newSupervisor(t, dataDir, testStatus())
	var orders []api.PrometheusOrder
	region.set(func(s *supervisor) {
		s.answer = func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path != "/v1/prometheus" {
				return false
			}
			var order api.PrometheusOrder
			json.NewDecoder(r.Body).Decode(&order)
			orders = append(orders, order)
			json.NewEncoder(w).Encode(api.Prometheus{Address: "127.0.0.1:32200", TokenFile: "/data dir/metrics-token",
				CAFile: "/data dir/pki/region-ca.crt"})
			return true
		}
	})
	out := filepath.Join(t.TempDir(), "monitoring")
	got := tripod(t, dataDir, "prometheus", "--output", out, "--interval", "5s", "--port", "32200")
	file := filepath.Join(out, "prometheus.yml")
	if got.code != 0 || !strings.Contains(got.stdout, "prometheus --config.file "+file) || len(orders) != 1 || orders[0].Port != 32200 {
		t.Fatalf("got %+v, orders %v", got, orders)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	var config struct {
		Global struct {
			Interval string `json:"scrape_interval"`
		}
		Scrapes []struct {
			Job         string `json:"job_name"`
			HonorLabels bool   `json:"honor_labels"`
			SampleLimit int    `json:"sample_limit"`
			SD          []struct {
				URL           string `json:"url"`
				Authorization struct {
					File string `json:"credentials_file"`
				}
			} `json:"http_sd_configs"`
		} `json:"scrape_configs"`
	}
	if err := yaml.Unmarshal(text, &config); err != nil || config.Global.Interval != "5s" || len(config.Scrapes) != len(api.PrometheusJobs) {
		t.Fatalf("%v in\n%s", err, text)
	}
	for i, scrape := range config.Scrapes {
		job := api.PrometheusJobs[i]
		if scrape.Job != job || scrape.SD[0].URL != "https://127.0.0.1:32200/v1/prometheus/targets/"+job ||
			scrape.SD[0].Authorization.File != "/data dir/metrics-token" {
			t.Errorf("job %s is %+v", job, scrape)
		}
		if pods := job == api.JobPods; scrape.HonorLabels == pods || scrape.SampleLimit > 0 != pods {
			t.Errorf("job %s: what pods say is to be bounded and not believed, got %+v", job, scrape)
		}
	}
	for _, name := range []string{"rules/etcd.yaml", "dashboards/etcd.json"} {
		if _, err := os.Stat(filepath.Join(out, name)); err != nil {
			t.Error(err)
		}
	}
	if promtool, err := exec.LookPath("promtool"); err == nil {
		if said, err := exec.Command(promtool, "check", "config", "--syntax-only", file).CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, said)
		}
	}
	if shown := tripod(t, dataDir, "prometheus"); shown.code != 0 || !strings.Contains(shown.stdout, "\n  - job_name: apiserver\n") {
		t.Errorf("without a directory: %+v", shown)
	}
	if off := tripod(t, dataDir, "prometheus", "--off"); off.code != 0 || off.stdout != "" || !orders[len(orders)-1].Off {
		t.Errorf("off: %+v, %v", off, orders)
	}
	for _, args := range [][]string{{"--interval", "10ms"}, {"--port", "70000"}, {"--off", "--output", out}} {
		if wrong := tripod(t, dataDir, append([]string{"prometheus"}, args...)...); wrong.code != 2 {
			t.Errorf("%q: %+v", args, wrong)
		}
	}
}
