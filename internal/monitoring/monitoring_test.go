package monitoring

import (
	"bytes"
	"flag"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/prometheus/promql/parser"
	"sigs.k8s.io/yaml"

	"tripod/internal/kubestate"
	"tripod/internal/series"
)

var update = flag.Bool("update", false, "write the dashboards")

// TestDashboardsAreWritten compares the files with what is made of Dashboards; -update writes them.
func TestDashboardsAreWritten(t *testing.T) {
	written := map[string]bool{}
	for _, d := range Dashboards {
		file := filepath.Join("dashboards", d.Name+".json")
		want, err := d.JSON()
		if err != nil {
			t.Fatal(err)
		}
		written[file] = true
		if *update {
			if err := os.WriteFile(file, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is another dashboard than there is in Go (%v): go test ./internal/monitoring -update", file, err)
		}
	}
	files, err := fs.Glob(Files, "dashboards/*.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !written[file] {
			t.Errorf("%s is made of nothing", file)
		}
	}
}

// rule is a rule of a file.
type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

func readRules(t *testing.T) map[string][]rule {
	t.Helper()
	files, err := fs.Glob(Rules, "rules/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	all := map[string][]rule{}
	for _, file := range files {
		text, err := Rules.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var read struct{ Groups []struct{ Rules []rule } }
		if err := yaml.Unmarshal(text, &read); err != nil {
			t.Fatal(file, err)
		}
		for _, g := range read.Groups {
			all[file] = append(all[file], g.Rules...)
		}
	}
	return all
}

// knownSeries are those that the region's processes have told (testdata/series), the kubelets' and package kubestate's.
func knownSeries(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{"up": true}
	for _, name := range kubestate.Names() {
		known[name] = true
	}
	lists, err := filepath.Glob("testdata/series/*.txt")
	if err != nil || len(lists) != 5 {
		t.Fatal(lists, err)
	}
	for _, list := range lists {
		for line := range strings.Lines(readFile(t, list)) {
			known[strings.TrimSpace(line)] = true
		}
	}
	// With type, labels and help.
	kubelets, err := filepath.Glob("../../nodes/kubeletapi/testdata/metrics*.txt")
	if err != nil || len(kubelets) == 0 {
		t.Fatal(kubelets, err)
	}
	for _, list := range kubelets {
		for line := range strings.Lines(readFile(t, list)) {
			name, kind, _ := strings.Cut(line, " ")
			known[name] = true
			if strings.HasPrefix(kind, "histogram") {
				known[name+"_bucket"], known[name+"_sum"], known[name+"_count"] = true, true, true
			}
		}
	}
	return known
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExpressionsAreOfSeriesThatThereAre parses all expressions of rules and dashboards, and knows every series that they name, or a
// rule that records it.
func TestExpressionsAreOfSeriesThatThereAre(t *testing.T) {
	known := knownSeries(t)
	expressions := map[string]string{}
	for file, rules := range readRules(t) {
		for _, r := range rules {
			if r.Record != "" {
				known[r.Record] = true
			}
			expressions[r.Expr] = file + ": " + r.Alert + r.Record
		}
	}
	for _, d := range Dashboards {
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for _, q := range p.Queries {
					expressions[q.Expr] = "dashboard " + d.Name + ": " + p.Title
				}
			}
		}
	}
	for _, expression := range slices.Sorted(maps.Keys(expressions)) {
		where := expressions[expression]
		if _, err := parser.ParseExpr(expression); err != nil {
			t.Errorf("%s: %v", where, err)
			continue
		}
		names, err := series.Names(expression)
		if err != nil {
			t.Errorf("%s: %v", where, err)
		}
		for _, name := range names {
			if !known[name] {
				t.Errorf("%s is about %q, which nobody tells", where, name)
			}
		}
	}
}

// TestEveryAlertFiresInATest looks at testdata, which promtool runs.
func TestEveryAlertFiresInATest(t *testing.T) {
	tests, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fires, quiet := map[string]bool{}, map[string]bool{}
	for _, file := range tests {
		var read struct {
			Tests []struct {
				AlertRuleTest []struct {
					Alertname string
					ExpAlerts []struct {
						ExpLabels map[string]string `json:"exp_labels"`
					} `json:"exp_alerts"`
				} `json:"alert_rule_test"`
			}
		}
		if err := yaml.Unmarshal([]byte(readFile(t, file)), &read); err != nil {
			t.Fatal(file, err)
		}
		for _, one := range read.Tests {
			for _, a := range one.AlertRuleTest {
				if filepath.Base(file) == "quiet.yaml" {
					quiet[a.Alertname] = true
				}
				for _, e := range a.ExpAlerts {
					fires[a.Alertname+" "+e.ExpLabels["severity"]] = true
				}
			}
		}
	}
	for file, rules := range readRules(t) {
		for _, r := range rules {
			if r.Alert == "" {
				continue
			}
			if !fires[r.Alert+" "+r.Labels["severity"]] || !quiet[r.Alert] {
				t.Errorf("%s: no test has %s of severity %s fire, or none of a quiet hour looks at it", file, r.Alert, r.Labels["severity"])
			}
			if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
				t.Errorf("%s: %s says nothing", file, r.Alert)
			}
		}
	}
}

// TestRulesFireForWhatTheyShould runs the tests in promtool's format, where there is a promtool: Debian's package prometheus has it.
func TestRulesFireForWhatTheyShould(t *testing.T) {
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("there is no promtool: apt-get install prometheus")
	}
	tests, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range tests {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if out, err := exec.Command(promtool, "test", "rules", file).CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

var variable = regexp.MustCompile(`\$(\w+)`)

// TestDashboardsHaveTheirVariables holds that nobody uses a variable that the dashboard lacks.
func TestDashboardsHaveTheirVariables(t *testing.T) {
	for _, d := range Dashboards {
		for _, row := range d.Rows {
			for _, p := range row.Panels {
				for _, q := range p.Queries {
					for _, v := range variable.FindAllStringSubmatch(q.Expr, -1) {
						if v[1] != "1" && (v[1] != "cluster" || !d.Clusters) {
							t.Errorf("dashboard %s: %s has $%s", d.Name, p.Title, v[1])
						}
					}
				}
			}
		}
	}
}
