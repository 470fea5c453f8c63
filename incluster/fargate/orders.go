package fargate

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/internal/awsauth"
	"tripod/nodes/object"
)

// Admit has API servers ask the Admission about new pods.
func (c *Cluster) Admit(ctx context.Context) error { return c.hook.Apply(ctx, c.admin) }

// Bind gives a pod its node, and writes down what was provisioned for it. A pod that is gone, or is bound already, is no
// error.
func (c *Cluster) Bind(ctx context.Context, pod object.FargatePod, node string) error {
	config, logging, event, err := c.logger(ctx)
	if err != nil {
		return err
	}
	if config != nil {
		if err := c.logging.Keep(ctx, node, config); err != nil {
			return fmt.Errorf("note the logging of the pod %s: %w", pod, err)
		}
	}
	annotations := map[string]string{"CapacityProvisioned": pod.Size.String(), "Logging": logging}
	// the API server gives a pod the annotations of its binding
	err = c.scheduler.CoreV1().Pods(pod.Namespace).Bind(ctx, &corev1.Binding{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name, UID: types.UID(pod.UID), Annotations: annotations},
		Target:     corev1.ObjectReference{Kind: "Node", Name: node},
	}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("bind the pod %s to %s: %w", pod, node, err)
	}
	if err := c.Tell(ctx, pod, event); err != nil {
		return err
	}
	return c.Tell(ctx, pod, object.FargateEvent{Reason: "Scheduled",
		Message: fmt.Sprintf("Successfully assigned %s to %s", pod, node)})
}

// Tell sends an event about a pod, as Fargate's scheduler. A namespace that goes takes none, which is no error.
func (c *Cluster) Tell(ctx context.Context, pod object.FargatePod, event object.FargateEvent) error {
	now := metav1.NewTime(time.Now())
	kind := corev1.EventTypeNormal
	if event.Warning {
		kind = corev1.EventTypeWarning
	}
	_, err := c.scheduler.CoreV1().Events(pod.Namespace).Create(ctx, &corev1.Event{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: fmt.Sprintf("%s.%x", pod.Name, now.UnixNano())},
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", APIVersion: "v1", Namespace: pod.Namespace, Name: pod.Name,
			UID: types.UID(pod.UID)},
		Type: kind, Reason: event.Reason, Message: event.Message, Source: corev1.EventSource{Component: SchedulerName},
		ReportingController: SchedulerName, FirstTimestamp: now, LastTimestamp: now, Count: 1,
	}, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause) {
		return nil
	}
	return err
}

// DeletePod deletes a pod: by force, where its machine is gone, else as its spec says. One that is gone is no error.
func (c *Cluster) DeletePod(ctx context.Context, pod object.FargatePod, force bool) error {
	uid := types.UID(pod.UID)
	options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}}
	if force {
		options.GracePeriodSeconds = new(int64)
	}
	err := c.manager.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, options)
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// DeleteNode deletes the Node of a machine that is gone.
func (c *Cluster) DeleteNode(ctx context.Context, name string) error {
	err := c.manager.CoreV1().Nodes().Delete(ctx, name, metav1.DeleteOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// MapRole has aws-auth map the role to Fargate's nodes, if it does not, and UnmapRole no longer.
func (c *Cluster) MapRole(ctx context.Context, roleARN string) error {
	return awsauth.Map{Client: c.manager}.Add(ctx, roleARN, awsauth.Fargate)
}

// UnmapRole takes a role from aws-auth.
func (c *Cluster) UnmapRole(ctx context.Context, roleARN string) error {
	return awsauth.Map{Client: c.manager}.Remove(ctx, roleARN)
}
