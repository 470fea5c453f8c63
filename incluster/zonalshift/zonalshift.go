// Package zonalshift does to a cluster's nodes and endpoints what EKS does in an ARC zonal shift: the zone's nodes are
// cordoned, its endpoints leave the EndpointSlices, and nothing is evicted.
//
// Endpoints are left out by the API servers, in which EndpointSlices that Kubernetes' controller writes lose the
// endpoints of shifted zones (see package apiserver; EKS changed the controller instead). Here the slices are touched,
// so that they are written.
package zonalshift

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"tripod/internal/sleep"
)

const (
	// Cordoned is the annotation of nodes that a shift cordoned: only those are uncordoned at its end.
	Cordoned = "eks.amazonaws.com/zonal-shift-cordoned"
	// Touched is a label that makes Kubernetes' controller look at an EndpointSlice again, which takes the label away.
	Touched = "eks.amazonaws.com/zonal-shift"

	// controller is whose EndpointSlices lose endpoints: others' are their own business.
	controller = "endpointslice-controller.k8s.io"

	// settle is how long the zones' API servers may take to hear of a shift's end: what is touched before that is touched
	// once more.
	settle = 2 * time.Second
)

// Apply makes the cluster as it has to be while traffic is moved away from these zones; none at the end of a shift.
// Doing it again changes nothing more, and takes care of what came since.
func Apply(ctx context.Context, client kubernetes.Interface, zones []string) error {
	nodes, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list nodes: %w", err)
	}
	var cordon, uncordon []corev1.Node
	for _, node := range nodes.Items {
		_, cordoned := node.Annotations[Cordoned]
		shifted := slices.Contains(zones, node.Labels[corev1.LabelTopologyZone])
		switch {
		case shifted && !node.Spec.Unschedulable:
			cordon = append(cordon, node)
		case !shifted && cordoned:
			uncordon = append(uncordon, node)
		}
	}
	var errs []error
	for _, node := range cordon {
		errs = append(errs, patchNode(ctx, client, node.Name, true, time.Now().UTC().Format(time.RFC3339)))
	}
	errs = append(errs, touch(ctx, client, func(slice discoveryv1.EndpointSlice) bool { return hasZone(slice, zones) }))
	if len(uncordon) == 0 || errors.Join(errs...) != nil {
		return errors.Join(errs...)
	}
	// The nodes come last: while one bears the annotation, the end of the shift is not done, and is done again after a
	// crash.
	all := func(discoveryv1.EndpointSlice) bool { return true }
	if err := touch(ctx, client, all); err != nil {
		return err
	}
	if err := sleep.For(ctx, settle); err != nil {
		return err
	}
	if err := touch(ctx, client, all); err != nil {
		return err
	}
	for _, node := range uncordon {
		errs = append(errs, patchNode(ctx, client, node.Name, nil, nil))
	}
	return errors.Join(errs...)
}

// patchNode sets whether a node takes no pods, and the annotation; nil takes it away.
func patchNode(ctx context.Context, client kubernetes.Interface, name string, unschedulable, cordoned any) error {
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{Cordoned: cordoned}},
		"spec":     map[string]any{"unschedulable": unschedulable},
	})
	if err != nil {
		return err
	}
	_, err = client.CoreV1().Nodes().Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if apierrors.IsNotFound(err) { // it left meanwhile
		return nil
	}
	return err
}

// hasZone says whether a slice has endpoints in one of the zones.
func hasZone(slice discoveryv1.EndpointSlice, zones []string) bool {
	return slices.ContainsFunc(slice.Endpoints,
		func(e discoveryv1.Endpoint) bool { return e.Zone != nil && slices.Contains(zones, *e.Zone) })
}

// touch has the EndpointSlices that are meant written again.
func touch(ctx context.Context, client kubernetes.Interface, meant func(discoveryv1.EndpointSlice) bool) error {
	list, err := client.DiscoveryV1().EndpointSlices("").List(ctx,
		metav1.ListOptions{LabelSelector: discoveryv1.LabelManagedBy + "=" + controller})
	if err != nil {
		return fmt.Errorf("list EndpointSlices: %w", err)
	}
	patch := fmt.Appendf(nil, `{"metadata":{"labels":{%q:%q}}}`, Touched, fmt.Sprint(time.Now().UnixNano()))
	var errs []error
	for _, slice := range list.Items {
		if !meant(slice) {
			continue
		}
		_, err := client.DiscoveryV1().EndpointSlices(slice.Namespace).Patch(ctx, slice.Name, types.MergePatchType, patch,
			metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
