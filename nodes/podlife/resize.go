package podlife

import (
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	resourcehelper "k8s.io/component-helpers/resource"
)

// resize gives containers that run the resources that the pod's spec has now, if the node has them.
func (l *life) resize() {
	var different []one
	for _, o := range append(l.each(true), l.each(false)...) {
		if !o.init && o.cs.State.Running != nil && o.cs.Resources != nil && resized(o) {
			different = append(different, o)
		}
	}
	if len(different) == 0 {
		l.uncondition(corev1.PodResizePending)
		l.uncondition(corev1.PodResizeInProgress)
		return
	}
	if reason, message := l.unfit(); reason != "" {
		before := l.reasonOf(corev1.PodResizePending)
		l.condition(corev1.PodCondition{
			Type: corev1.PodResizePending, Status: corev1.ConditionTrue, Reason: reason, Message: message,
		})
		if before != reason {
			l.warn("Resize"+reason, "Pod resize "+reason+": "+l.summary(message), "")
		}
		l.out.Waiting = reason == corev1.PodReasonDeferred
		return
	}
	l.uncondition(corev1.PodResizePending)
	l.normal("ResizeStarted", "Pod resize started: "+l.summary(""), "")
	for _, o := range different {
		if restartsForResize(o) {
			m := l.mem.of(o.c.Name)
			if m.stopping.IsZero() {
				l.kill(o, &m, fmt.Sprintf("Container %s resize requires restart, will be restarted", o.c.Name))
				m.base = o.cs.RestartCount
				l.mem.put(o.c.Name, m)
			}
		}
		o.cs.Resources = o.c.Resources.DeepCopy()
		o.cs.AllocatedResources = o.c.Resources.DeepCopy().Requests
	}
	l.normal("ResizeCompleted", "Pod resize completed: "+l.summary(""), "")
}

// resized says that the CPU or memory of a container's spec is not what it has.
func resized(o one) bool {
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		if changedIn(o, name) {
			return true
		}
	}
	return false
}

func changedIn(o one, name corev1.ResourceName) bool {
	return !apiequality.Semantic.DeepEqual(o.c.Resources.Requests[name], o.cs.Resources.Requests[name]) ||
		!apiequality.Semantic.DeepEqual(o.c.Resources.Limits[name], o.cs.Resources.Limits[name])
}

// restartsForResize says that the container wants to be restarted for what changes.
func restartsForResize(o one) bool {
	return slices.ContainsFunc(o.c.ResizePolicy, func(p corev1.ContainerResizePolicy) bool {
		return p.RestartPolicy == corev1.RestartContainer && changedIn(o, p.ResourceName)
	})
}

// unfit is why the pod cannot have what it asks for: never (Infeasible), or not now (Deferred).
func (l *life) unfit() (reason, message string) {
	if l.Node == nil {
		return "", ""
	}
	wants := resourcehelper.PodRequests(l.pod, resourcehelper.PodResourcesOptions{})
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		want, has := wants[name], l.Node.Status.Allocatable[name]
		if want.Cmp(has) > 0 {
			return corev1.PodReasonInfeasible, fmt.Sprintf("Node didn't have enough capacity: %s, requested: %d, capacity: %d", name,
				amount(name, want), amount(name, has))
		}
	}
	var others []*corev1.Pod
	if l.Others != nil {
		others = l.Others()
	}
	if short := shortage(l.pod, l.Node, others); short != nil && short.name != corev1.ResourcePods {
		return corev1.PodReasonDeferred, short.message()
	}
	return "", ""
}

func (l *life) reasonOf(kind corev1.PodConditionType) string {
	for _, c := range l.st.Conditions {
		if c.Type == kind {
			return c.Reason
		}
	}
	return ""
}

func (l *life) uncondition(kind corev1.PodConditionType) {
	l.st.Conditions = slices.DeleteFunc(l.st.Conditions, func(c corev1.PodCondition) bool { return c.Type == kind })
}

// summary is how kubelets write a pod's resources into events (pkg/kubelet/events/resize.go).
func (l *life) summary(failure string) string {
	type container struct {
		Name      string                      `json:"name"`
		Resources corev1.ResourceRequirements `json:"resources,omitzero"`
	}
	sum := struct {
		InitContainers []container `json:"initContainers,omitempty"`
		Containers     []container `json:"containers,omitempty"`
		Generation     int64       `json:"generation"`
		Error          string      `json:"error,omitempty"`
	}{Generation: l.pod.Generation, Error: failure}
	for i := range l.pod.Spec.InitContainers {
		sum.InitContainers = append(sum.InitContainers, container{l.pod.Spec.InitContainers[i].Name, l.pod.Spec.InitContainers[i].Resources})
	}
	for i := range l.pod.Spec.Containers {
		sum.Containers = append(sum.Containers, container{l.pod.Spec.Containers[i].Name, l.pod.Spec.Containers[i].Resources})
	}
	text, err := json.Marshal(sum)
	if err != nil {
		panic(err) // plain values
	}
	return string(text)
}
