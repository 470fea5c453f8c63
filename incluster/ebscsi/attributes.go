package ebscsi

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubetypes "k8s.io/apimachinery/pkg/types"

	"tripod/incluster/csidriver"
)

// attributes are what a VolumeAttributesClass asks of a volume; zero values: nothing.
type attributes struct {
	kind             types.VolumeType
	iops, throughput *int32
}

// attributesOf reads a class's parameters ("Volume Modification" of the driver).
func attributesOf(class *storagev1.VolumeAttributesClass) (a attributes, err error) {
	for key, value := range class.Parameters {
		n, wrong := strconv.ParseInt(value, 10, 32)
		switch {
		case key == typeParameter || key == "volumeType" && class.Parameters[typeParameter] == "":
			a.kind = types.VolumeType(value)
		case key == "volumeType": // its older name, which does not count beside the other
		case key == iopsParameter && wrong != nil:
			return a, csidriver.RPC(codes.InvalidArgument, "Could not parse IOPS: %q", value)
		case key == throughputParameter && wrong != nil:
			return a, csidriver.RPC(codes.InvalidArgument, "Could not parse throughput: %q", value)
		case key == iopsParameter:
			a.iops = aws.Int32(int32(n))
		case key == throughputParameter:
			a.throughput = aws.Int32(int32(n))
		default:
			return a, csidriver.RPC(codes.InvalidArgument, "Invalid mutable parameter key: %s", key)
		}
	}
	return a, nil
}

// claimsOfClass are the claims that name a VolumeAttributesClass: they may have waited for it.
func (d *Driver) claimsOfClass(o any) (keys []key) {
	for _, value := range d.claims.GetStore().List() {
		if c := value.(*corev1.PersistentVolumeClaim); ptr(c.Spec.VolumeAttributesClassName) == nameOf(o) {
			keys = append(keys, keysOfClaim(c)...)
		}
	}
	return keys
}

// syncAttributes changes a volume as the VolumeAttributesClass of its claim asks, as external-resizer has it.
func (d *Driver) syncAttributes(ctx context.Context, c *corev1.PersistentVolumeClaim, v *corev1.PersistentVolume) error {
	name := ptr(c.Spec.VolumeAttributesClassName)
	if name == "" || ptr(c.Status.CurrentVolumeAttributesClassName) == name {
		return nil
	}
	// as it is, not as it was: what is done is told by its status alone
	c, err := d.Client.CoreV1().PersistentVolumeClaims(c.Namespace).Get(ctx, c.Name, metav1.GetOptions{})
	if err != nil || ptr(c.Status.CurrentVolumeAttributesClassName) == name || ptr(c.Spec.VolumeAttributesClassName) != name {
		return err
	}
	told := c.Status.ModifyVolumeStatus
	is := func(state corev1.PersistentVolumeClaimModifyVolumeStatus) bool {
		return told != nil && told.TargetVolumeAttributesClassName == name && told.Status == state
	}
	mark := func(state corev1.PersistentVolumeClaimModifyVolumeStatus) error {
		return d.patchClaim(ctx, c, map[string]any{"modifyVolumeStatus": corev1.ModifyVolumeStatus{TargetVolumeAttributesClassName: name,
			Status: state}})
	}
	class, found := csidriver.Get[*storagev1.VolumeAttributesClass](d.attributes, name)
	switch {
	case found && class.DriverName != Name, is(corev1.PersistentVolumeClaimModifyVolumeInfeasible):
		return nil // another driver's, or one that only another class can help
	case !found && is(corev1.PersistentVolumeClaimModifyVolumePending):
		return nil // it leads on when it is made
	case !found:
		return mark(corev1.PersistentVolumeClaimModifyVolumePending)
	case !is(corev1.PersistentVolumeClaimModifyVolumeInProgress):
		if err := mark(corev1.PersistentVolumeClaimModifyVolumeInProgress); err != nil {
			return err
		}
		d.recorder.Eventf(c, corev1.EventTypeNormal, "VolumeModify", "external resizer is modifying volume %s with vac %s", c.Name, name)
	}
	if err := d.modify(ctx, handleOf(v), class); err != nil {
		d.recorder.Event(c, corev1.EventTypeWarning, "VolumeModifyFailed", err.Error())
		if status.Code(err) == codes.InvalidArgument {
			return mark(corev1.PersistentVolumeClaimModifyVolumeInfeasible)
		}
		return err
	}
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"volumeAttributesClassName": name}})
	if err != nil {
		return err
	}
	if _, err := d.Client.CoreV1().PersistentVolumes().Patch(ctx, v.Name, kubetypes.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return fmt.Errorf("update the class of PV %q: %w", v.Name, err)
	}
	if err := d.patchClaim(ctx, c, map[string]any{"currentVolumeAttributesClassName": name, "modifyVolumeStatus": nil}); err != nil {
		return err
	}
	d.recorder.Eventf(c, corev1.EventTypeNormal, "VolumeModifySuccessful", "external resizer modified volume %s with vac %s successfully",
		c.Name, name)
	return nil
}

// modify changes a volume where it is not yet as the class asks: a change whose answer was lost is done.
func (d *Driver) modify(ctx context.Context, volumeID string, class *storagev1.VolumeAttributesClass) error {
	a, err := attributesOf(class)
	if err != nil {
		return err
	}
	v, err := d.describe(ctx, volumeID)
	if err != nil {
		return csidriver.RPC(codes.Internal, "Could not modify volume %q: %v", volumeID, err)
	}
	differs := func(want, has *int32) bool { return want != nil && *want != aws.ToInt32(has) }
	if (a.kind == "" || a.kind == v.VolumeType) && !differs(a.iops, v.Iops) && !differs(a.throughput, v.Throughput) {
		return nil
	}
	_, err = d.EC2.ModifyVolume(ctx, &ec2.ModifyVolumeInput{VolumeId: &volumeID, VolumeType: a.kind, Iops: a.iops, Throughput: a.throughput})
	switch {
	case csidriver.HasCode(err, "InvalidParameter", "InvalidParameterValue", "InvalidParameterCombination", "UnknownVolumeType"):
		return csidriver.RPC(codes.InvalidArgument, "Could not modify volume %q: %v", volumeID, err)
	case err != nil:
		return csidriver.RPC(codes.Internal, "Could not modify volume %q: %v", volumeID, err)
	}
	return nil
}

// withAttributes gives a new volume what the VolumeAttributesClass of its claim asks for.
func (d *Driver) withAttributes(in *ec2.CreateVolumeInput, c *corev1.PersistentVolumeClaim) error {
	name := ptr(c.Spec.VolumeAttributesClassName)
	if name == "" {
		return nil
	}
	class, found := csidriver.Get[*storagev1.VolumeAttributesClass](d.attributes, name)
	switch {
	case !found:
		return fmt.Errorf("volumeattributesclass.storage.k8s.io %q not found", name)
	case class.DriverName != Name:
		return fmt.Errorf("VAC %s is for driver %s, and the claim's class is for %s", name, class.DriverName, Name)
	}
	a, err := attributesOf(class)
	if err != nil {
		return err
	}
	if a.kind != "" {
		in.VolumeType = a.kind
	}
	if a.iops != nil {
		in.Iops = a.iops
	}
	if a.throughput != nil {
		in.Throughput = a.throughput
	}
	return nil
}
