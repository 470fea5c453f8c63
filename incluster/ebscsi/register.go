package ebscsi

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/internal/instancetypes"
)

const (
	// migratedKey is the annotation by which a kubelet says for which plugins of before it has drivers.
	migratedKey = "storage.alpha.kubernetes.io/migrated-plugins"
	migrated    = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder," +
		"kubernetes.io/gce-pd,kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume"
	nodeIDKey    = "csi.volume.kubernetes.io/nodeid"
	instanceType = "node.kubernetes.io/instance-type"
)

// topologyKeys are the labels that the driver gives to nodes.
var topologyKeys = []string{"kubernetes.io/os", driverZoneKey, zoneKey}

// isRegistered says whether the driver is on a node.
func (d *Driver) isRegistered(node string) bool {
	n, found := get[*storagev1.CSINode](d.csiNodes, node)
	return found && slices.ContainsFunc(n.Spec.Drivers, func(one storagev1.CSINodeDriver) bool { return one.Name == Name })
}

// register registers the driver on a node, as the kubelet does for the node's plugin: in its CSINode and by its labels.
func (d *Driver) register(ctx context.Context, name string) error {
	n, found := get[*corev1.Node](d.nodes, name)
	if !found || instanceOf(n) == "" {
		return nil
	}
	if n.Labels[driverZoneKey] != n.Labels[zoneKey] || n.Annotations[nodeIDKey] == "" {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
			"labels":      map[string]string{driverZoneKey: n.Labels[zoneKey]},
			"annotations": map[string]string{nodeIDKey: `{"` + Name + `":"` + instanceOf(n) + `"}`}}})
		if err != nil {
			return err
		}
		if _, err := d.Client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return err
		}
	}
	if d.isRegistered(name) {
		return nil
	}
	api := d.Client.StorageV1().CSINodes()
	own := storagev1.CSINodeDriver{Name: Name, NodeID: instanceOf(n), TopologyKeys: topologyKeys,
		Allocatable: &storagev1.VolumeNodeResources{Count: limit(n.Labels[instanceType])}}
	there, err := api.Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = api.Create(ctx, &storagev1.CSINode{
			ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{migratedKey: migrated},
				OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "Node", Name: name, UID: n.UID}}},
			Spec: storagev1.CSINodeSpec{Drivers: []storagev1.CSINodeDriver{own}}}, metav1.CreateOptions{})
		return err
	}
	if err != nil {
		return err
	}
	there = there.DeepCopy()
	if there.Annotations == nil {
		there.Annotations = map[string]string{}
	}
	there.Annotations[migratedKey] = migrated
	there.Spec.Drivers = append(slices.DeleteFunc(there.Spec.Drivers, func(one storagev1.CSINodeDriver) bool { return one.Name == Name }),
		own)
	_, err = api.Update(ctx, there, metav1.UpdateOptions{})
	return err
}

// Unregister takes the driver from all nodes, as kubelets do when its pods are gone. The driver has stopped.
func (d *Driver) Unregister(ctx context.Context) error {
	var errs []error
	for _, value := range d.csiNodes.GetStore().List() {
		n := value.(*storagev1.CSINode)
		if !d.isRegistered(n.Name) {
			continue
		}
		left := n.DeepCopy()
		left.Spec.Drivers = slices.DeleteFunc(left.Spec.Drivers, func(one storagev1.CSINodeDriver) bool { return one.Name == Name })
		if _, err := d.Client.StorageV1().CSINodes().Update(ctx, left, metav1.UpdateOptions{}); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// limit is how many volumes of the driver a node of that type has room for: the instance's slots without its root volume.
func limit(typeName string) *int32 {
	t, _ := instancetypes.Find(typeName)
	n := int32(max(1, t.VolumeSlots()-1))
	return &n
}
