package system

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestAStatefulSetIsBackAfterTheLossOfEachZone: the pod of the zone that is lost waits, and says why; with the zone it is back,
// and has its data.
func TestAStatefulSetIsBackAfterTheLossOfEachZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	kube := r.kube(t)
	ctx := within(t, 10*time.Minute)
	installEBS(ctx, t, r.awsClients(t, awsHTTP))
	makeDatabase(ctx, t, kube)
	replicas := func() (bool, string) {
		set, err := kube.AppsV1().StatefulSets("default").Get(ctx, "db", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return set.Status.ReadyReplicas == 3, fmt.Sprintf("%d are ready", set.Status.ReadyReplicas)
	}
	eventually(t, time.Minute, "three pods run", replicas)
	for _, name := range []string{"db-0", "db-1", "db-2"} {
		if _, errs, code := inPod(t, r, name, `echo `+name+` > "$TRIPOD_VOLUME_DATA/name"`); code != 0 {
			t.Fatalf("write to the volume of %s: %s", name, errs)
		}
		lost := "az/" + letter(zoneOfPod(ctx, t, kube, name))
		r.do(t, "kill", lost)
		eventually(t, 2*time.Minute, "its node is known to be lost", func() (bool, string) {
			pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			node, err := kube.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			for _, taint := range node.Spec.Taints {
				if taint.Key == corev1.TaintNodeUnreachable && taint.Effect == corev1.TaintEffectNoExecute {
					return true, ""
				}
			}
			return false, fmt.Sprint(node.Spec.Taints)
		})
		must(t, "delete the pod of the lost zone", kube.CoreV1().Pods("default").Delete(ctx, name, metav1.DeleteOptions{
			GracePeriodSeconds: new(int64)}))
		eventually(t, time.Minute, "its next pod says why it waits", func() (bool, string) {
			said := saidOf(ctx, kube, name, "FailedScheduling")
			return strings.Contains(said, "PersistentVolume's node affinity") || strings.Contains(said, "volume node affinity conflict"), said
		})
		r.do(t, "start", lost)
		eventually(t, 2*time.Minute, "all pods run again", replicas)
		if out, errs, _ := inPod(t, r, name, `cat "$TRIPOD_VOLUME_DATA/name"`); out != name+"\n" {
			t.Errorf("%s has %q %s", name, out, errs)
		}
	}
}

// TestAVolumeIsOnOneNodeAtATime: a second node's pod is told so in Kubernetes' words, until the first node is known to be out of
// service; a claim of a single pod is the scheduler's to refuse.
func TestAVolumeIsOnOneNodeAtATime(t *testing.T) {
	t.Parallel()
	r := bringUp(t, newDir(t), "--nodes", "4") // two in a zone
	kube := r.kube(t)
	ctx := within(t, 6*time.Minute)
	installEBS(ctx, t, r.awsClients(t, awsHTTP))
	_, err := kube.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "gp3"},
		Provisioner: "ebs.csi.aws.com", VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer)}, metav1.CreateOptions{})
	must(t, "make the class", err)
	first, second := neighbours(ctx, t, kube)

	claimFor(ctx, t, kube, "data", corev1.ReadWriteOnce)
	podWith(ctx, t, kube, "one", "data", first)
	runs := func(name string) {
		t.Helper()
		eventually(t, 2*time.Minute, name+" runs", func() (bool, string) {
			pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			return pod.Status.Phase == corev1.PodRunning, saidOf(ctx, kube, name, "FailedAttachVolume")
		})
	}
	runs("one")
	podWith(ctx, t, kube, "two", "data", second)
	eventually(t, time.Minute, "the second pod says why it waits", func() (bool, string) {
		said := saidOf(ctx, kube, "two", "FailedAttachVolume")
		return strings.HasPrefix(said, `Multi-Attach error for volume "pvc-`) &&
			strings.Contains(said, "Volume is already used by pod(s) one"), said
	})

	claimFor(ctx, t, kube, "own", corev1.ReadWriteOncePod)
	podWith(ctx, t, kube, "alone", "own", second)
	runs("alone")
	podWith(ctx, t, kube, "another", "own", second)
	eventually(t, time.Minute, "a second pod of a claim for one is not scheduled", func() (bool, string) {
		said := saidOf(ctx, kube, "another", "FailedScheduling")
		return strings.Contains(said, "node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode"), said
	})

	if _, errs, code := tripod(t, r.dir, "fault", "node/"+first, "not-ready"); code != 0 {
		t.Fatalf("take the first node away: %s", errs)
	}
	eventually(t, 2*time.Minute, "the first node is known to be lost", func() (bool, string) {
		node, err := kube.CoreV1().Nodes().Get(ctx, first, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		for _, c := range node.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status != corev1.ConditionTrue {
				return true, ""
			}
		}
		return false, "it is Ready"
	})
	_, err = kube.CoreV1().Nodes().Patch(ctx, first, types.StrategicMergePatchType, []byte(`{"spec":{"taints":[{"key":`+
		`"node.kubernetes.io/out-of-service","value":"nodeshutdown","effect":"NoExecute"}]}}`), metav1.PatchOptions{})
	must(t, "take the first node out of service", err)
	runs("two")
}

// installEBS installs the add-on with the role that it needs.
func installEBS(ctx context.Context, t *testing.T, calls awsServices) {
	t.Helper()
	_, err := calls.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("aws-ebs-csi-driver")})
	must(t, "create the add-on", err)
	allowDriver(ctx, t, calls, "aws-ebs-csi-driver", "ebs-csi-controller-sa", "AmazonEBSCSIDriverPolicy")
}

// inPod runs a shell's command as a pod.
func inPod(t *testing.T, r *testRegion, name, command string) (out, errs string, code int) {
	t.Helper()
	return tripod(t, r.dir, "pod", "exec", "default/"+name, "--", "sh", "-c", command)
}

func zoneOfPod(ctx context.Context, t *testing.T, kube kubernetes.Interface, name string) string {
	t.Helper()
	pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
	must(t, "read the pod", err)
	node, err := kube.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
	must(t, "read its node", err)
	return node.Labels[corev1.LabelTopologyZone]
}

// neighbours are two nodes of one zone.
func neighbours(ctx context.Context, t *testing.T, kube kubernetes.Interface) (first, second string) {
	t.Helper()
	eventually(t, time.Minute, "two nodes of a zone", func() (bool, string) {
		nodes, err := kube.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
		if err != nil {
			return false, err.Error()
		}
		by := map[string]string{}
		for _, n := range nodes.Items {
			zone := n.Labels[corev1.LabelTopologyZone]
			if by[zone] != "" {
				first, second = by[zone], n.Name
				return true, ""
			}
			by[zone] = n.Name
		}
		return false, fmt.Sprint(by)
	})
	return first, second
}

func claimFor(ctx context.Context, t *testing.T, kube kubernetes.Interface, name string, mode corev1.PersistentVolumeAccessMode) {
	t.Helper()
	_, err := kube.CoreV1().PersistentVolumeClaims("default").Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: aws.String("gp3"),
			AccessModes: []corev1.PersistentVolumeAccessMode{mode}, Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}, metav1.CreateOptions{})
	must(t, "make the claim "+name, err)
}

// podWith makes a pod with a claim's volume that is for a node.
func podWith(ctx context.Context, t *testing.T, kube kubernetes.Interface, name, claim, node string) {
	t.Helper()
	_, err := kube.CoreV1().Pods("default").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PodSpec{
		NodeSelector: map[string]string{corev1.LabelHostname: node},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim}}}},
		Containers: []corev1.Container{{Name: "app", Image: "app", VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}}},
	}}, metav1.CreateOptions{})
	must(t, "make the pod "+name, err)
}
