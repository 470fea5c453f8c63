package system

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/kwok/kustomize/crd"
	"sigs.k8s.io/kwok/kustomize/metrics/resource"
	"sigs.k8s.io/kwok/kustomize/metrics/usage"
)

// declaredObjects are beside KWOK's own: two pods that use what they say, and a service account that may read metrics.
const declaredObjects = `
apiVersion: v1
kind: Namespace
metadata: {name: declared}
---
apiVersion: v1
kind: Pod
metadata: {name: kwok, namespace: declared, annotations: {kwok.x-k8s.io/usage-cpu: 300m, kwok.x-k8s.io/usage-memory: 77Mi}}
spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: v1
kind: Pod
metadata: {name: steps, namespace: declared, annotations: {tripod.internal/cpu: "steps(1 for 1s, 500m for 1s)"}}
spec: {containers: [{name: c, image: nginx}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: declared-metrics}
rules: [{apiGroups: [""], resources: [nodes/metrics], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: declared-metrics}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: declared-metrics}
subjects: [{kind: ServiceAccount, name: default, namespace: declared}]
`

// TestKubeletsTellWhatIsDeclared installs KWOK's definitions and its own configurations, and asks kubelets what pods use: by the
// API server's proxy, and from a pod with its service account's token.
func TestKubeletsTellWhatIsDeclared(t *testing.T) {
	r := sharedRegion(t)
	file := func(name string, content ...string) string {
		path := filepath.Join(t.TempDir(), name)
		must(t, "write "+name, os.WriteFile(path, []byte(strings.Join(content, "\n---\n")), 0o600))
		return path
	}
	definitions := file("definitions.yaml", string(crd.ResourceUsage), string(crd.ClusterResourceUsage), string(crd.Metric))
	objects := file("objects.yaml", usage.DefaultUsageFromAnnotation, resource.DefaultMetricsResource, declaredObjects)
	r.kubectl(t, "apply", "-f", definitions)
	t.Cleanup(func() {
		r.kubectl(t, "delete", "--wait=false", "-f", objects)
		r.kubectl(t, "delete", "-f", definitions)
	})
	r.kubectl(t, "wait", "--for=condition=Established", "--timeout=30s", "-f", definitions)
	r.kubectl(t, "apply", "-f", objects)
	r.kubectl(t, "wait", "--for=condition=Ready", "--timeout=60s", "-n", "declared", "pod", "--all")

	if cores := r.coresOf(t, "kwok", 2*time.Second); math.Abs(cores-0.3) > 0.003 {
		t.Errorf("pod kwok uses %v cores, want 0.3", cores)
	}
	if cores := r.coresOf(t, "steps", 4*time.Second); math.Abs(cores-0.75) > 0.1 { // of whole steps it is exactly that
		t.Errorf("pod steps uses %v cores, want 0.75", cores)
	}
	node := r.nodeOf(t, "kwok")
	eventually(t, 20*time.Second, "KWOK's Metric is a path of the kubelet", func() (bool, string) {
		path := fmt.Sprintf("/api/v1/nodes/%s/proxy/metrics/nodes/%s/metrics/resource", node, node)
		out, errs, code := tripod(t, r.dir, "kubectl", "get", "--raw", path)
		return code == 0 && strings.Contains(out, `pod_memory_working_set_bytes{namespace="declared",pod="kwok"} 8.0740352e+07`), out + errs
	})

	address := r.kubectl(t, "get", "node", node, "-o", `jsonpath={.status.addresses[?(@.type=="InternalIP")].address}`)
	token := strings.TrimSpace(r.kubectl(t, "create", "token", "default", "-n", "declared"))
	for path, want := range map[string]string{"metrics/resource": "200", "stats/summary": "403", "pods": "403"} {
		got := r.kubectl(t, "exec", "-n", "declared", "kwok", "--", "curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}",
			"-H", "Authorization: Bearer "+token, "https://"+address+":10250/"+path)
		if got != want {
			t.Errorf("/%s for a service account with nodes/metrics: %s, want %s", path, got, want)
		}
	}
}

func (r *testRegion) nodeOf(t *testing.T, pod string) string {
	t.Helper()
	return r.kubectl(t, "get", "pod", pod, "-n", "declared", "-o", "jsonpath={.spec.nodeName}")
}

// coresOf is what a pod's counter grows by for at least so long.
func (r *testRegion) coresOf(t *testing.T, pod string, atLeast time.Duration) (cores float64) {
	t.Helper()
	path := "/api/v1/nodes/" + r.nodeOf(t, pod) + "/proxy/metrics/resource"
	series := fmt.Sprintf("\npod_cpu_usage_seconds_total{namespace=%q,pod=%q}", "declared", pod)
	counter := func() (seconds float64, at time.Time) {
		_, rest, found := strings.Cut(r.kubectl(t, "get", "--raw", path), series)
		var millis int64
		if _, err := fmt.Sscan(rest, &seconds, &millis); err != nil || !found {
			t.Fatalf("the kubelet does not tell of pod %s: %v", pod, err)
		}
		return seconds, time.UnixMilli(millis)
	}
	first, began := counter()
	eventually(t, time.Minute, "time goes by", func() (bool, string) {
		last, at := counter()
		cores = (last - first) / at.Sub(began).Seconds()
		return at.Sub(began) >= atLeast, at.Sub(began).String()
	})
	return cores
}
