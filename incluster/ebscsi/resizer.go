package ebscsi

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/record"

	"tripod/incluster/csidriver"
)

// newRecorder makes what tells events in external-resizer's name.
func newRecorder(client kubernetes.Interface) (record.EventBroadcaster, record.EventRecorder) {
	events := record.NewBroadcaster()
	events.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: client.CoreV1().Events(metav1.NamespaceAll)})
	return events, events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "external-resizer " + Name})
}

// syncClaim makes a volume such and as large as its claim asks for. The file system follows on the node that the volume is attached
// to, or will be.
func (d *Driver) syncClaim(ctx context.Context, namespace, name string) error {
	c, found := csidriver.Get[*corev1.PersistentVolumeClaim](d.claims, namespace+"/"+name)
	if !found || c.DeletionTimestamp != nil || c.Status.Phase != corev1.ClaimBound {
		return nil
	}
	v, found := csidriver.Get[*corev1.PersistentVolume](d.volumes, c.Spec.VolumeName)
	if !found || handleOf(v) == "" {
		return nil
	}
	if err := d.syncAttributes(ctx, c, v); err != nil {
		return err
	}
	asked, has, told := c.Spec.Resources.Requests[corev1.ResourceStorage], v.Spec.Capacity[corev1.ResourceStorage],
		c.Status.Capacity[corev1.ResourceStorage]
	if asked.Cmp(told) <= 0 {
		return nil
	}
	if asked.Cmp(has) > 0 {
		if err := d.resize(ctx, c, v, (asked.Value()+gib-1)/gib); err != nil {
			return err
		}
		return nil // the volume's change leads on
	}
	return d.growFileSystem(ctx, c, v)
}

// resize makes the EBS volume larger, and says so in the persistent volume and the claim.
func (d *Driver) resize(ctx context.Context, c *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume, size int64) error {
	volumeID := handleOf(v)
	d.recorder.Eventf(c, corev1.EventTypeNormal, "Resizing", "External resizer is resizing volume %s", v.Name)
	if err := d.enlarge(ctx, volumeID, size); err != nil {
		err = csidriver.RPC(codes.Internal, "Could not resize volume %q: %v", volumeID, err)
		d.recorder.Eventf(c, corev1.EventTypeWarning, "VolumeResizeFailed", "resize volume %q by resizer %q failed: %v", v.Name, Name, err)
		return err
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"capacity": map[string]string{
		"storage": gibs(int32(size)).String()}}})
	if err != nil {
		return err
	}
	grown, err := d.Client.CoreV1().PersistentVolumes().Patch(ctx, v.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("update capacity of PV %q: %w", v.Name, err)
	}
	d.recorder.Event(c, corev1.EventTypeNormal, "FileSystemResizeRequired", "Require file system resize of volume on node")
	condition := corev1.PersistentVolumeClaimCondition{Type: corev1.PersistentVolumeClaimFileSystemResizePending,
		Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now(),
		Message: "Waiting for user to (re-)start a pod to finish file system resize of volume on node."}
	if err := d.patchClaim(ctx, c, map[string]any{"conditions": []corev1.PersistentVolumeClaimCondition{condition}}); err != nil {
		return err
	}
	return d.growFileSystem(ctx, c, grown)
}

// enlarge makes the EBS volume larger where it is not yet: a change whose answer was lost is done.
func (d *Driver) enlarge(ctx context.Context, volumeID string, size int64) error {
	v, err := d.describe(ctx, volumeID)
	if err != nil || int64(aws.ToInt32(v.Size)) >= size {
		return err
	}
	_, err = d.EC2.ModifyVolume(ctx, &ec2.ModifyVolumeInput{VolumeId: &volumeID, Size: aws.Int32(int32(size))})
	return err
}

// growFileSystem is the kubelet's part: where the volume is attached, its file system is as large as it.
func (d *Driver) growFileSystem(ctx context.Context, c *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) error {
	for _, value := range d.attachments.GetStore().List() {
		a := value.(*storagev1.VolumeAttachment)
		if ptr(a.Spec.Source.PersistentVolumeName) != v.Name || !a.Status.Attached || a.DeletionTimestamp != nil {
			continue
		}
		kubelet := d.events.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "kubelet", Host: a.Spec.NodeName})
		kubelet.Eventf(c, corev1.EventTypeNormal, "FileSystemResizeSuccessful", "MountVolume.NodeExpandVolume succeeded for volume %q %s",
			v.Name, a.Spec.NodeName)
		return d.patchClaim(ctx, c, map[string]any{"capacity": v.Spec.Capacity, "conditions": nil, "allocatedResourceStatuses": nil})
	}
	return nil
}

func (d *Driver) patchClaim(ctx context.Context, c *corev1.PersistentVolumeClaim, status map[string]any) error {
	patch, err := json.Marshal(map[string]any{"status": status})
	if err != nil {
		return err
	}
	_, err = d.Client.CoreV1().PersistentVolumeClaims(c.Namespace).Patch(ctx, c.Name, types.MergePatchType, patch,
		metav1.PatchOptions{}, "status")
	return err
}
