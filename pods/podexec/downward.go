package podexec

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/podset"
)

// field is what the downward API says of the pod.
func (p *pod) field(name string) (string, error) {
	return podset.Field(p.object, &p.object.Status, name)
}

// resource is a request or a limit of a container, as the downward API says it.
func (p *pod) resource(ctx context.Context, ref *corev1.ResourceFieldSelector) (string, error) {
	return podset.Resource(p.object, p.container, ref, func() (corev1.ResourceList, error) { return p.Allocatable(ctx) })
}

// Allocatable is what the pod's node has to give.
func (p *pod) Allocatable(ctx context.Context) (corev1.ResourceList, error) {
	if p.object.Spec.NodeName == "" {
		return nil, errNoNode
	}
	var node *corev1.Node
	err := again(ctx, func() (err error) {
		node, err = p.client.CoreV1().Nodes().Get(ctx, p.object.Spec.NodeName, metav1.GetOptions{})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read Node %s: %w", p.object.Spec.NodeName, err)
	}
	return node.Status.Allocatable, nil
}

// errNoNode is of a limit that is not set.
var errNoNode = errors.New("the limit is not set, so that its node's counts, and the pod is on none yet")
