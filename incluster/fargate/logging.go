package fargate

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/nodes/fluentbit"
	"tripod/nodes/object"
)

// Where Fargate's log router has its configuration ("Start AWS Fargate logging for your cluster" in the EKS user guide).
const (
	loggingNamespace = "aws-observability"
	loggingConfig    = "aws-logging"
	loggingLabel     = "aws-observability"
)

// Logging says how the log routers of Fargate's machines get their configuration.
type Logging struct {
	Region string
	// Keep notes the configuration of a machine, by its node's name, before its pod is bound. nil: no log router runs.
	Keep func(ctx context.Context, node string, config map[string]string) error
}

// logger is the configuration of the log router for a pod that is bound now, and what its annotation and an event say of it; nil: the
// pod has none. What changes later is for later pods. The texts of what is not found and of what is not supported are Fargate's, as
// users report them; those of a namespace without its label, of what Tripod does not run, and the annotation's
// LOGGING_CONFIGMAP_INVALID and LOGGING_NOT_AVAILABLE are Tripod's.
func (c *Cluster) logger(ctx context.Context) (config map[string]string, annotation string, event object.FargateEvent, err error) {
	disabled := func(reason, message string) (map[string]string, string, object.FargateEvent, error) {
		return nil, "LoggingDisabled: " + reason, object.FargateEvent{Warning: true, Reason: "LoggingDisabled", Message: message}, nil
	}
	const notFound = "Disabled logging because aws-logging configmap was not found. "
	found, err := c.admin.CoreV1().ConfigMaps(loggingNamespace).Get(ctx, loggingConfig, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return disabled("LOGGING_CONFIGMAP_NOT_FOUND", notFound+`configmap "aws-logging" not found`)
	case err != nil:
		return nil, "", event, err
	}
	namespace, err := c.admin.CoreV1().Namespaces().Get(ctx, loggingNamespace, metav1.GetOptions{})
	switch {
	case err != nil && !apierrors.IsNotFound(err):
		return nil, "", event, err
	case err != nil || namespace.Labels[loggingLabel] != "enabled":
		return disabled("LOGGING_CONFIGMAP_NOT_FOUND", notFound+
			fmt.Sprintf("namespace %q has no label %s=enabled", loggingNamespace, loggingLabel))
	}
	if _, err := fluentbit.Fargate(found.Data, c.logging.Region); err != nil {
		return disabled("LOGGING_CONFIGMAP_INVALID", fmt.Sprintf("Disabled logging for pod due to invalid configmap. %v. "+
			"Please fix the logging configmap", err))
	}
	if c.logging.Keep == nil {
		return disabled("LOGGING_NOT_AVAILABLE", "Disabled logging because no log router runs here")
	}
	return fluentbit.FargateKept(found.Data), "LoggingEnabled",
		object.FargateEvent{Reason: "LoggingEnabled", Message: "Successfully enabled logging for pod"}, nil
}
