package system

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/efs"
	efstypes "github.com/aws/aws-sdk-go-v2/service/efs/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestAFileSystemOutlivesAZone: without a role the add-on's driver makes no access point, and says why; with one, pods of two zones
// share their files, which the loss of one zone does not touch. A pod of a zone without a mount target waits for one.
func TestAFileSystemOutlivesAZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	kube := r.kube(t)
	ctx := within(t, 5*time.Minute)
	calls := r.awsClients(t, awsHTTP)

	_, err := calls.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("aws-efs-csi-driver")})
	must(t, "create the add-on", err)
	id := makeFileSystem(ctx, t, calls)
	targets := map[string]string{"a": mountTarget(ctx, t, calls, id, "us-east-1a"), "b": mountTarget(ctx, t, calls, id, "us-east-1b")}
	shareClaim(ctx, t, kube, id)
	eventually(t, 30*time.Second, "the claim says what the driver may not do", func() (bool, string) {
		said := saidOf(ctx, kube, "shared", "ProvisioningFailed")
		return strings.Contains(said, "Access Denied. Please ensure you have the right AWS permissions"), said
	})
	allowDriver(ctx, t, calls, "aws-efs-csi-driver", "efs-csi-controller-sa", "AmazonEFSCSIDriverPolicy")
	for _, zone := range []string{"a", "b", "c"} {
		sharingPod(ctx, t, kube, zone)
	}
	running := func(zone string) {
		t.Helper()
		eventually(t, time.Minute, "the pod of zone "+zone+" runs", func() (bool, string) {
			pod, err := kube.CoreV1().Pods("default").Get(ctx, "in-"+zone, metav1.GetOptions{})
			if err != nil {
				return false, err.Error()
			}
			return pod.Status.Phase == corev1.PodRunning, string(pod.Status.Phase) + " on " + pod.Spec.NodeName + " " +
				saidOf(ctx, kube, "in-"+zone, "FailedMount") + saidOf(ctx, kube, "in-"+zone, "FailedScheduling")
		})
	}
	running("a")
	running("b")
	eventually(t, 30*time.Second, "the pod of zone c says why it waits", func() (bool, string) {
		said := saidOf(ctx, kube, "in-c", "FailedMount")
		return strings.Contains(said, `Failed to resolve "`+id+`.efs.us-east-1.amazonaws.com"`), said
	})
	in := func(zone, command string) string {
		t.Helper()
		out, errs, code := inPod(t, r, "in-"+zone, command)
		if code != 0 {
			t.Errorf("in zone %s: %s: %s", zone, command, errs)
		}
		return out
	}
	in("a", `echo hello > "$TRIPOD_VOLUME_DATA/greeting"; echo mine > "$TRIPOD_VOLUME_SCRATCH/own"`)
	r.do(t, "kill", "az/a")
	if got := in("b", `cat "$TRIPOD_VOLUME_DATA/greeting"; ls "$TRIPOD_VOLUME_SCRATCH"`); got != "hello\n" {
		t.Errorf("in zone b there is %q", got)
	}
	in("b", `echo again >> "$TRIPOD_VOLUME_DATA/greeting"`)
	targets["c"] = mountTarget(ctx, t, calls, id, "us-east-1c")
	running("c")
	if got := in("c", `cat "$TRIPOD_VOLUME_DATA/greeting"`); got != "hello\nagain\n" {
		t.Errorf("in zone c there is %q", got)
	}
	r.do(t, "start", "az/a")
	_, err = calls.efs.DeleteFileSystem(ctx, &efs.DeleteFileSystemInput{FileSystemId: &id})
	var used *efstypes.FileSystemInUse
	if !errors.As(err, &used) {
		t.Errorf("deleted with its mount targets: %v", err)
	}
	for _, target := range targets {
		_, err := calls.efs.DeleteMountTarget(ctx, &efs.DeleteMountTargetInput{MountTargetId: &target})
		must(t, "delete a mount target", err)
	}
	eventually(t, time.Minute, "the file system is gone", func() (bool, string) {
		var gone *efstypes.FileSystemNotFound
		_, err := calls.efs.DeleteFileSystem(ctx, &efs.DeleteFileSystemInput{FileSystemId: &id})
		return errors.As(err, &gone), fmt.Sprint(err)
	})
}

// makeFileSystem makes a file system of the region.
func makeFileSystem(ctx context.Context, t *testing.T, calls awsServices) string {
	t.Helper()
	made, err := calls.efs.CreateFileSystem(ctx, &efs.CreateFileSystemInput{CreationToken: aws.String("story"), Encrypted: aws.Bool(true)})
	must(t, "create the file system", err)
	eventually(t, 30*time.Second, "the file system is available", func() (bool, string) {
		out, err := calls.efs.DescribeFileSystems(ctx, &efs.DescribeFileSystemsInput{FileSystemId: made.FileSystemId})
		if err != nil {
			return false, err.Error()
		}
		return out.FileSystems[0].LifeCycleState == efstypes.LifeCycleStateAvailable, string(out.FileSystems[0].LifeCycleState)
	})
	return *made.FileSystemId
}

// mountTarget gives a file system one in a zone.
func mountTarget(ctx context.Context, t *testing.T, calls awsServices, id, zone string) string {
	t.Helper()
	subnets, err := calls.ec2.DescribeSubnets(ctx, &ec2.DescribeSubnetsInput{})
	must(t, "describe the subnets", err)
	for _, s := range subnets.Subnets {
		if *s.AvailabilityZone != zone {
			continue
		}
		made, err := calls.efs.CreateMountTarget(ctx, &efs.CreateMountTargetInput{FileSystemId: &id, SubnetId: s.SubnetId})
		must(t, "create the mount target of "+zone, err)
		eventually(t, 30*time.Second, "the mount target of "+zone+" is available", func() (bool, string) {
			out, err := calls.efs.DescribeMountTargets(ctx, &efs.DescribeMountTargetsInput{MountTargetId: made.MountTargetId})
			if err != nil {
				return false, err.Error()
			}
			return out.MountTargets[0].LifeCycleState == efstypes.LifeCycleStateAvailable, string(out.MountTargets[0].LifeCycleState)
		})
		return *made.MountTargetId
	}
	t.Fatalf("%s has no subnet", zone)
	return ""
}

// shareClaim makes a claim of a class whose volumes are access points of the file system.
func shareClaim(ctx context.Context, t *testing.T, kube kubernetes.Interface, id string) {
	t.Helper()
	_, err := kube.StorageV1().StorageClasses().Create(ctx, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "efs"},
		Provisioner: "efs.csi.aws.com", Parameters: map[string]string{"provisioningMode": "efs-ap", "fileSystemId": id,
			"directoryPerms": "700"}}, metav1.CreateOptions{})
	must(t, "make the class", err)
	_, err = kube.CoreV1().PersistentVolumeClaims("default").Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "shared"}, Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: aws.String("efs"),
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany}, Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("5Gi")}}}}, metav1.CreateOptions{})
	must(t, "make the claim", err)
}

// sharingPod makes a pod in a zone that has the claim's volume, and one of its own.
func sharingPod(ctx context.Context, t *testing.T, kube kubernetes.Interface, zone string) {
	t.Helper()
	_, err := kube.CoreV1().Pods("default").Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "in-" + zone}, Spec: corev1.PodSpec{
		NodeSelector: map[string]string{corev1.LabelTopologyZone: "us-east-1" + zone},
		Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "shared"}}},
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}},
		Containers: []corev1.Container{{Name: "app", Image: "app", VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"},
			{Name: "scratch", MountPath: "/scratch"}}}}}}, metav1.CreateOptions{})
	must(t, "make the pod of zone "+zone, err)
}
