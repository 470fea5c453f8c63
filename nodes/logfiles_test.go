package nodes

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/internal/datadir"
	"tripod/nodes/kubeletapi"
	"tripod/nodes/podlogs"
)

func TestLogFilesOutliveTheZoneAndNotThePod(t *testing.T) {
	client, zoneDir := fake.NewClientset(), t.TempDir()
	config := testConfig(1)
	config.NodeLogs, config.NodeDir = true, func(id string) string { return datadir.NodeDir(zoneDir, id) }
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
	eventually(t, "the end of the log", func() (string, bool) { got := logs(); return strings.Join(got, "\n"), len(got) == 0 })
}
