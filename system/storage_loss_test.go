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
	"k8s.io/client-go/kubernetes"
)

// TestAVolumeIsOnOneNodeAtATime: a second node's pod is told so in Kubernetes' words.
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
		said := saidOf(ctx, kube, "two", "FailedAttachVolume") // Multi-Attach error before Kubernetes 1.36, and later a wait
		return strings.HasSuffix(said, "Volume is already used by pod(s) one"), said
	})
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
