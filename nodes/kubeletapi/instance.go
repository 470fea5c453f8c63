package kubeletapi

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podset"
)

// instance is one run of a container.
type instance struct {
	number  int32 // how many were before
	started time.Time
	ended   time.Time // zero: it runs
}

// instanceOf is the run whose log is asked for. The errors are a kubelet's (validateContainerLogStatus).
func instanceOf(pod *corev1.Pod, container string, previous bool) (instance, error) {
	fail := func(format string, args ...any) (instance, error) {
		return instance{}, fmt.Errorf(format, append([]any{container, pod.Name}, args...)...)
	}
	s := podset.Status(pod, container)
	if s == nil {
		return fail("container %q in pod %q is not available")
	}
	last, state := s.LastTerminationState.Terminated, s.State
	ran := func(t *corev1.ContainerStateTerminated, number int32) (instance, error) {
		return instance{number, t.StartedAt.Time, t.FinishedAt.Time}, nil
	}
	exists := func(t *corev1.ContainerStateTerminated) bool { return t != nil && t.ContainerID != "" }
	before := max(0, s.RestartCount-1)
	switch {
	case previous && !exists(last):
		return fail("previous terminated container %q in pod %q not found")
	case previous:
		return ran(last, before)
	case state.Running != nil:
		return instance{number: s.RestartCount, started: state.Running.StartedAt.Time}, nil
	case exists(state.Terminated):
		return ran(state.Terminated, s.RestartCount)
	case state.Terminated != nil && !exists(last):
		return fail("container %q in pod %q is terminated")
	case last != nil && !exists(last):
		return fail("container %q in pod %q is terminated")
	case last != nil:
		return ran(last, before)
	case state.Waiting == nil:
		return fail("container %q in pod %q is waiting to start - no logs yet")
	}
	switch reason := state.Waiting.Reason; reason {
	case "ErrImagePull":
		return fail("container %q in pod %q is waiting to start: image can't be pulled")
	case "ImagePullBackOff":
		return fail("container %q in pod %q is waiting to start: trying and failing to pull image")
	default:
		return fail("container %q in pod %q is waiting to start: %v", reason)
	}
}

// same says whether two runs are one, of which the later may have ended.
func (i instance) same(other instance) bool {
	return i.number == other.number && i.started.Equal(other.started)
}
