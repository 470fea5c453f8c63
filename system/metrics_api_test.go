package system

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestTopAndTheAutoscalerWorkWithNothingInstalled is a story of a fresh cluster's metrics API: what `kubectl top` shows, whom RBAC lets
// see it, and a HorizontalPodAutoscaler that scales out because requests come through a Service, while a zone is lost, and in again.
func TestTopAndTheAutoscalerWorkWithNothingInstalled(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	kube := r.kube(t)
	r.shows(t, time.Minute, "the APIs are available", func(out string) bool { return out == "True True" }, "get", "apiservice",
		"v1beta1.metrics.k8s.io", "v1.metrics.eks.amazonaws.com", "-o", "jsonpath={.items[*].status.conditions[?(@.type==\"Available\")].status}")
	r.kubectl(t, "apply", "-f", "testdata/autoscaled.yaml")
	r.kubectl(t, "rollout", "status", "--timeout=2m", "-n", "shop", "deployment/web")

	r.shows(t, time.Minute, "top node", func(out string) bool {
		return strings.Count(out, "ec2.internal") == 3 && !strings.Contains(out, "unknown")
	},
		"top", "node")
	r.shows(t, time.Minute, "top pod --containers", func(out string) bool {
		return strings.Contains(out, "nginx") && strings.Contains(out, "log") && strings.Contains(out, "10m") && strings.Contains(out, "32Mi")
	}, "top", "pod", "--containers", "-n", "shop")
	if out := r.kubectl(t, "get", "podmetrics", "-n", "shop", "-l", "app=web"); !strings.Contains(out, "NAME") ||
		!strings.Contains(out, "CPU") || !strings.Contains(out, "WINDOW") || !strings.Contains(out, "web-") {
		t.Errorf("kubectl get podmetrics: %s", out)
	}
	r.refuses(t, `podmetrics.metrics.k8s.io|pods "none" not found`, "get", "podmetrics", "none", "-n", "shop")
	metricsRBAC(t, r)

	stop := load(t, kube)
	replicas(t, kube, 2*time.Minute, "the load scales it out", func(n int32) bool { return n == 4 })
	r.do(t, "kill", "az/b")
	r.shows(t, time.Minute, "the lost zone's node has no metrics", func(out string) bool { return strings.Count(out, "ec2.internal") == 2 },
		"get", "nodemetrics")
	hpa, err := kube.AutoscalingV2().HorizontalPodAutoscalers("shop").Get(within(t, time.Minute), "web", metav1.GetOptions{})
	must(t, "get the autoscaler", err)
	if hpa.Status.DesiredReplicas != 4 {
		t.Errorf("without a zone it wants %d replicas", hpa.Status.DesiredReplicas)
	}
	r.do(t, "start", "az/b")
	r.shows(t, 2*time.Minute, "its node has metrics again", func(out string) bool { return strings.Count(out, "ec2.internal") == 3 },
		"get", "nodemetrics")
	replicas(t, kube, 2*time.Minute, "the load keeps it out", func(n int32) bool { return n == 4 })
	stop()
	replicas(t, kube, 3*time.Minute, "without load it scales in", func(n int32) bool { return n == 1 })
	metricsServerComesAndGoes(t, r)
}

// metricsRBAC: the role view has metrics by aggregation, and EKS's own are behind their rules.
func metricsRBAC(t *testing.T, r *testRegion) {
	t.Helper()
	r.refuses(t, `User "somebody" cannot list resource "pods" in API group "metrics.k8s.io" in the namespace "shop"`,
		"top", "pod", "-n", "shop", "--as=somebody")
	r.kubectl(t, "create", "rolebinding", "somebody", "-n", "shop", "--clusterrole=view", "--user=somebody")
	r.shows(t, time.Minute, "view has metrics", func(out string) bool { return strings.Contains(out, "web-") },
		"top", "pod", "-n", "shop", "--as=somebody")
	const scheduler = "/apis/metrics.eks.amazonaws.com/v1/ksh/container/metrics"
	r.refuses(t, `cannot get resource "ksh/metrics" in API group "metrics.eks.amazonaws.com"`, "get", "--raw", scheduler, "--as=somebody")
	r.kubectl(t, "apply", "-f", "testdata/scraper.yaml")
	r.shows(t, time.Minute, "the scheduler's metrics", func(out string) bool {
		return strings.Contains(out, "\nscheduler_schedule_attempts_total{") && !strings.Contains(out, "\nworkqueue_depth")
	}, "get", "--raw", scheduler, "--as=somebody")
	for path, want := range map[string]string{
		"ksh/container/resourcemetrics": `kube_pod_resource_request{namespace="shop"`, "kcm/container/metrics": "\nworkqueue_depth{",
	} {
		r.shows(t, time.Minute, path, func(out string) bool { return strings.Contains(out, want) }, "get", "--raw",
			"/apis/metrics.eks.amazonaws.com/v1/"+path)
	}
}

// metricsServerComesAndGoes: what metrics-server's manifest has takes the place of what is there, which comes back after it.
func metricsServerComesAndGoes(t *testing.T, r *testRegion) {
	t.Helper()
	endpoints := []string{"get", "endpointslices", "-n", "kube-system", "-l", "kubernetes.io/service-name=metrics-server", "-o",
		"jsonpath={.items[*].endpoints[*].addresses[*]}"}
	ours := func(out string) bool { return out == "172.0.32.0" }
	r.shows(t, time.Minute, "ours", ours, endpoints...)
	r.kubectl(t, "apply", "-f", "testdata/metrics-server.yaml")
	r.shows(t, time.Minute, "theirs", func(out string) bool { return strings.HasPrefix(out, "10.0.") }, endpoints...)
	r.kubectl(t, "delete", "-f", "testdata/metrics-server.yaml")
	r.shows(t, time.Minute, "ours again", ours, endpoints...)
	r.shows(t, time.Minute, "top node", func(out string) bool { return strings.Count(out, "ec2.internal") == 3 }, "top", "node")
}

// shows waits until kubectl shows something.
func (r *testRegion) shows(t *testing.T, d time.Duration, what string, good func(out string) bool, args ...string) {
	t.Helper()
	eventually(t, d, what, func() (bool, string) {
		out, errs, code := tripod(t, r.dir, append([]string{"kubectl"}, args...)...)
		return code == 0 && good(out), tailOf(out, 2000) + errs
	})
}

func tailOf(text string, n int) string { return text[max(0, len(text)-n):] }

// refuses says that kubectl fails with one of the texts.
func (r *testRegion) refuses(t *testing.T, texts string, args ...string) {
	t.Helper()
	out, errs, code := tripod(t, r.dir, append([]string{"kubectl"}, args...)...)
	for text := range strings.SplitSeq(texts, "|") {
		if code != 0 && strings.Contains(errs, text) {
			return
		}
	}
	t.Errorf("kubectl %s: exit code %d, %s%s, want %s", strings.Join(args, " "), code, out, errs, texts)
}

// load sends requests to the Service web until stop.
func load(t *testing.T, kube kubernetes.Interface) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				asking, end := context.WithTimeout(ctx, 2*time.Second)
				_, _ = kube.CoreV1().Services("shop").ProxyGet("http", "web", "80", "/", nil).DoRaw(asking) // some fail with their zone
				end()
			}
		}
	}()
	return func() { cancel(); <-done }
}

// replicas waits for the Deployment web to have so many.
func replicas(t *testing.T, kube kubernetes.Interface, d time.Duration, what string, good func(int32) bool) {
	t.Helper()
	begin := time.Now()
	eventually(t, d, what, func() (bool, string) {
		web, err := kube.AppsV1().Deployments("shop").Get(within(t, 10*time.Second), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		hpa, err := kube.AutoscalingV2().HorizontalPodAutoscalers("shop").Get(within(t, 10*time.Second), "web", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return good(*web.Spec.Replicas), fmt.Sprintf("%d replicas; %+v", *web.Spec.Replicas, hpa.Status)
	})
	t.Logf("%s: after %.0f s", what, time.Since(begin).Seconds())
}
