package podlife

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// world is a pod with its node, at a time that only its test moves.
type world struct {
	t       *testing.T
	pod     *corev1.Pod
	facts   Facts
	others  []*corev1.Pod
	objects map[Reference]Object
	images  map[string]bool
	events  []Event
	writes  int // of the status
	deleted bool
	wake    time.Time
}

var noon = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// newWorld has a pod of one container on a node with room.
func newWorld(t *testing.T, change ...func(*corev1.Pod)) *world {
	t.Helper()
	w := &world{
		t: t, objects: map[Reference]Object{}, images: map[string]bool{},
		pod: &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "web", Namespace: "default", UID: "uid-1", Generation: 1},
			Spec: corev1.PodSpec{
				NodeName: "node-1", RestartPolicy: corev1.RestartPolicyAlways,
				Containers: []corev1.Container{{Name: "c", Image: "app:1", ImagePullPolicy: corev1.PullIfNotPresent}},
			},
			Status: corev1.PodStatus{Phase: corev1.PodPending},
		},
	}
	for _, c := range change {
		c(w.pod)
	}
	w.facts = Facts{
		Settings: DefaultSettings(), Now: noon, HostIP: "10.0.0.9",
		Node: &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: "node-1", Labels: map[string]string{"kubernetes.io/os": "linux"}},
			Status: corev1.NodeStatus{
				Allocatable: corev1.ResourceList{
					corev1.ResourceCPU: resource.MustParse("2"), corev1.ResourceMemory: resource.MustParse("4Gi"),
					corev1.ResourcePods: resource.MustParse("10"),
				},
				NodeInfo: corev1.NodeSystemInfo{KubeletVersion: "v1.36.3-eks-8fcc1ab"},
			},
		},
		Others:  func() []*corev1.Pod { return w.others },
		Address: func(*corev1.Pod) (string, error) { return "10.0.1.5", nil },
		Lookup: func(r Reference) (Object, error) {
			if o, found := w.objects[r]; found {
				return o, nil
			}
			return Object{}, ErrNotFound
		},
		Present: func(image string) bool { return w.images[image] },
	}
	return w
}

// look is one call of Next, and does what it says.
func (w *world) look() Step {
	w.t.Helper()
	before := w.pod.DeepCopy()
	w.facts.Admitted = w.pod.Status.StartTime != nil
	step := Next(w.pod, w.facts)
	if diff := cmp.Diff(before, w.pod); diff != "" {
		w.t.Fatal("Next changed the pod: ", diff)
	}
	w.events = append(w.events, step.Events...)
	for _, image := range step.Pulled {
		w.images[image] = true
	}
	if step.Status != nil {
		w.pod.Status = wireTimes(*step.Status)
		w.writes++
	}
	w.facts.Memory = step.Memory
	w.deleted = w.deleted || step.Delete
	w.wake = step.Wake
	return step
}

// wireTimes drops the fractions of seconds, as the API server does.
func wireTimes(s corev1.PodStatus) corev1.PodStatus {
	data, err := s.Marshal()
	if err != nil {
		panic(err)
	}
	var out corev1.PodStatus
	if err := out.Unmarshal(data); err != nil {
		panic(err)
	}
	cut := func(t *metav1.Time) {
		if !t.IsZero() {
			*t = metav1.NewTime(t.Truncate(time.Second).UTC())
		}
	}
	for _, list := range [][]corev1.ContainerStatus{out.InitContainerStatuses, out.ContainerStatuses} {
		for i := range list {
			for _, state := range []*corev1.ContainerState{&list[i].State, &list[i].LastTerminationState} {
				if state.Running != nil {
					cut(&state.Running.StartedAt)
				}
				if state.Terminated != nil {
					cut(&state.Terminated.StartedAt)
					cut(&state.Terminated.FinishedAt)
				}
			}
		}
	}
	for i := range out.Conditions {
		cut(&out.Conditions[i].LastTransitionTime)
	}
	cut(out.StartTime)
	return out
}

// pass lets time go by, with a look whenever one is asked for, and one at the end.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.facts.Now.Add(d)
	for i := 0; !w.wake.IsZero() && !w.wake.After(end); i++ {
		if i > 10_000 {
			w.t.Fatal("looks for ever")
		}
		w.facts.Now = maxTime(w.facts.Now, w.wake)
		w.look()
	}
	w.facts.Now = end
	w.look()
}

// restart makes the kubelet forget what it had not written.
func (w *world) restart() { w.facts.Memory = nil }

func (w *world) status(container string) *corev1.ContainerStatus {
	w.t.Helper()
	for _, list := range [][]corev1.ContainerStatus{w.pod.Status.InitContainerStatuses, w.pod.Status.ContainerStatuses,
		w.pod.Status.EphemeralContainerStatuses} {
		if cs := statusOf(list, container); cs != nil {
			return cs
		}
	}
	w.t.Fatalf("no status of %s", container)
	return nil
}

// phase of the pod, as kubectl get shows it, roughly: a waiting or terminated container's reason comes first.
func (w *world) shown() string {
	if w.pod.Status.Reason != "" {
		return w.pod.Status.Reason
	}
	for _, cs := range w.pod.Status.InitContainerStatuses {
		if end := cs.State.Terminated; end != nil && end.ExitCode != 0 {
			return "Init:" + end.Reason
		}
		if wait := cs.State.Waiting; wait != nil && wait.Reason != "PodInitializing" {
			return "Init:" + wait.Reason
		}
	}
	for _, cs := range w.pod.Status.ContainerStatuses {
		if wait := cs.State.Waiting; wait != nil && wait.Reason != "" {
			return wait.Reason
		}
		if end := cs.State.Terminated; end != nil {
			return end.Reason
		}
	}
	return string(w.pod.Status.Phase)
}

func (w *world) want(shown string) {
	w.t.Helper()
	if got := w.shown(); got != shown {
		w.t.Fatalf("at %v the pod is %s, want %s; status %+v", w.facts.Now.Sub(noon), got, shown, w.pod.Status)
	}
}

func (w *world) condition(kind corev1.PodConditionType) corev1.PodCondition {
	for _, c := range w.pod.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return corev1.PodCondition{}
}

func (w *world) ready() bool { return w.condition(corev1.PodReady).Status == corev1.ConditionTrue }

// said counts the events whose reason and message are, or begin so.
func (w *world) said(reason, message string) int {
	n := 0
	for _, e := range w.events {
		if e.Reason == reason && strings.HasPrefix(e.Message, message) {
			n++
		}
	}
	return n
}

func (w *world) wantSaid(reason, message string) {
	w.t.Helper()
	if w.said(reason, message) == 0 {
		w.t.Errorf("no event %s: %s; there were %q", reason, message, w.events)
	}
}

// Ways to change the pod of newWorld.

func command(words ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Command = words }
}

func policy(policy corev1.RestartPolicy) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.RestartPolicy = policy }
}

func annotated(name, value string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		if p.Annotations == nil {
			p.Annotations = map[string]string{}
		}
		p.Annotations[name] = value
	}
}

func container(change func(*corev1.Container)) func(*corev1.Pod) {
	return func(p *corev1.Pod) { change(&p.Spec.Containers[0]) }
}

func initContainer(name string, command ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: name, Image: "init:1", Command: command})
	}
}

func sidecarContainer(name string, change ...func(*corev1.Container)) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		always := corev1.ContainerRestartPolicyAlways
		c := corev1.Container{Name: name, Image: "sidecar:1", RestartPolicy: &always}
		for _, ch := range change {
			ch(&c)
		}
		p.Spec.InitContainers = append(p.Spec.InitContainers, c)
	}
}

// deleting asks for the pod's deletion at the present time.
func (w *world) deleting(grace int64) {
	at := metav1.NewTime(w.facts.Now.Add(time.Duration(grace) * time.Second))
	w.pod.DeletionTimestamp, w.pod.DeletionGracePeriodSeconds = &at, &grace
}

var errFull = errors.New("subnet is full")
