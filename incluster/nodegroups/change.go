package nodegroups

import (
	"context"
	"encoding/json"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"tripod/nodes/object"
)

// Change makes a change of a node. One that is not there any more is left alone.
func (c *Cluster) Change(ctx context.Context, change object.Change) error {
	err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		metadata, spec := map[string]any{}, map[string]any{}
		labels := map[string]any{}
		for key, value := range change.Labels {
			labels[key] = value
		}
		for _, key := range change.RemoveLabels {
			labels[key] = nil
		}
		if len(labels) > 0 {
			metadata["labels"] = labels
		}
		if change.Unschedulable != nil {
			spec["unschedulable"] = *change.Unschedulable
		}
		if len(change.Taints)+len(change.RemoveTaints) > 0 { // a list is replaced as a whole: nobody may have changed it
			node, err := c.client.CoreV1().Nodes().Get(ctx, change.Node, metav1.GetOptions{})
			if err != nil {
				return err
			}
			metadata["resourceVersion"] = node.ResourceVersion
			spec["taints"] = taintsOver(node.Spec.Taints, change)
		}
		patch, err := json.Marshal(map[string]any{"metadata": metadata, "spec": spec})
		if err != nil {
			return err
		}
		_, err = c.client.CoreV1().Nodes().Patch(ctx, change.Node, types.MergePatchType, patch, metav1.PatchOptions{})
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// taintsOver are a node's taints after a change; those that stay keep the time at which they were added.
func taintsOver(there []corev1.Taint, change object.Change) []corev1.Taint {
	byTaint := map[object.Taint]corev1.Taint{}
	var known []object.Taint
	for _, t := range there {
		one := object.Taint{Key: t.Key, Value: t.Value, Effect: string(t.Effect)}
		byTaint[one] = t
		known = append(known, one)
	}
	all := []corev1.Taint{}
	for _, one := range change.Over(known) {
		t, kept := byTaint[one]
		if !kept {
			t = corev1.Taint{Key: one.Key, Value: one.Value, Effect: corev1.TaintEffect(one.Effect)}
		}
		all = append(all, t)
	}
	return all
}
