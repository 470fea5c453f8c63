package fargate

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"

	reviewv1 "k8s.io/api/admission/v1"
	corev1 "k8s.io/api/core/v1"

	"tripod/internal/admission"
	"tripod/nodes/object"
)

// Every pod on Fargate has Kubernetes' highest priority.
const (
	priorityClass = "system-node-critical"
	priority      = 2000001000
)

// hookName is what EKS calls its webhook: it comes before others, which see pods as they will be.
const hookName = "0500-amazon-eks-fargate-mutation.amazonaws.com"

// Admission is the webhook for new pods of one cluster, served by each zone to its own API server.
type Admission struct {
	// Profiles are those that pods fall to now, in the order of their names.
	Profiles func() []object.FargateProfile
	Logger   *slog.Logger
}

// ServeHTTP answers an AdmissionReview of admission.k8s.io/v1. Every pod is allowed.
func (a *Admission) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	admission.Serve(rw, r, a.patch, a.Logger, "its Fargate profile")
}

// patch hands a pod that falls to a profile to Fargate's scheduler.
func (a *Admission) patch(_ context.Context, request *reviewv1.AdmissionRequest) ([]byte, error) {
	profiles := a.Profiles()
	if len(profiles) == 0 {
		return nil, nil
	}
	var pod corev1.Pod
	if err := json.Unmarshal(request.Object.Raw, &pod); err != nil {
		return nil, err
	}
	profile := ProfileOf(&pod, request.Namespace, profiles)
	if profile == "" {
		return nil, nil
	}
	return json.Marshal(operations(&pod, profile))
}

// operations make the pod one of Fargate's scheduler.
func operations(pod *corev1.Pod, profile string) []admission.Operation {
	label := admission.Operation{Op: "add", Path: "/metadata/labels/" + strings.ReplaceAll(ProfileLabel, "/", "~1"), Value: profile}
	if pod.Labels == nil {
		label = admission.Operation{Op: "add", Path: "/metadata/labels", Value: map[string]string{ProfileLabel: profile}}
	}
	return []admission.Operation{
		label,
		{Op: "add", Path: "/spec/schedulerName", Value: SchedulerName},
		{Op: "add", Path: "/spec/priorityClassName", Value: priorityClass},
		{Op: "add", Path: "/spec/priority", Value: priority},
	}
}
