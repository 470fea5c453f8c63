package system

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestAStatefulSetOutlivesEachZoneInTurn: the pod of a lost zone waits and says why, the two others go on, and when the zone is
// back the pod has its data again. The lost nodes are not replaced meanwhile: their group's processes are suspended.
func TestAStatefulSetOutlivesEachZoneInTurn(t *testing.T) {
	t.Parallel()
	soak(t) // Kubernetes takes a minute until it knows that a node is lost
	r := startRegion(t)
	kube, calls := r.kube(t), r.awsClients(t, awsHTTP)
	ctx := within(t, 15*time.Minute)
	keepNodes(ctx, t, calls)
	installEBS(ctx, t, calls)
	makeDatabase(ctx, t, kube)
	ready := func(count int32) {
		t.Helper()
		eventually(t, 3*time.Minute, fmt.Sprint(count, " pods are ready"), func() (bool, string) {
			set, err := kube.AppsV1().StatefulSets("default").Get(ctx, "db", metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			return set.Status.ReadyReplicas == count, fmt.Sprintf("%d are ready", set.Status.ReadyReplicas)
		})
	}
	ready(3)
	for i := range 3 {
		name := fmt.Sprintf("db-%d", i)
		if _, errs, code := inPod(t, r, name, "echo "+name+` > "$TRIPOD_VOLUME_DATA/name"`); code != 0 {
			t.Fatalf("write to the volume of %s: %d %s", name, code, errs)
		}
	}
	for i := range 3 {
		name := fmt.Sprintf("db-%d", i)
		before, zone := placeOf(ctx, t, kube, name)
		r.do(t, "kill", "az/"+letter(zone))
		eventually(t, 2*time.Minute, "its node is known to be lost", func() (bool, string) {
			node, err := kube.CoreV1().Nodes().Get(ctx, before.Spec.NodeName, metav1.GetOptions{})
			return err == nil && !isReady(*node), fmt.Sprint(err)
		})
		ready(2)
		must(t, "delete the pod of the lost zone", kube.CoreV1().Pods("default").Delete(ctx, name,
			metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
		eventually(t, time.Minute, "its next pod says why it waits", func() (bool, string) {
			said := saidOf(ctx, kube, name, "FailedScheduling")
			return strings.Contains(said, "untolerated taint") && (strings.Contains(said, "PersistentVolume's node affinity") ||
				strings.Contains(said, "volume node affinity conflict")), said
		})
		r.do(t, "start", "az/"+letter(zone))
		began := time.Now()
		ready(3)
		now, at := placeOf(ctx, t, kube, name)
		if at != zone || now.UID == before.UID {
			t.Errorf("%s is in %s, and was in %s", name, at, zone)
		}
		t.Logf("%s runs again %.1f s after its zone's start", name, time.Since(began).Seconds())
		for j := range 3 {
			name := fmt.Sprintf("db-%d", j)
			if out, errs, _ := inPod(t, r, name, `cat "$TRIPOD_VOLUME_DATA/name"`); out != name+"\n" {
				t.Errorf("after the loss of %s %s has %q: %s", zone, name, out, errs)
			}
		}
	}
}

// placeOf is a pod, and its node's zone.
func placeOf(ctx context.Context, t *testing.T, kube kubernetes.Interface, name string) (*corev1.Pod, string) {
	t.Helper()
	pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
	must(t, "read "+name, err)
	node, err := kube.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
	must(t, "read its node", err)
	return pod, node.Labels[corev1.LabelTopologyZone]
}
