package system

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// builtApart is a program of `make collectors`; the test is skipped where it was not built, as `make test` does not.
func builtApart(t *testing.T, name string) string {
	t.Helper()
	program, err := filepath.Abs("../bin/" + name)
	must(t, "find "+name, err)
	if !exists(program) {
		t.Skipf("bin/%s is not there: `make collectors` builds it and runs this story", name)
	}
	return program
}

// TestOpenTelemetryCollectsLogsAndMetrics runs a collector of OpenTelemetry's own receivers as a pod of its DaemonSet, by the
// configuration of docs/observability.md: log files that are set aside meanwhile, the kubelet's statistics, and what the region tells
// Prometheus.
func TestOpenTelemetryCollectsLogsAndMetrics(t *testing.T) {
	program := builtApart(t, "otelcol")
	t.Parallel()
	r := bringUp(t, newDir(t), "--node-logs")
	r.kubectl(t, "apply", "-f", "../testdata/collector/daemonset.yaml")
	node := r.talker(t, "", shortTalker())
	r.kubectl(t, "rollout", "status", "--timeout=2m", "-n", "monitoring", "daemonset/otel-collector")
	pod := r.kubectl(t, "get", "pod", "-n", "monitoring", "--field-selector=spec.nodeName="+node, "-o", "jsonpath={.items[*].metadata.name}")
	dir := t.TempDir()
	scraped, errs, code := tripod(t, r.dir, "prometheus")
	if code != 0 {
		t.Fatalf("tripod prometheus: %s", errs)
	}
	text, err := os.ReadFile("../testdata/collector/config.yaml")
	must(t, "read the configuration", err)
	config, prometheus := filepath.Join(dir, "config.yaml"), filepath.Join(dir, "prometheus.yml")
	must(t, "write what to scrape", os.WriteFile(prometheus, []byte(scraped), 0o600))
	must(t, "write the configuration", os.WriteFile(config,
		[]byte(strings.NewReplacer("OUTPUT", dir, "PROMETHEUS", prometheus).Replace(string(text))), 0o600))
	r.runInVPC(t, "monitoring/"+pod, program, "--config", config)

	file, found := grown{name: filepath.Join(dir, "logs.json")}, collected{}
	r.collects(t, node, func() collected {
		file.lines(t, func(line []byte) { found.addOTLP(t, line) })
		return found
	})
	want := map[string]string{"k8s.node.cpu.usage": node, "k8s.node.memory.working_set": node,
		"k8s.pod.cpu.usage": "default/short", "k8s.pod.memory.working_set": "default/short",
		"k8s.pod.network.io": "default/short", "container.memory.working_set": "default/short/shop",
		"etcd_server_has_leader": "", "apiserver_request_total": "", "tripod_zone_up": "", "kube_node_info": ""}
	file, told := grown{name: filepath.Join(dir, "metrics.json")}, told{}
	eventually(t, time.Minute, "all metrics are collected", func() (bool, string) {
		file.lines(t, func(line []byte) { told.add(t, line) })
		for name, whose := range want {
			if _, there := told[name][whose]; !there && (whose != "" || len(told[name]) == 0) {
				return false, fmt.Sprint("of ", name, " there is ", slices.Sorted(maps.Keys(told[name])))
			}
		}
		return true, ""
	})
}

// otelRecord is a line of what the collector's file exporter writes, as OTLP has it in JSON.
type otelRecord struct {
	ResourceLogs []struct {
		Resource  otelResource
		ScopeLogs []struct {
			LogRecords []struct {
				Body       otelValue
				Attributes []otelAttribute
			}
		}
	}
	ResourceMetrics []struct {
		Resource     otelResource
		ScopeMetrics []struct {
			Metrics []struct {
				Name       string
				Gauge, Sum struct{ DataPoints []struct{ AsDouble any } }
			}
		}
	}
}

type (
	otelValue     struct{ StringValue string }
	otelAttribute struct {
		Key   string
		Value otelValue
	}
	otelResource struct{ Attributes []otelAttribute }
)

// named are attributes that are there, joined as paths are.
func (r otelResource) named(keys ...string) string {
	var values []string
	for _, key := range keys {
		for _, a := range r.Attributes {
			if a.Key == key {
				values = append(values, a.Value.StringValue)
			}
		}
	}
	return strings.Join(values, "/")
}

func (c collected) addOTLP(t *testing.T, line []byte) {
	t.Helper()
	var record otelRecord
	must(t, "read a record", json.Unmarshal(line, &record))
	for _, of := range record.ResourceLogs {
		container := of.Resource.named("k8s.namespace.name", "k8s.pod.name", "k8s.container.name")
		for _, scope := range of.ScopeLogs {
			for _, l := range scope.LogRecords {
				c[container] = append(c[container], l.Body.StringValue)
			}
		}
	}
}

// told are the last values of metrics, by name and by what they are told of: a container, a pod, a node, or JOB/INSTANCE of a target. Those
// that are no floating-point numbers are 0.
type told map[string]map[string]float64

func (m told) add(t *testing.T, line []byte) {
	t.Helper()
	var record otelRecord
	must(t, "read a record", json.Unmarshal(line, &record))
	for _, of := range record.ResourceMetrics {
		whose := cmp.Or(of.Resource.named("service.name", "service.instance.id"), // Prometheus' targets have names of pods, too
			of.Resource.named("k8s.namespace.name", "k8s.pod.name", "k8s.container.name"), of.Resource.named("k8s.node.name"))
		for _, scope := range of.ScopeMetrics {
			for _, metric := range scope.Metrics {
				if m[metric.Name] == nil {
					m[metric.Name] = map[string]float64{}
				}
				m[metric.Name][whose] = 0
				for _, point := range append(metric.Gauge.DataPoints, metric.Sum.DataPoints...) {
					m[metric.Name][whose], _ = point.AsDouble.(float64) // "NaN" is a string
				}
			}
		}
	}
}
