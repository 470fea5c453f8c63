package csidriver

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

const (
	// migratedKey is the annotation by which a kubelet says for which plugins of before it has drivers.
	migratedKey = "storage.alpha.kubernetes.io/migrated-plugins"
	migrated    = "kubernetes.io/aws-ebs,kubernetes.io/azure-disk,kubernetes.io/azure-file,kubernetes.io/cinder," +
		"kubernetes.io/gce-pd,kubernetes.io/portworx-volume,kubernetes.io/vsphere-volume"
	// nodeIDKey is the annotation of a node's ids by its drivers.
	nodeIDKey = "csi.volume.kubernetes.io/nodeid"
)

// Registrar registers a driver on nodes, as kubelets do for their nodes' plugins.
type Registrar struct {
	Driver string
	Client kubernetes.Interface
	// Nodes and CSINodes are what is known of them.
	Nodes, CSINodes cache.SharedIndexInformer
	// Own is what a node's CSINode is to have of the driver, and Labels what its node is given.
	Own    func(*corev1.Node) storagev1.CSINodeDriver
	Labels func(*corev1.Node) map[string]string
}

// InstanceOf is the id of a node's instance; empty: it is none of EC2's.
func InstanceOf(n *corev1.Node) string {
	id := n.Spec.ProviderID[strings.LastIndexByte(n.Spec.ProviderID, '/')+1:]
	if !strings.HasPrefix(id, "i-") {
		return ""
	}
	return id
}

// IsRegistered says whether the driver is on a node.
func (r *Registrar) IsRegistered(node string) bool {
	n, found := Get[*storagev1.CSINode](r.CSINodes, node)
	return found && slices.ContainsFunc(n.Spec.Drivers, r.isOwn)
}

func (r *Registrar) isOwn(one storagev1.CSINodeDriver) bool { return one.Name == r.Driver }

// Register registers the driver on a node: in its CSINode, by its labels and with its id.
func (r *Registrar) Register(ctx context.Context, name string) error {
	n, found := Get[*corev1.Node](r.Nodes, name)
	if !found || InstanceOf(n) == "" {
		return nil
	}
	if err := r.mark(ctx, n); err != nil {
		return err
	}
	if r.IsRegistered(name) {
		return r.admit(ctx, n)
	}
	own := r.Own(n)
	api := r.Client.StorageV1().CSINodes()
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
	there.Spec.Drivers = append(slices.DeleteFunc(there.Spec.Drivers, r.isOwn), own)
	_, err = api.Update(ctx, there, metav1.UpdateOptions{})
	return err
}

// admit takes away the taint by which nodes that start keep pods off until the driver is on them, if there is one.
func (r *Registrar) admit(ctx context.Context, n *corev1.Node) error {
	key := r.Driver + "/agent-not-ready"
	left := slices.DeleteFunc(slices.Clone(n.Spec.Taints), func(t corev1.Taint) bool { return t.Key == key })
	if len(left) == len(n.Spec.Taints) {
		return nil
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": n.ResourceVersion},
		"spec": map[string]any{"taints": left}})
	if err != nil {
		return err
	}
	_, err = r.Client.CoreV1().Nodes().Patch(ctx, n.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// mark gives a node the driver's labels and its id for the driver, beside those for others.
func (r *Registrar) mark(ctx context.Context, n *corev1.Node) error {
	ids := map[string]string{}
	_ = json.Unmarshal([]byte(n.Annotations[nodeIDKey]), &ids) // what nobody can read is written anew
	labels := r.Labels(n)
	marked := ids[r.Driver] == InstanceOf(n)
	for key, value := range labels {
		marked = marked && n.Labels[key] == value
	}
	if marked {
		return nil
	}
	ids[r.Driver] = InstanceOf(n)
	text, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	// with the version that it was read in: another driver may be writing its own
	metadata := map[string]any{"resourceVersion": n.ResourceVersion, "annotations": map[string]string{nodeIDKey: string(text)}}
	if len(labels) > 0 { // none would be written as null, which takes all labels away
		metadata["labels"] = labels
	}
	patch, err := json.Marshal(map[string]any{"metadata": metadata})
	if err != nil {
		return err
	}
	_, err = r.Client.CoreV1().Nodes().Patch(ctx, n.Name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	return err
}

// Unregister takes the driver from all nodes, as kubelets do when its pods are gone. The driver has stopped.
func (r *Registrar) Unregister(ctx context.Context) error {
	var errs []error
	for _, value := range r.CSINodes.GetStore().List() {
		n := value.(*storagev1.CSINode)
		if !r.IsRegistered(n.Name) {
			continue
		}
		if err := r.leave(ctx, n.Name); err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// leave takes the driver from a node, which another driver may be on by now as well.
func (r *Registrar) leave(ctx context.Context, name string) error {
	left, err := r.Client.StorageV1().CSINodes().Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	left = left.DeepCopy()
	left.Spec.Drivers = slices.DeleteFunc(left.Spec.Drivers, r.isOwn)
	_, err = r.Client.StorageV1().CSINodes().Update(ctx, left, metav1.UpdateOptions{})
	return err
}
