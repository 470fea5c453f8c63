package nodegroups

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"tripod/nodes/object"
)

// Drain evicts the pods of a node once, as `kubectl drain --ignore-daemonsets --delete-emptydir-data --force` does: those
// of DaemonSets and static pods stay. With force they are deleted, whatever their disruption budgets say. It does not
// wait for them to go: who drains calls it again until nothing is left.
func (c *Cluster) Drain(ctx context.Context, node string, force bool) (left object.Drained, err error) {
	pods, err := c.client.CoreV1().Pods("").List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String()})
	if err != nil {
		return left, fmt.Errorf("list the pods of %s: %w", node, err)
	}
	var errs []error
	for i := range pods.Items {
		pod := &pods.Items[i]
		if pod.Spec.NodeName != node || stays(pod) {
			continue
		}
		left.Left++
		if pod.DeletionTimestamp != nil { // it is on its way
			continue
		}
		if force {
			err := c.deleter.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name,
				metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}})
			if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
				errs = append(errs, err)
			}
			continue
		}
		switch gone, blocked, err := c.evict(ctx, pod); {
		case err != nil:
			errs = append(errs, err)
		case gone:
			left.Left--
		case blocked:
			left.Blocked = append(left.Blocked, pod.Namespace+"/"+pod.Name)
		}
	}
	return left, errors.Join(errs...)
}

// stays says whether a drain leaves the pod: its DaemonSet would make it again, or the kubelet itself runs it.
func stays(pod *corev1.Pod) bool {
	if _, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]; mirror {
		return true
	}
	owner := metav1.GetControllerOf(pod)
	return owner != nil && owner.Kind == "DaemonSet"
}

// evict evicts a pod. gone says that it is not there any more, blocked that a disruption budget keeps it, or that several
// budgets do, which Kubernetes does not sort out.
func (c *Cluster) evict(ctx context.Context, pod *corev1.Pod) (gone, blocked bool, err error) {
	err = c.client.PolicyV1().Evictions(pod.Namespace).Evict(ctx, &policyv1.Eviction{
		ObjectMeta:    metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace},
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}},
	})
	var status apierrors.APIStatus
	switch {
	case err == nil:
		return false, false, nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err):
		return true, false, nil
	case apierrors.IsTooManyRequests(err), apierrors.IsInternalError(err):
		return false, true, nil
	case apierrors.IsForbidden(err) && apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		return false, false, nil // it goes with its namespace
	case errors.As(err, &status):
		return false, true, nil // the API server, or a webhook, does not let it go
	}
	return false, false, fmt.Errorf("evict %s/%s: %w", pod.Namespace, pod.Name, err)
}
