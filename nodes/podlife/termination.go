package podlife

import (
	"fmt"
	"path"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// minimumGrace is what a container is given at least (kubelet's minimumGracePeriodInSeconds).
const minimumGrace = 2 * time.Second

// Why containers are restarted by their kubelet, as far as it decides about the grace period.
const (
	killedByLiveness = "Container %s failed liveness probe"
	killedByStartup  = "Container %s failed startup probe"
)

// grace is the time that a container has to stop.
func grace(pod *corev1.Pod, c *corev1.Container, why string) time.Duration {
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if s := pod.Spec.TerminationGracePeriodSeconds; s != nil {
		seconds = *s
	}
	if s := pod.DeletionGracePeriodSeconds; s != nil {
		seconds = *s
	}
	for probe, words := range map[*corev1.Probe]string{c.LivenessProbe: killedByLiveness, c.StartupProbe: killedByStartup} {
		if probe != nil && probe.TerminationGracePeriodSeconds != nil && strings.HasPrefix(why, fmt.Sprintf(words, c.Name)) {
			seconds = *probe.TerminationGracePeriodSeconds
		}
	}
	return time.Duration(seconds) * time.Second
}

// stopTime is how long a container takes to stop: its preStop hook, and its process after SIGTERM; and how it ends.
func (l *life) stopTime(c *corev1.Container, grace time.Duration) (took time.Duration, code int32) {
	var hook time.Duration
	if c.Lifecycle != nil && grace > 0 {
		hook, _ = hookTime(c.Lifecycle.PreStop, c)
		hook = min(hook, grace)
	}
	after, code, never := l.stopOf(c)
	left := max(grace-hook, minimumGrace)
	if never || after > left {
		return hook + left, exitKilled
	}
	return hook + after, code
}

// startError is containerd's error for a command that says of itself that it is not there, or "".
func startError(c *corev1.Container) string {
	if len(c.Command) == 0 {
		return ""
	}
	name := path.Base(c.Command[0])
	for _, word := range []string{"does-not-exist", "doesnotexist", "nonexistent", "non-existent", "no-such-command",
		"invalid-command"} {
		if !strings.Contains(name, word) {
			continue
		}
		why := "executable file not found in $PATH"
		if strings.HasPrefix(c.Command[0], "/") {
			why = "no such file or directory"
			return fmt.Sprintf("failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "+
				"create failed: unable to start container process: error during container init: exec: %q: stat %s: %s: unknown",
				c.Command[0], c.Command[0], why)
		}
		return fmt.Sprintf("failed to create containerd task: failed to create shim task: OCI runtime create failed: runc "+
			"create failed: unable to start container process: error during container init: exec: %q: %s: unknown",
			c.Command[0], why)
	}
	return ""
}

// overdue says that the pod has been active for longer than it may.
func (l *life) overdue() bool {
	at, limited := l.deadline()
	return limited && !l.Now.Before(at)
}

func (l *life) deadline() (at time.Time, limited bool) {
	seconds := l.pod.Spec.ActiveDeadlineSeconds
	if seconds == nil || l.st.StartTime == nil {
		return time.Time{}, false
	}
	return l.st.StartTime.Add(time.Duration(*seconds) * time.Second), true
}

// exceed ends a pod that is overdue.
func (l *life) exceed() {
	const reason, message = "DeadlineExceeded", "Pod was active on the node longer than the specified deadline"
	l.normal(reason, message, "")
	l.terminate(ending{reason: reason, message: message})
}

// evict ends a pod for its node's sake.
func (l *life) evict() {
	l.warn("Evicted", l.Evict.Message, "")
	l.terminate(ending{reason: "Evicted", message: l.Evict.Message, disruption: true, grace: new(int64)})
}

// terminate stops the pod's containers, for the deletion of its object if e is empty, and then says how it ended.
func (l *life) terminate(e ending) {
	if e.since.IsZero() {
		if l.mem.Ending != nil && l.mem.Ending.reason == e.reason {
			e.since = l.mem.Ending.since
		} else {
			e.since = l.began()
			l.lists()
			l.tellStop()
		}
		l.mem.Ending = &e
	}
	l.lists()
	ends := l.ends(e)
	last := e.since
	for _, s := range ends {
		if s.at.After(last) {
			last = s.at
		}
	}
	if l.Now.Before(last) {
		l.probes() // readiness goes on
		l.summarize()
		l.wake(last)
		return
	}
	for _, s := range ends {
		l.end(s.one.cs, s.at, s.code, reasonOf(s.code), l.terminationMessage(s.one.c, run{code: s.code}))
	}
	l.mem = &Memory{Ending: &e} // its events are sent
	l.last(e)
}

// began is when the deletion of the pod's object was asked for, or now.
func (l *life) began() time.Time {
	at := l.pod.DeletionTimestamp
	if at == nil {
		return l.Now
	}
	asked := at.Time
	if s := l.pod.DeletionGracePeriodSeconds; s != nil {
		asked = asked.Add(-time.Duration(*s) * time.Second)
	}
	if asked.After(l.Now) || l.Now.Sub(asked) < 2*time.Second { // the object has whole seconds only
		return l.Now
	}
	return asked
}

// tellStop sends the events of all containers that are stopped.
func (l *life) tellStop() {
	for _, o := range append(l.each(true), l.each(false)...) {
		if o.cs.State.Running != nil {
			l.normal("Killing", "Stopping container "+o.c.Name, o.field)
			l.call(preStop(o.c), o.c, true)
		}
	}
}

// stop is when a container ends that is being stopped, and how.
type stop struct {
	one  one
	at   time.Time
	code int32
}

// ends says when the running containers end: sidecars after all others, in the reverse of their order.
func (l *life) ends(e ending) []stop {
	limit := func(c *corev1.Container) time.Duration {
		if e.grace != nil {
			return time.Duration(*e.grace) * time.Second
		}
		return grace(l.pod, c, "")
	}
	var stops []stop
	last := e.since
	for _, o := range append(l.each(false), l.debuggers()...) {
		if o.cs.State.Running == nil {
			continue
		}
		took, code := l.stopTime(o.c, limit(o.c))
		s := stop{o, e.since.Add(took), code}
		if s.at.After(last) {
			last = s.at
		}
		stops = append(stops, s)
	}
	inits := l.each(true)
	for i := len(inits) - 1; i >= 0; i-- {
		o := inits[i]
		if o.cs.State.Running == nil {
			continue
		}
		took, code := l.stopTime(o.c, limit(o.c))
		at := e.since.Add(took)
		if o.sidecar && last.After(e.since) {
			at = last.Add(took)
			if killed := e.since.Add(max(limit(o.c), minimumGrace)); at.After(killed) && took > 0 {
				at, code = maxTime(killed, last), exitKilled
			}
		}
		last = maxTime(last, at)
		stops = append(stops, stop{o, at, code})
	}
	return stops
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// stopSidecars stops the sidecars of a pod whose containers have all ended for good.
func (l *life) stopSidecars() {
	var since time.Time
	for _, o := range l.each(false) {
		if end := o.cs.State.Terminated; end != nil {
			since = maxTime(since, end.FinishedAt.Time)
		}
	}
	if l.Now.Sub(since) < 2*time.Second {
		since = l.Now
	}
	for _, o := range l.each(true) {
		m := l.mem.of(o.c.Name)
		if o.cs.State.Running == nil || !o.sidecar {
			continue
		}
		if m.stopping.IsZero() {
			m.stopping = since
			l.normal("Killing", "Stopping container "+o.c.Name, o.field)
			l.mem.put(o.c.Name, m)
		} else {
			since = m.stopping
		}
	}
	for _, s := range l.ends(ending{since: since}) {
		if !s.one.sidecar {
			continue
		}
		if l.Now.Before(s.at) {
			l.wake(s.at)
			continue
		}
		l.mem.put(s.one.c.Name, containerMemory{})
		l.end(s.one.cs, s.at, s.code, reasonOf(s.code), "")
	}
}

// last is the final status of a pod whose containers have been stopped, and the end of its object.
func (l *life) last(e ending) {
	const unknown = "The container could not be located when the pod was terminated"
	succeeded := len(l.st.ContainerStatuses) > 0
	for _, o := range append(l.each(true), l.each(false)...) {
		if o.cs.State.Terminated == nil && o.cs.LastTerminationState.Terminated != nil {
			o.cs.State = o.cs.LastTerminationState // one in back-off
			o.cs.LastTerminationState = corev1.ContainerState{}
		}
		if o.cs.State.Terminated == nil && l.initialized() {
			o.cs.State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				Reason: "ContainerStatusUnknown", Message: unknown, ExitCode: exitKilled,
			}}
		}
		if !o.sidecar {
			succeeded = succeeded && o.cs.State.Terminated != nil && o.cs.State.Terminated.ExitCode == 0
		}
		o.cs.Ready, o.cs.Started = false, new(bool)
	}
	l.st.Phase = corev1.PodFailed
	if succeeded && e.reason == "" {
		l.st.Phase = corev1.PodSucceeded
	}
	if e.reason != "" {
		l.st.Reason, l.st.Message = e.reason, e.message
	}
	if e.disruption {
		l.condition(corev1.PodCondition{
			Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: corev1.PodReasonTerminationByKubelet,
			Message: e.message,
		})
	}
	l.conditions()
	if l.pod.DeletionTimestamp == nil {
		return
	}
	l.out.Delete = l.deletable()
	if len(l.pod.Finalizers) == 0 { // nobody will read it
		l.st = l.pod.Status.DeepCopy()
	}
}

// stamp is a time as a status has it.
func stamp(t time.Time) *metav1.Time {
	s := metav1.NewTime(t)
	return &s
}
