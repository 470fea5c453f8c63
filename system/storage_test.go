package system

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// TestVolumesStayInTheirZone: without a role the add-on's driver makes no volume, and says why; with one each pod of a
// StatefulSet gets a volume in its zone, whose files outlive the pod and the loss of the zone.
func TestVolumesStayInTheirZone(t *testing.T) {
	t.Parallel()
	r := startRegion(t)
	kube := r.kube(t)
	ctx := within(t, 4*time.Minute)
	calls := r.awsClients(t, awsHTTP)

	_, err := calls.eks.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: aws.String("demo"), AddonName: aws.String("aws-ebs-csi-driver")})
	must(t, "create the add-on", err)
	makeDatabase(ctx, t, kube)
	eventually(t, 30*time.Second, "the claim says what the driver may not do", func() (bool, string) {
		said := saidOf(ctx, kube, "data-db-0", "ProvisioningFailed")
		return strings.Contains(said, "api error UnauthorizedOperation: You are not authorized to perform this operation."), said
	})

	allowDriver(ctx, t, calls, "aws-ebs-csi-driver", "ebs-csi-controller-sa", "AmazonEBSCSIDriverPolicy")
	eventually(t, time.Minute, "three pods run", func() (bool, string) {
		set, err := kube.AppsV1().StatefulSets("default").Get(ctx, "db", metav1.GetOptions{})
		if err != nil {
			return false, err.Error()
		}
		return set.Status.ReadyReplicas == 3, fmt.Sprintf("%d are ready", set.Status.ReadyReplicas)
	})
	zones, ids := map[string]string{}, map[string]string{} // by the claim
	volumes, err := calls.ec2.DescribeVolumes(ctx, &ec2.DescribeVolumesInput{Filters: []ec2types.Filter{{
		Name: aws.String("tag:kubernetes.io/created-for/pvc/name"), Values: []string{"data-db-*"}}}})
	must(t, "describe the volumes", err)
	for _, v := range volumes.Volumes {
		if v.State != ec2types.VolumeStateInUse {
			t.Errorf("%s is %s", *v.VolumeId, v.State)
		}
		for _, tag := range v.Tags {
			if *tag.Key == "kubernetes.io/created-for/pvc/name" {
				zones[*tag.Value], ids[*tag.Value] = *v.AvailabilityZone, *v.VolumeId
			}
		}
	}
	pod, err := kube.CoreV1().Pods("default").Get(ctx, "db-1", metav1.GetOptions{})
	must(t, "read the pod", err)
	node, err := kube.CoreV1().Nodes().Get(ctx, pod.Spec.NodeName, metav1.GetOptions{})
	must(t, "read its node", err)
	zone := node.Labels[corev1.LabelTopologyZone]
	if len(zones) != 3 || zones["data-db-1"] != zone {
		t.Fatalf("the volumes are in %v, and db-1 in %s", zones, zone)
	}

	if _, errs, code := tripod(t, r.dir, "pod", "exec", "default/db-1", "--", "sh", "-c",
		`echo hello > "$TRIPOD_VOLUME_DATA/greeting"`); code != 0 {
		t.Fatalf("write to the volume: %d %s", code, errs)
	}
	must(t, "delete the pod", kube.CoreV1().Pods("default").Delete(ctx, "db-1", metav1.DeleteOptions{}))
	eventually(t, time.Minute, "the next db-1 has its file", func() (bool, string) {
		now, err := kube.CoreV1().Pods("default").Get(ctx, "db-1", metav1.GetOptions{})
		if err != nil || now.UID == pod.UID || now.Status.Phase != corev1.PodRunning {
			return false, fmt.Sprint(err)
		}
		out, errs, _ := tripod(t, r.dir, "pod", "exec", "default/db-1", "--", "sh", "-c", `cat "$TRIPOD_VOLUME_DATA/greeting"`)
		return out == "hello\n", out + errs
	})

	lost := "az/" + letter(zone)
	r.do(t, "kill", lost)
	must(t, "delete the pod of the lost zone", kube.CoreV1().Pods("default").Delete(ctx, "db-1",
		metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	must(t, "take its node away", kube.CoreV1().Nodes().Delete(ctx, node.Name, metav1.DeleteOptions{}))
	eventually(t, time.Minute, "its next pod says why it waits", func() (bool, string) {
		said := saidOf(ctx, kube, "db-1", "FailedScheduling")
		return strings.Contains(said, "PersistentVolume's node affinity") || strings.Contains(said, "volume node affinity conflict"), said
	})
	r.do(t, "start", lost)
	// Its next pod has it again at once, or, where the node was replaced, when the attach-detach controller has waited 6 minutes.
	if text, err := os.ReadFile(filepath.Join(r.dir, "zones", zone, "volumes", ids["data-db-1"], "greeting")); string(text) != "hello\n" {
		t.Errorf("after the loss of its zone the volume has %q, %v", text, err)
	}
}

// makeDatabase makes a StatefulSet of three pods, one a zone, with a volume each.
func makeDatabase(ctx context.Context, t *testing.T, kube kubernetes.Interface) {
	t.Helper()
	makeClass(ctx, t, kube)
	labels := map[string]string{"app": "db"}
	_, err := kube.AppsV1().StatefulSets("default").Create(ctx, &appsv1.StatefulSet{ObjectMeta: metav1.ObjectMeta{Name: "db"},
		Spec: appsv1.StatefulSetSpec{ServiceName: "db", Replicas: new(int32(3)), PodManagementPolicy: appsv1.ParallelPodManagement,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
				TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: corev1.LabelTopologyZone,
					WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchLabels: labels}}},
				Containers: []corev1.Container{{Name: "db", Image: "db", VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}}},
			}},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"},
				Spec: corev1.PersistentVolumeClaimSpec{StorageClassName: aws.String("gp3"),
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{
						Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}}}}},
		}}, metav1.CreateOptions{})
	must(t, "make the StatefulSet", err)
}

// allowDriver gives an add-on the role that it needs, by EKS Pod Identity.
func allowDriver(ctx context.Context, t *testing.T, calls awsServices, addon, account, policy string) {
	t.Helper()
	role, err := calls.iam.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("story-" + addon), AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},` +
			`"Action":["sts:AssumeRole","sts:TagSession"]}}`)})
	must(t, "create the role", err)
	_, err = calls.iam.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role.Role.RoleName,
		PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/" + policy)})
	must(t, "allow it what the driver does", err)
	_, err = calls.eks.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: aws.String("demo"), AddonName: &addon,
		PodIdentityAssociations: []ekstypes.AddonPodIdentityAssociations{{ServiceAccount: &account, RoleArn: role.Role.Arn}}})
	must(t, "give it to the add-on", err)
}

// saidOf is the newest message of an object's events with that reason.
func saidOf(ctx context.Context, kube kubernetes.Interface, name, reason string) (message string) {
	events, err := kube.CoreV1().Events("default").List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.name=" + name})
	if err != nil {
		return err.Error()
	}
	for _, e := range events.Items {
		if e.Reason == reason {
			message = e.Message
		}
	}
	return message
}
