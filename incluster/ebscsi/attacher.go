package ebscsi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/incluster/csidriver"
)

// attachFinalizer keeps an attachment until the volume is detached: external-attacher's, for this driver.
const attachFinalizer = "external-attacher/ebs-csi-aws-com"

// syncAttachment attaches the volume of a VolumeAttachment, or detaches it from the node. Who makes and deletes these is the
// attach-detach controller of kube-controller-manager.
func (d *Driver) syncAttachment(ctx context.Context, name string) error {
	a, found := csidriver.Get[*storagev1.VolumeAttachment](d.attachments, name)
	switch {
	case !found || a.Spec.Attacher != Name:
		return nil
	case a.DeletionTimestamp != nil:
		return d.syncDetach(ctx, a)
	case a.Status.Attached:
		return nil
	}
	if !slices.Contains(a.Finalizers, attachFinalizer) {
		if err := d.patchAttachment(ctx, a, map[string]any{"metadata": map[string]any{"resourceVersion": a.ResourceVersion,
			"finalizers": append(slices.Clone(a.Finalizers), attachFinalizer)}}); err != nil {
			return err
		}
	}
	device, err := d.attachTo(ctx, a)
	if err != nil {
		return d.note(ctx, a, "attachError", err)
	}
	return d.patchAttachment(ctx, a, map[string]any{"status": map[string]any{"attached": true, "attachError": nil,
		"attachmentMetadata": map[string]string{"devicePath": device}}}, "status")
}

// attachTo attaches the volume that an attachment names to the instance of its node.
func (d *Driver) attachTo(ctx context.Context, a *storagev1.VolumeAttachment) (device string, err error) {
	volumeID, instanceID, err := d.parties(a)
	if err != nil {
		return "", err
	}
	return d.attach(ctx, volumeID, instanceID)
}

// parties are the volume and the instance that an attachment is of.
func (d *Driver) parties(a *storagev1.VolumeAttachment) (volumeID, instanceID string, err error) {
	switch v, found := d.volumeOf(a); {
	case a.Spec.Source.InlineVolumeSpec != nil:
		return "", "", errors.New("volumes in the specification of a pod are not EBS's")
	case !found:
		return "", "", fmt.Errorf("persistentvolume %q not found", ptr(a.Spec.Source.PersistentVolumeName))
	default:
		volumeID = handleOf(v)
	}
	n, found := csidriver.Get[*storagev1.CSINode](d.csiNodes, a.Spec.NodeName)
	if !found {
		return volumeID, "", fmt.Errorf("node %q has no NodeID annotation", a.Spec.NodeName)
	}
	for _, driver := range n.Spec.Drivers {
		if driver.Name == Name {
			return volumeID, driver.NodeID, nil
		}
	}
	return volumeID, "", fmt.Errorf("CSINode %s does not contain driver %s", a.Spec.NodeName, Name)
}

func ptr(text *string) string {
	if text == nil {
		return ""
	}
	return *text
}

// syncDetach detaches, and lets the attachment go. One whose node is unknown by now was detached when its instance ended.
func (d *Driver) syncDetach(ctx context.Context, a *storagev1.VolumeAttachment) error {
	if !slices.Contains(a.Finalizers, attachFinalizer) {
		return nil
	}
	volumeID, instanceID, err := d.parties(a)
	if volumeID != "" && instanceID == "" && err != nil {
		instanceID, err = d.holder(ctx, volumeID)
	}
	if err == nil && instanceID != "" {
		err = d.detach(ctx, volumeID, instanceID)
	}
	if err != nil && volumeID != "" {
		return d.note(ctx, a, "detachError", err)
	}
	left := slices.DeleteFunc(slices.Clone(a.Finalizers), func(f string) bool { return f == attachFinalizer })
	return d.patchAttachment(ctx, a, map[string]any{"metadata": map[string]any{"finalizers": left}})
}

// holder is the instance that has a volume, where its node is not known any more; empty: none has.
func (d *Driver) holder(ctx context.Context, volumeID string) (string, error) {
	v, err := d.describe(ctx, volumeID)
	switch {
	case csidriver.HasCode(err, "InvalidVolume.NotFound"):
		return "", nil
	case err != nil:
		return "", err
	case len(v.Attachments) == 0:
		return "", nil
	}
	return *v.Attachments[0].InstanceId, nil
}

// note writes why an attachment could not be made, or ended: the attach-detach controller tells it to the pod. It returns the
// reason, with which it is tried again.
func (d *Driver) note(ctx context.Context, a *storagev1.VolumeAttachment, field string, why error) error {
	err := d.patchAttachment(ctx, a, map[string]any{"status": map[string]any{field: storagev1.VolumeError{
		Time: metav1.NewTime(time.Now()), Message: why.Error()}}}, "status")
	return errors.Join(why, err)
}

func (d *Driver) patchAttachment(ctx context.Context, a *storagev1.VolumeAttachment, change map[string]any,
	subresources ...string) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	_, err = d.Client.StorageV1().VolumeAttachments().Patch(ctx, a.Name, types.MergePatchType, patch, metav1.PatchOptions{},
		subresources...)
	return err
}
