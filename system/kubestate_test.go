package system

import (
	"bytes"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TestKubeStateIsToldWithoutAZone reads the state of the cluster's objects, and again when the first zone is gone.
func TestKubeStateIsToldWithoutAZone(t *testing.T) {
	r := startRegion(t)
	kube := r.kube(t)
	_, err := kube.CoreV1().ConfigMaps("default").Create(within(t, time.Minute), configMap("told", "x"), metav1.CreateOptions{})
	must(t, "create a ConfigMap", err)
	nodes, err := kube.CoreV1().Nodes().List(within(t, time.Minute), metav1.ListOptions{})
	must(t, "list nodes", err)
	families := r.kubeState(t)
	if got := len(families["kube_node_info"].GetMetric()); got != len(nodes.Items) {
		t.Errorf("kube_node_info tells of %d nodes, want %d", got, len(nodes.Items))
	}
	if !hasLabel(families["kube_configmap_info"], "configmap", "told") {
		t.Error("a new ConfigMap is not told")
	}
	if !hasLabel(families["kube_node_labels"], "label_topology_kubernetes_io_zone", "us-east-1a") {
		t.Error("no node has a zone")
	}
	_, err = kube.BatchV1().CronJobs("default").Create(within(t, time.Minute), &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{Name: "nightly"},
		Spec: batchv1.CronJobSpec{Schedule: "0 3 * * *",
			JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{
				Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "busybox"}}}}}}}},
		metav1.CreateOptions{})
	must(t, "create a CronJob", err)
	r.do(t, "kill", "az/a")
	status, stderr, code := tripod(t, r.dir, "status")
	if _, row, told := strings.Cut(status, "default/nightly"); code != 0 || !told || !strings.Contains(strings.Split(row, "\n")[0], " in ") {
		t.Errorf("the status has no CronJob that is to start: %s%s (%d)", status, stderr, code)
	}
	if got := len(r.kubeState(t)["kube_namespace_created"].GetMetric()); got < 4 {
		t.Errorf("without zone a there are %d namespaces", got)
	}
	if _, stderr, code := tripod(t, r.dir, "metrics", "kube-state/nobody"); code != 1 || !strings.Contains(stderr, `no cluster "nobody"`) {
		t.Errorf("of another cluster: %d %s", code, stderr)
	}
}

func (r *testRegion) kubeState(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	var text bytes.Buffer
	must(t, "read kube-state", r.Client.Metrics(within(t, time.Minute), "kube-state/demo", "", &text))
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(&text)
	must(t, "parse kube-state", err)
	return families
}

func hasLabel(family *dto.MetricFamily, name, value string) bool {
	for _, m := range family.GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == name && l.GetValue() == value {
				return true
			}
		}
	}
	return false
}
