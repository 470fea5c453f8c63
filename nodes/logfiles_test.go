package nodes

import (
	"context"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/internal/datadir"
	"tripod/nodes/kubeletapi"
	"tripod/nodes/logrouter"
	"tripod/nodes/podlogs"
)

// output takes what a router sends.
type output struct {
	mu   sync.Mutex
	text string
}

func (o *output) Send(_ context.Context, records []logrouter.Record) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, r := range records {
		o.text += string(r.JSON()) + "\n"
	}
	return nil
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text
}

func TestLogFilesOutliveTheZoneAndNotThePod(t *testing.T) {
	client, zoneDir := fake.NewClientset(), t.TempDir()
	config := testConfig(1)
	config.NodeLogs, config.NodeDir = true, func(id string) string { return datadir.NodeDir(zoneDir, id) }
	out := &output{}
	config.LogOutputs = func(instanceID, node string) map[string]logrouter.Output {
		return map[string]logrouter.Output{"test": out}
	}
	sim := startFake(t, config, client)
	pods := client.CoreV1().Pods("default")
	watched(t, client, "pods")
	pod := newPod("web", firstNode())
	pod.Annotations = map[string]string{kubeletapi.LogsAnnotation: "hello"}
	if _, err := pods.Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(datadir.NodeRoot(datadir.NodeDir(zoneDir, config.Machines[0].InstanceID)), podlogs.ContainersDir)
	logs := func() (texts []string) {
		links, _ := os.ReadDir(dir)
		for _, link := range links {
			text, _ := os.ReadFile(filepath.Join(dir, link.Name()))
			texts = append(texts, string(text))
		}
		return texts
	}
	one := func() (string, bool) {
		got := logs()
		return strings.Join(got, "\n"), len(got) == 1 && strings.HasSuffix(got[0], " stdout F hello\n")
	}
	eventually(t, "the log", one)
	eventually(t, "the record", func() (string, bool) {
		got := out.String()
		return got, strings.Contains(got, `"log":"hello"`) && strings.Contains(got, `"container_image":"`) &&
			strings.Contains(got, `"host":"`+firstNode()+`"`) && strings.Contains(got, `"docker_id":"`)
	})
	recorder := httptest.NewRecorder()
	sim.current().routerMetrics(firstNode()).ServeHTTP(recorder, httptest.NewRequest("GET", "/api/v1/metrics/prometheus", nil))
	if !strings.Contains(recorder.Body.String(), `fluentbit_output_proc_records_total{name="test"} 1`) {
		t.Errorf("metrics:\n%s", recorder.Body)
	}
	if err := sim.Stop(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	if state, there := one(); !there {
		t.Errorf("after the zone's end: %q", state)
	}
	if err := sim.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	watched(t, client, "pods")
	if err := pods.Delete(t.Context(), "web", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d records were sent: what was sent before the zone's end is sent again", n)
	}
	eventually(t, "the end of the log", func() (string, bool) { got := logs(); return strings.Join(got, "\n"), len(got) == 0 })
}
