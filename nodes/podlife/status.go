package podlife

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// lists makes the status have an entry for each container of the spec, in the order of kubelets: init containers as
// they stand, others by name.
func (l *life) lists() {
	reason := "ContainerCreating"
	if len(l.pod.Spec.InitContainers) > 0 {
		reason = "PodInitializing"
	}
	l.st.InitContainerStatuses = complete(l.pod.Spec.InitContainers, l.st.InitContainerStatuses, reason)
	l.st.ContainerStatuses = complete(l.pod.Spec.Containers, l.st.ContainerStatuses, reason)
	slices.SortStableFunc(l.st.ContainerStatuses, func(a, b corev1.ContainerStatus) int { return strings.Compare(a.Name, b.Name) })
	if len(l.pod.Spec.EphemeralContainers) == 0 {
		return
	}
	specs := make([]corev1.Container, 0, len(l.pod.Spec.EphemeralContainers))
	for i := range l.pod.Spec.EphemeralContainers {
		specs = append(specs, corev1.Container(l.pod.Spec.EphemeralContainers[i].EphemeralContainerCommon))
	}
	l.st.EphemeralContainerStatuses = complete(specs, l.st.EphemeralContainerStatuses, "ContainerCreating")
}

func complete(specs []corev1.Container, statuses []corev1.ContainerStatus, reason string) []corev1.ContainerStatus {
	full := make([]corev1.ContainerStatus, 0, len(specs))
	for i := range specs {
		c := &specs[i]
		if cs := statusOf(statuses, c.Name); cs != nil {
			if cs.State == (corev1.ContainerState{}) {
				cs.State.Waiting = &corev1.ContainerStateWaiting{Reason: reason}
			}
			full = append(full, *cs)
			continue
		}
		full = append(full, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Started: new(bool), VolumeMounts: mounts(c),
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}},
		})
	}
	if len(full) == 0 {
		return nil
	}
	return full
}

// mounts are a container's volume mounts, as its status has them.
func mounts(c *corev1.Container) []corev1.VolumeMountStatus {
	var list []corev1.VolumeMountStatus
	for _, m := range c.VolumeMounts {
		s := corev1.VolumeMountStatus{Name: m.Name, MountPath: m.MountPath, ReadOnly: m.ReadOnly}
		if m.ReadOnly {
			mode := corev1.RecursiveReadOnlyDisabled
			if want := m.RecursiveReadOnly; want != nil && (*want == corev1.RecursiveReadOnlyEnabled ||
				*want == corev1.RecursiveReadOnlyIfPossible) {
				mode = corev1.RecursiveReadOnlyEnabled
			}
			s.RecursiveReadOnly = &mode
		}
		list = append(list, s)
	}
	return list
}

// summarize makes the pod's phase and conditions of its containers' states.
func (l *life) summarize() {
	before := l.st.Phase
	l.st.Phase = l.phase()
	if l.st.Phase != before {
		l.st.Reason, l.st.Message = "", ""
	}
	l.conditions()
}

// phase is what kubelets make of the containers' states (getPhase in kubelet_pods.go).
func (l *life) phase() corev1.PodPhase {
	initialized := l.initialized()
	pending, running, waiting, stopped, restartable, failed := false, 0, 0, 0, 0, 0
	for _, o := range l.each(true) {
		end := o.cs.State.Terminated
		if o.sidecar {
			switch {
			case o.cs.State.Running != nil:
				pending = pending || (o.cs.Started == nil || !*o.cs.Started) && !initialized
				running++
			case o.cs.State.Waiting != nil && o.cs.LastTerminationState.Terminated == nil:
				pending = pending || !initialized
				waiting++
			}
			continue
		}
		if end == nil && o.cs.State.Waiting != nil {
			end = o.cs.LastTerminationState.Terminated
		}
		switch {
		case end == nil:
			pending = pending || !initialized
		case end.ExitCode != 0 && !l.restarts(o, end.ExitCode):
			return corev1.PodFailed
		case end.ExitCode != 0 || o.cs.State.Terminated == nil:
			pending = pending || !initialized
		}
	}
	for _, o := range l.each(false) {
		end := o.cs.State.Terminated
		if o.cs.State.Running != nil {
			running++
			continue
		}
		if end == nil {
			end = o.cs.LastTerminationState.Terminated
		}
		if end == nil {
			waiting++
			continue
		}
		stopped++
		if l.restarts(o, end.ExitCode) {
			restartable++
		} else if end.ExitCode != 0 {
			failed++
		}
	}
	switch {
	case pending || waiting > 0:
		return corev1.PodPending
	case running > 0 || restartable > 0:
		return corev1.PodRunning
	case stopped > 0 && failed == 0:
		return corev1.PodSucceeded
	case stopped > 0:
		return corev1.PodFailed
	}
	return corev1.PodPending
}

// conditions makes the kubelet's conditions of the status, and what else stands in every status.
func (l *life) conditions() {
	l.st.ObservedGeneration = l.pod.Generation
	if l.HostIP != "" {
		l.st.HostIP, l.st.HostIPs = l.HostIP, []corev1.HostIP{{IP: l.HostIP}}
	}
	started := corev1.PodCondition{Type: corev1.PodReadyToStartContainers, Status: corev1.ConditionFalse}
	if l.st.PodIP != "" && !finished(&corev1.Pod{Status: *l.st}) {
		started.Status = corev1.ConditionTrue
	}
	l.condition(started)
	l.condition(l.initializedCondition())
	ready := l.containersReady()
	pod := ready
	pod.Type = corev1.PodReady
	if ready.Status == corev1.ConditionTrue {
		if unmet := l.gates(); unmet != "" {
			pod.Status, pod.Reason, pod.Message = corev1.ConditionFalse, "ReadinessGatesNotReady", unmet
		}
	}
	l.condition(pod)
	l.condition(ready)
	l.condition(corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue})
}

// condition sets a condition, and keeps since when it is so.
func (l *life) condition(c corev1.PodCondition) {
	c.ObservedGeneration = l.pod.Generation
	c.LastTransitionTime = metav1.NewTime(l.Now)
	for i := range l.st.Conditions {
		old := &l.st.Conditions[i]
		if old.Type != c.Type {
			continue
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		c.LastProbeTime = old.LastProbeTime
		*old = c
		return
	}
	l.st.Conditions = append(l.st.Conditions, c)
}

func (l *life) initializedCondition() corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.PodInitialized, Status: corev1.ConditionTrue}
	if l.st.Phase == corev1.PodSucceeded {
		c.Reason = "PodCompleted"
		return c
	}
	if l.initialized() {
		return c
	}
	var incomplete []string
	for _, o := range l.each(true) {
		if o.sidecar && (o.cs.Started == nil || !*o.cs.Started) || o.init && !o.cs.Ready {
			incomplete = append(incomplete, o.c.Name)
		}
	}
	if len(incomplete) > 0 {
		c.Status, c.Reason = corev1.ConditionFalse, "ContainersNotInitialized"
		c.Message = fmt.Sprintf("containers with incomplete status: %s", incomplete)
	}
	return c
}

func (l *life) containersReady() corev1.PodCondition {
	c := corev1.PodCondition{Type: corev1.ContainersReady, Status: corev1.ConditionTrue}
	switch l.st.Phase {
	case corev1.PodSucceeded:
		c.Status, c.Reason = corev1.ConditionFalse, "PodCompleted"
		return c
	case corev1.PodFailed:
		c.Status, c.Reason = corev1.ConditionFalse, "PodFailed"
		return c
	}
	var unready []string
	for _, o := range append(l.each(true), l.each(false)...) {
		if !o.init && !o.cs.Ready {
			unready = append(unready, o.c.Name)
		}
	}
	if len(unready) > 0 {
		c.Status, c.Reason = corev1.ConditionFalse, "ContainersNotReady"
		c.Message = fmt.Sprintf("containers with unready status: %s", unready)
	}
	return c
}

// gates says which readiness gates are not fulfilled, or "".
func (l *life) gates() string {
	var unmet []string
	for _, gate := range l.pod.Spec.ReadinessGates {
		i := slices.IndexFunc(l.st.Conditions, func(c corev1.PodCondition) bool { return c.Type == gate.ConditionType })
		if i < 0 {
			unmet = append(unmet, fmt.Sprintf("corresponding condition of pod readiness gate %q does not exist.",
				string(gate.ConditionType)))
		} else if status := l.st.Conditions[i].Status; status != corev1.ConditionTrue {
			unmet = append(unmet, fmt.Sprintf("the status of pod readiness gate %q is not \"True\", but %v",
				string(gate.ConditionType), status))
		}
	}
	return strings.Join(unmet, ", ")
}

// minor is that of the kubelet's version, of Kubernetes 1.
func (l *life) minor() int {
	const newest = 37
	if l.Node == nil {
		return newest
	}
	parts := strings.SplitN(strings.TrimPrefix(l.Node.Status.NodeInfo.KubeletVersion, "v"), ".", 3)
	if len(parts) < 2 {
		return newest
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		return newest
	}
	return n
}
