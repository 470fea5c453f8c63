package system

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/autoscaling"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
)

// TestAVolumeIsOnOneNodeAtATime: a second node's pod is told so in Kubernetes' words.
func TestAVolumeIsOnOneNodeAtATime(t *testing.T) {
	t.Parallel()
	r := bringUp(t, newDir(t), "--nodes", "4") // two in a zone
	kube := r.kube(t)
	ctx := within(t, 6*time.Minute)
	installEBS(ctx, t, r.awsClients(t, awsHTTP))
	makeClass(ctx, t, kube)
	first, second := neighbours(ctx, t, kube)

	claimFor(ctx, t, kube, "data", corev1.ReadWriteOnce)
	podWith(ctx, t, kube, "one", "data", first)
	podRuns(ctx, t, kube, "one")
	podWith(ctx, t, kube, "two", "data", second)
	eventually(t, time.Minute, "the second pod says why it waits", func() (bool, string) {
		said := saidOf(ctx, kube, "two", "FailedAttachVolume") // Multi-Attach error before Kubernetes 1.36, and later a wait
		return strings.HasSuffix(said, "Volume is already used by pod(s) one"), said
	})

	claimFor(ctx, t, kube, "single", corev1.ReadWriteOncePod) // not even two pods of one node share it
	podWith(ctx, t, kube, "three", "single", second)
	podRuns(ctx, t, kube, "three")
	podWith(ctx, t, kube, "four", "single", second)
	eventually(t, time.Minute, "the scheduler says why the second pod waits", func() (bool, string) {
		said := saidOf(ctx, kube, "four", "FailedScheduling")
		return strings.Contains(said, "PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"), said
	})
	must(t, "delete the first", kube.CoreV1().Pods("default").Delete(ctx, "three", metav1.DeleteOptions{}))
	podRuns(ctx, t, kube, "four")

	claim := newClaim("usual", corev1.ReadWriteOnce)
	claim.Spec.StorageClassName = nil
	_, err := kube.CoreV1().PersistentVolumeClaims("default").Create(ctx, claim, metav1.CreateOptions{})
	must(t, "make a claim of the default class", err)
	podWith(ctx, t, kube, "five", "usual", first)
	podRuns(ctx, t, kube, "five")
}

func makeClass(ctx context.Context, t *testing.T, kube kubernetes.Interface) {
	t.Helper()
	_, err := kube.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "gp3"},
		Provisioner: "ebs.csi.aws.com", VolumeBindingMode: new(storagev1.VolumeBindingWaitForFirstConsumer)}, metav1.CreateOptions{})
	must(t, "make the class", err)
}

func podRuns(ctx context.Context, t *testing.T, kube kubernetes.Interface, name string) {
	t.Helper()
	eventually(t, 2*time.Minute, name+" runs", func() (bool, string) {
		pod, err := kube.CoreV1().Pods("default").Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return pod.Status.Phase == corev1.PodRunning, saidOf(ctx, kube, name, "FailedAttachVolume")
	})
}

// installEBS installs the add-on with the role that it needs.
func installEBS(ctx context.Context, t *testing.T, calls awsServices) {
	t.Helper()
	_, err := calls.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("aws-ebs-csi-driver"),
		ConfigurationValues: aws.String(`{"defaultStorageClass":{"enabled":true}}`)})
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
	_, err := kube.CoreV1().PersistentVolumeClaims("default").Create(ctx, newClaim(name, mode), metav1.CreateOptions{})
	must(t, "make the claim "+name, err)
}

func newClaim(name string, mode corev1.PersistentVolumeAccessMode) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeClaimSpec{
		StorageClassName: aws.String("gp3"), AccessModes: []corev1.PersistentVolumeAccessMode{mode},
		Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}
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

// keepNodes suspends what Auto Scaling would replace lost nodes by.
func keepNodes(ctx context.Context, t *testing.T, calls awsServices) {
	t.Helper()
	found, err := calls.groups.DescribeAutoScalingGroups(ctx, &autoscaling.DescribeAutoScalingGroupsInput{})
	must(t, "DescribeAutoScalingGroups", err)
	for _, group := range found.AutoScalingGroups {
		_, err := calls.groups.SuspendProcesses(ctx, &autoscaling.SuspendProcessesInput{AutoScalingGroupName: group.AutoScalingGroupName,
			ScalingProcesses: []string{"HealthCheck", "ReplaceUnhealthy", "AZRebalance"}})
		must(t, "SuspendProcesses", err)
	}
}

// TestAVolumeIsFreedByTheOutOfServiceTaint: a node that was stopped keeps its volume, which the attach-detach controller takes from it
// after six minutes, or at once where an operator says that the node is out of service.
func TestAVolumeIsFreedByTheOutOfServiceTaint(t *testing.T) {
	t.Parallel()
	soak(t) // Kubernetes takes a minute until it knows that a node is lost
	r := bringUp(t, newDir(t), "--nodes", "4")
	kube, calls := r.kube(t), r.awsClients(t, awsHTTP)
	ctx := within(t, 8*time.Minute)
	keepNodes(ctx, t, calls)
	installEBS(ctx, t, calls)
	makeClass(ctx, t, kube)
	first, second := neighbours(ctx, t, kube)
	claimFor(ctx, t, kube, "data", corev1.ReadWriteOnce)
	podWith(ctx, t, kube, "one", "data", first)
	podRuns(ctx, t, kube, "one")
	found, err := calls.ec2.DescribeInstances(ctx, &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{
		{Name: aws.String("private-dns-name"), Values: []string{first}}}})
	must(t, "DescribeInstances", err)
	_, err = calls.ec2.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{*found.Reservations[0].Instances[0].InstanceId}})
	must(t, "StopInstances", err)
	eventually(t, 2*time.Minute, "the node is known to be lost", func() (bool, string) {
		node, err := kube.CoreV1().Nodes().Get(ctx, first, metav1.GetOptions{})
		return err == nil && !isReady(*node), fmt.Sprint(err)
	})
	must(t, "delete its pod", kube.CoreV1().Pods("default").Delete(ctx, "one", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	podWith(ctx, t, kube, "two", "data", second)
	eventually(t, time.Minute, "the next pod says why it waits", func() (bool, string) {
		said := saidOf(ctx, kube, "two", "FailedAttachVolume")
		return said != "", said
	})
	attachments, err := kube.StorageV1().VolumeAttachments().List(ctx, metav1.ListOptions{})
	if must(t, "list the attachments", err); len(attachments.Items) != 1 || attachments.Items[0].Spec.NodeName != first {
		t.Errorf("before the taint the volume is attached by %v", attachments.Items)
	}
	_, err = kube.CoreV1().Nodes().Patch(ctx, first, types.StrategicMergePatchType, []byte(`{"spec":{"taints":[`+
		`{"key":"node.kubernetes.io/out-of-service","value":"nodeshutdown","effect":"NoExecute"}]}}`), metav1.PatchOptions{})
	must(t, "say that the node is out of service", err)
	began := time.Now()
	podRuns(ctx, t, kube, "two")
	t.Logf("the next pod runs %.1f s after the taint", time.Since(began).Seconds())
}
