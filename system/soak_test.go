package system

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"

	"tripod/api"
	"tripod/client"
)

// soaking is for how long the long campaigns run, by TRIPOD_SOAK; 0: they do not.
var soaking = parseSoak(os.Getenv("TRIPOD_SOAK"))

func parseSoak(text string) time.Duration {
	d, _ := time.ParseDuration(text)
	return d
}

func soak(t *testing.T) time.Duration {
	if soaking == 0 {
		t.Skip("a long campaign: TRIPOD_SOAK=1h runs it for an hour, as 'make soak' does")
	}
	return soaking
}

// TestRegionsAtRestCountNobodyForDead has four regions side by side with nobody speaking to them.
func TestRegionsAtRestCountNobodyForDead(t *testing.T) {
	lasts := soak(t)
	var regions []*testRegion
	for range 4 {
		regions = append(regions, startRegion(t))
	}
	since := map[*testRegion]uint64{}
	for _, r := range regions {
		r.await(t, 2*time.Minute, "region", client.ForHealthy)
		since[r] = r.lastEvent(t)
	}
	time.Sleep(lasts)
	for i, r := range regions {
		for _, alarm := range r.alarmsSince(t, since[r]) {
			t.Errorf("region %d: a false alarm: %s", i+1, alarm)
		}
	}
}

// TestOwnLoadCountsNobodyForDead has a region make and delete pods, serve watches and take big CRDs, while another one
// starts and stops beside it.
func TestOwnLoadCountsNobodyForDead(t *testing.T) {
	lasts := soak(t)
	const pods, watches, definitions = 2000, 200, 18
	r := startRegion(t)
	r.await(t, 2*time.Minute, "region", client.ForHealthy)
	since := r.lastEvent(t)
	config := r.config(t)
	config.Timeout = 0
	kube := mustClient(t, config)
	namespace(t, kube, "load")
	ctx, cancel := context.WithTimeout(t.Context(), lasts)
	defer cancel()
	var working sync.WaitGroup
	var seen, made, calls atomic.Int64
	for range watches {
		working.Go(func() { watchPods(ctx, t, kube, &seen) })
	}
	for n := range definitions {
		must(t, "make a CRD", makeDefinition(ctx, r, t, n))
	}
	for worker := range 8 {
		working.Go(func() { churn(ctx, t, kube, worker, pods/8, &made) })
	}
	working.Go(func() { // AWS calls are answered, all of them
		services := r.awsClients(t, awsHTTP)
		for ctx.Err() == nil {
			if _, err := services.sts.GetCallerIdentity(ctx, nil); err != nil && ctx.Err() == nil {
				t.Errorf("an AWS call: %v", err)
			}
			calls.Add(1)
			time.Sleep(200 * time.Millisecond)
		}
	})
	for ctx.Err() == nil {
		other := startRegion(t)
		must(t, "down", other.Close(within(t, time.Minute)))
	}
	working.Wait()
	status := r.status(t)
	t.Logf("%d pods made and deleted, %d watch events, %d AWS calls; %d MiB in all with %d CRDs", made.Load(),
		seen.Load(), calls.Load(), status.MemoryBytes>>20, definitions)
	for _, alarm := range r.alarmsSince(t, since) {
		t.Error("a false alarm: " + alarm)
	}
}

// alarmsSince are the events since one with that number that tell of a death.
func (r *testRegion) alarmsSince(t testing.TB, since uint64) (all []string) {
	t.Helper()
	must(t, "events", r.Events(within(t, 10*time.Second), since, false, func(event api.Event) error {
		if slices.Contains(alarms, event.Type) {
			all = append(all, fmt.Sprintf("%s %s: %s", event.Time.Format(time.TimeOnly), event.Type, event.Message))
		}
		return nil
	}))
	return all
}

func watchPods(ctx context.Context, t *testing.T, kube kubernetes.Interface, seen *atomic.Int64) {
	for ctx.Err() == nil {
		watched, err := kube.CoreV1().Pods("load").Watch(ctx, metav1.ListOptions{})
		if err != nil {
			if ctx.Err() == nil {
				t.Errorf("watch: %v", err)
			}
			return
		}
		for range watched.ResultChan() {
			seen.Add(1)
		}
	}
}

// churn makes so many pods, waits for nothing, deletes them all, and begins again.
func churn(ctx context.Context, t *testing.T, kube kubernetes.Interface, worker, pods int, made *atomic.Int64) {
	grace := int64(0)
	for ctx.Err() == nil {
		for n := 0; n < pods && ctx.Err() == nil; n++ {
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: fmt.Sprintf("load-%d-", worker),
				Labels: map[string]string{"worker": fmt.Sprint(worker)}},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "c"}}}}
			if _, err := kube.CoreV1().Pods("load").Create(ctx, pod, metav1.CreateOptions{}); err != nil {
				if ctx.Err() == nil {
					t.Errorf("make a pod: %v", err)
				}
				continue
			}
			made.Add(1)
		}
		err := kube.CoreV1().Pods("load").DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &grace},
			metav1.ListOptions{LabelSelector: fmt.Sprintf("worker=%d", worker)})
		if err != nil && ctx.Err() == nil {
			t.Errorf("delete pods: %v", err)
		}
	}
}

// makeDefinition makes a CRD of the size of Prometheus operator's: some 300 KB of described fields, in groups as of a
// pod's template.
func makeDefinition(ctx context.Context, r *testRegion, t *testing.T, n int) error {
	field := func(i int) map[string]any {
		return map[string]any{"type": "string",
			"description": fmt.Sprintf("Field %d. ", i) + strings.Repeat("What it is for, and what may be in it. ", 4)}
	}
	groups := map[string]any{}
	for g := range 30 {
		fields := map[string]any{}
		for f := range 40 {
			fields[fmt.Sprintf("field%d", f)] = field(f)
		}
		groups[fmt.Sprintf("group%d", g)] = map[string]any{"type": "array", "description": "A list.",
			"items": map[string]any{"type": "object", "properties": fields}}
	}
	plural := fmt.Sprintf("things%d", n)
	definition := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
		"metadata": map[string]any{"name": plural + ".load.tripod.test"},
		"spec": map[string]any{"group": "load.tripod.test", "scope": "Namespaced",
			"names": map[string]any{"plural": plural, "kind": fmt.Sprintf("Thing%d", n)},
			"versions": []any{map[string]any{"name": "v1", "served": true, "storage": true,
				"schema": map[string]any{"openAPIV3Schema": map[string]any{"type": "object",
					"properties": map[string]any{"spec": map[string]any{"type": "object", "properties": groups}}}}}}},
	}}
	resource := schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1",
		Resource: "customresourcedefinitions"}
	_, err := r.dynamic(t).Resource(resource).Create(ctx, definition, metav1.CreateOptions{})
	return err
}
