package ebscsi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"google.golang.org/grpc/codes"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apitypes "k8s.io/apimachinery/pkg/types"

	"tripod/incluster/csidriver"
)

// The kinds of objects of the snapshot controller's.
var (
	snapshotGVR = schema.GroupVersionResource{Group: "snapshot.storage.k8s.io", Version: "v1", Resource: "volumesnapshots"}
	contentGVR  = snapshotGVR.GroupVersion().WithResource("volumesnapshotcontents")
	classGVR    = snapshotGVR.GroupVersion().WithResource("volumesnapshotclasses")
)

const (
	snapshotKind = "VolumeSnapshot"
	contentKind  = "VolumeSnapshotContent"
	// snapshotFinalizer keeps a VolumeSnapshot until its content goes, and contentFinalizer that until the snapshot is deleted.
	snapshotFinalizer = "snapshot.storage.kubernetes.io/volumesnapshot-bound-protection"
	contentFinalizer  = "snapshot.storage.kubernetes.io/volumesnapshotcontent-bound-protection"
	defaultClass      = "snapshot.storage.kubernetes.io/is-default-class"
)

// text is a text within an object; empty: it is not there.
func text(o *unstructured.Unstructured, path ...string) string {
	value, _, _ := unstructured.NestedString(o.Object, path...)
	return value
}

// syncSnapshot binds a VolumeSnapshot to a content, and tells in its status how that one is.
func (d *Driver) syncSnapshot(ctx context.Context, namespace, name string) error {
	s, found := csidriver.Get[*unstructured.Unstructured](d.snapshots, namespace+"/"+name)
	if !found {
		return nil
	}
	bound := text(s, "status", "boundVolumeSnapshotContentName")
	if s.GetDeletionTimestamp() != nil {
		return d.endSnapshot(ctx, s, bound)
	}
	if bound == "" {
		made, err := d.makeContent(ctx, s)
		if err != nil || made == "" {
			return d.noteSnapshot(ctx, s, err)
		}
		bound = made
		d.taker.Eventf(s, corev1.EventTypeNormal, "CreatingSnapshot", "Waiting for a snapshot %s/%s to be created by the CSI driver.",
			namespace, name)
	}
	status := map[string]any{"boundVolumeSnapshotContentName": bound}
	if c, found := csidriver.Get[*unstructured.Unstructured](d.contents, bound); found {
		ready, _, _ := unstructured.NestedBool(c.Object, "status", "readyToUse")
		size, _, _ := unstructured.NestedInt64(c.Object, "status", "restoreSize")
		created, made, _ := unstructured.NestedInt64(c.Object, "status", "creationTime")
		status["readyToUse"] = ready
		if made {
			status["creationTime"] = time.Unix(0, created).UTC().Format(time.RFC3339)
			status["restoreSize"] = gibs(int32(size / gib)).String()
		}
		was, _, _ := unstructured.NestedBool(s.Object, "status", "readyToUse")
		if ready && !was {
			d.taker.Eventf(s, corev1.EventTypeNormal, "SnapshotCreated", "Snapshot %s/%s was successfully created by the CSI driver.",
				namespace, name)
			d.taker.Eventf(s, corev1.EventTypeNormal, "SnapshotReady", "Snapshot %s/%s is ready to use.", namespace, name)
		}
		if why := text(c, "status", "error", "message"); why != "" && !ready {
			status["error"] = map[string]any{"message": "Failed to check and update snapshot content: " + why,
				"time": text(c, "status", "error", "time")}
		} else {
			status["error"] = nil
		}
	}
	return d.patchObject(ctx, snapshotGVR, s, map[string]any{"status": status}, "status")
}

// makeContent makes the content of a snapshot that names a claim, or finds the one that it names; empty: it is not this
// driver's.
func (d *Driver) makeContent(ctx context.Context, s *unstructured.Unstructured) (name string, err error) {
	if given := text(s, "spec", "source", "volumeSnapshotContentName"); given != "" {
		if _, found := csidriver.Get[*unstructured.Unstructured](d.contents, given); !found {
			return "", fmt.Errorf("VolumeSnapshotContent %q is missing", given)
		}
		return given, nil
	}
	class, found, err := d.classOf(s)
	if err != nil || !found {
		return "", err
	}
	claim := text(s, "spec", "source", "persistentVolumeClaimName")
	c, found := csidriver.Get[*corev1.PersistentVolumeClaim](d.claims, s.GetNamespace()+"/"+claim)
	if !found {
		return "", fmt.Errorf("failed to retrieve PVC %s from the lister: persistentvolumeclaim %q not found", claim, claim)
	}
	v, found := csidriver.Get[*corev1.PersistentVolume](d.volumes, c.Spec.VolumeName)
	if !found || c.Status.Phase != corev1.ClaimBound {
		return "", fmt.Errorf("the PVC %s is not yet bound to a PV, will not attempt to take a snapshot", claim)
	}
	if !slices.Contains(s.GetFinalizers(), snapshotFinalizer) {
		if err := d.patchObject(ctx, snapshotGVR, s, map[string]any{"metadata": map[string]any{
			"finalizers": append(s.GetFinalizers(), snapshotFinalizer)}}); err != nil {
			return "", err
		}
	}
	name = "snapcontent-" + string(s.GetUID())
	content := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": snapshotGVR.GroupVersion().String(), "kind": contentKind,
		"metadata": map[string]any{"name": name, "finalizers": []any{contentFinalizer}},
		"spec": map[string]any{
			"deletionPolicy": text(class, "deletionPolicy"), "driver": Name, "volumeSnapshotClassName": class.GetName(),
			"source": map[string]any{"volumeHandle": handleOf(v)}, "sourceVolumeMode": "Filesystem",
			"volumeSnapshotRef": map[string]any{"apiVersion": snapshotGVR.GroupVersion().String(), "kind": snapshotKind,
				"namespace": s.GetNamespace(), "name": s.GetName(), "uid": string(s.GetUID())}}}}
	_, err = d.Dynamic.Resource(contentGVR).Create(ctx, content, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		err = nil
	}
	return name, err
}

// classOf is a snapshot's class; found says whether it is of this driver.
func (d *Driver) classOf(s *unstructured.Unstructured) (class *unstructured.Unstructured, found bool, err error) {
	if name := text(s, "spec", "volumeSnapshotClassName"); name != "" {
		if class, found = csidriver.Get[*unstructured.Unstructured](d.snapshotClasses, name); !found {
			return nil, false, fmt.Errorf("failed to get input parameters to create snapshot %s: volumesnapshotclass.snapshot.storage.k8s.io "+
				"%q not found", s.GetName(), name)
		}
		return class, text(class, "driver") == Name, nil
	}
	for _, value := range d.snapshotClasses.GetStore().List() {
		class := value.(*unstructured.Unstructured)
		if class.GetAnnotations()[defaultClass] == "true" && text(class, "driver") == Name {
			return class, true, nil
		}
	}
	return nil, false, errors.New("cannot find default snapshot class")
}

// noteSnapshot writes why a snapshot could not be begun.
func (d *Driver) noteSnapshot(ctx context.Context, s *unstructured.Unstructured, why error) error {
	if why == nil || text(s, "status", "error", "message") == why.Error() {
		return why
	}
	d.taker.Eventf(s, corev1.EventTypeWarning, "SnapshotContentCreationFailed", "Failed to create snapshot content with error %v", why)
	return errors.Join(why, d.patchObject(ctx, snapshotGVR, s, map[string]any{"status": map[string]any{"readyToUse": false,
		"error": map[string]any{"message": why.Error(), "time": time.Now().UTC().Format(time.RFC3339)}}}, "status"))
}

// endSnapshot deletes the content of a snapshot that is deleted, if that is to go too, and lets the snapshot go.
func (d *Driver) endSnapshot(ctx context.Context, s *unstructured.Unstructured, bound string) error {
	if !slices.Contains(s.GetFinalizers(), snapshotFinalizer) {
		return nil
	}
	if c, found := csidriver.Get[*unstructured.Unstructured](d.contents, bound); found && text(c, "spec", "deletionPolicy") == "Delete" {
		err := d.Dynamic.Resource(contentGVR).Delete(ctx, bound, metav1.DeleteOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return d.patchObject(ctx, snapshotGVR, s, map[string]any{"metadata": map[string]any{"finalizers": slices.DeleteFunc(
		s.GetFinalizers(), func(f string) bool { return f == snapshotFinalizer })}})
}

// syncContent makes the snapshot of a content in EC2, and deletes it with the content where its policy says so.
func (d *Driver) syncContent(ctx context.Context, name string) error {
	c, found := csidriver.Get[*unstructured.Unstructured](d.contents, name)
	if !found || text(c, "spec", "driver") != Name {
		return nil
	}
	handle := text(c, "status", "snapshotHandle")
	if c.GetDeletionTimestamp() != nil {
		return d.endContent(ctx, c, handle)
	}
	if ready, _, _ := unstructured.NestedBool(c.Object, "status", "readyToUse"); ready {
		return nil
	}
	snapshot, err := d.snapshotOf(ctx, c, handle)
	if err != nil {
		if text(c, "status", "error", "message") == err.Error() {
			return err
		}
		return errors.Join(err, d.patchObject(ctx, contentGVR, c, map[string]any{"status": map[string]any{"readyToUse": false,
			"error": map[string]any{"message": err.Error(), "time": time.Now().UTC().Format(time.RFC3339)}}}, "status"))
	}
	ready := snapshot.State == types.SnapshotStateCompleted
	if err := d.patchObject(ctx, contentGVR, c, map[string]any{"status": map[string]any{"snapshotHandle": aws.ToString(snapshot.SnapshotId),
		"creationTime": aws.ToTime(snapshot.StartTime).UnixNano(), "restoreSize": int64(aws.ToInt32(snapshot.VolumeSize)) * gib,
		"readyToUse": ready, "error": nil}}, "status"); err != nil {
		return err
	}
	if !ready {
		d.queue.AddAfter(key{contentKind, "", name}, csidriver.FirstRetry)
	}
	return nil
}

// snapshotOf is a content's snapshot: that which it names, or a new one of its volume.
func (d *Driver) snapshotOf(ctx context.Context, c *unstructured.Unstructured, handle string) (types.Snapshot, error) {
	if handle == "" {
		handle = text(c, "spec", "source", "snapshotHandle")
	}
	tag := "snapshot-" + text(c, "spec", "volumeSnapshotRef", "uid")
	in := &ec2.DescribeSnapshotsInput{SnapshotIds: []string{handle}}
	if handle == "" { // one whose making was not written down is found by its tag
		in = &ec2.DescribeSnapshotsInput{Filters: []types.Filter{{Name: aws.String("tag:CSIVolumeSnapshotName"), Values: []string{tag}}}}
	}
	out, err := d.EC2.DescribeSnapshots(ctx, in)
	if err != nil {
		return types.Snapshot{}, csidriver.RPC(codes.Internal, "Could not get snapshot with name %q: %v", tag, err)
	}
	if len(out.Snapshots) > 0 {
		return out.Snapshots[0], nil
	}
	volumeID := text(c, "spec", "source", "volumeHandle")
	made, err := d.EC2.CreateSnapshot(ctx, &ec2.CreateSnapshotInput{VolumeId: &volumeID,
		Description: aws.String("Created by AWS EBS CSI driver for volume " + volumeID),
		TagSpecifications: []types.TagSpecification{{ResourceType: types.ResourceTypeSnapshot, Tags: []types.Tag{
			{Key: aws.String("CSIVolumeSnapshotName"), Value: &tag}, {Key: aws.String("ebs.csi.aws.com/cluster"), Value: aws.String("true")},
			{Key: aws.String("kubernetes.io/cluster/" + d.Cluster), Value: aws.String("owned")}}}}})
	if err != nil {
		return types.Snapshot{}, csidriver.RPC(codes.Internal, "Could not create snapshot %q: error creating snapshot of volume %s: %v", tag,
			volumeID, err)
	}
	return types.Snapshot{SnapshotId: made.SnapshotId, State: made.State, StartTime: made.StartTime, VolumeSize: made.VolumeSize}, nil
}

func (d *Driver) endContent(ctx context.Context, c *unstructured.Unstructured, handle string) error {
	if !slices.Contains(c.GetFinalizers(), contentFinalizer) {
		return nil
	}
	if handle != "" && text(c, "spec", "deletionPolicy") == "Delete" {
		_, err := d.EC2.DeleteSnapshot(ctx, &ec2.DeleteSnapshotInput{SnapshotId: &handle})
		if err != nil && !csidriver.HasCode(err, "InvalidSnapshot.NotFound") {
			return csidriver.RPC(codes.Internal, "Could not delete snapshot ID %q: %v", handle, err)
		}
	}
	return d.patchObject(ctx, contentGVR, c, map[string]any{"metadata": map[string]any{"finalizers": slices.DeleteFunc(
		c.GetFinalizers(), func(f string) bool { return f == contentFinalizer })}})
}

// sourceOf is the snapshot that a claim's volume is to be made of; empty: none.
func (d *Driver) sourceOf(c *corev1.PersistentVolumeClaim) (snapshotID string, err error) {
	source := c.Spec.DataSource
	if source == nil {
		return "", nil
	}
	wrap := func(why string) error {
		return fmt.Errorf("error getting handle for DataSource Type %s by Name %s: %s", source.Kind, source.Name, why)
	}
	if source.Kind != snapshotKind {
		return "", wrap("Tripod makes volumes of VolumeSnapshots alone: take one of it")
	}
	if d.snapshots == nil {
		return "", wrap("the cluster has no VolumeSnapshots: install the add-on snapshot-controller")
	}
	s, found := csidriver.Get[*unstructured.Unstructured](d.snapshots, c.Namespace+"/"+source.Name)
	if !found {
		return "", wrap(fmt.Sprintf("error getting snapshot %s from api server: volumesnapshots.snapshot.storage.k8s.io %q not found",
			source.Name, source.Name))
	}
	if ready, _, _ := unstructured.NestedBool(s.Object, "status", "readyToUse"); !ready {
		return "", wrap(fmt.Sprintf("snapshot %s is not Ready", source.Name))
	}
	content, _ := csidriver.Get[*unstructured.Unstructured](d.contents, text(s, "status", "boundVolumeSnapshotContentName"))
	if content == nil || text(content, "status", "snapshotHandle") == "" {
		return "", wrap(fmt.Sprintf("snapshot content of %s is not known", source.Name))
	}
	return text(content, "status", "snapshotHandle"), nil
}

func (d *Driver) patchObject(ctx context.Context, kind schema.GroupVersionResource, o *unstructured.Unstructured,
	change map[string]any, subresources ...string) error {
	patch, err := json.Marshal(change)
	if err != nil {
		return err
	}
	objects := d.Dynamic.Resource(kind)
	if o.GetNamespace() != "" {
		_, err = objects.Namespace(o.GetNamespace()).Patch(ctx, o.GetName(), apitypes.MergePatchType, patch, metav1.PatchOptions{},
			subresources...)
		return err
	}
	_, err = objects.Patch(ctx, o.GetName(), apitypes.MergePatchType, patch, metav1.PatchOptions{}, subresources...)
	return err
}
