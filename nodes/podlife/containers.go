package podlife

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxTurns bounds what happens to a pod in one call, where nothing takes time.
const maxTurns = 64

// endShown is for how many times Settings.Notice a container's end is shown before CrashLoopBackOff is.
const endShown = 5

// longRun is after how long a container's earlier restarts are forgotten: twice the longest back-off.
const longRun = 2 * lastBackoff

// one is a container with its status.
type one struct {
	c       *corev1.Container
	cs      *corev1.ContainerStatus
	field   string
	init    bool // of the init containers, and not a sidecar
	sidecar bool
}

// each gives the pod's init containers, or its others, with their statuses.
func (l *life) each(init bool) []one {
	specs, statuses, path := l.pod.Spec.Containers, l.st.ContainerStatuses, "spec.containers{%s}"
	if init {
		specs, statuses, path = l.pod.Spec.InitContainers, l.st.InitContainerStatuses, "spec.initContainers{%s}"
	}
	list := make([]one, 0, len(specs))
	for i := range specs {
		c := &specs[i]
		list = append(list, one{
			c: c, cs: statusOf(statuses, c.Name), field: fmt.Sprintf(path, c.Name),
			init: init && !sidecar(c), sidecar: init && sidecar(c),
		})
	}
	return list
}

func statusOf(list []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// containers drives the containers until nothing happens any more without time going by.
func (l *life) containers() {
	for range maxTurns {
		if !l.turn() {
			return
		}
	}
	l.wake(l.Now.Add(time.Second))
}

// turn makes one round through the pod's containers. It says whether something changed.
func (l *life) turn() bool {
	if l.restartAll() {
		return true
	}
	changed, ready := l.initialize()
	if !ready {
		return changed
	}
	regular := l.each(false)
	for _, o := range regular {
		changed = l.drive(o) || changed
	}
	if !changed && l.over(regular) {
		l.stopSidecars()
	}
	return changed
}

// initialize drives the init containers in their order. ready says that the others may start.
func (l *life) initialize() (changed, ready bool) {
	initialized := l.initialized()
	for _, o := range l.each(true) {
		switch {
		case o.sidecar:
			if l.over(l.each(false)) {
				continue
			}
			changed = l.drive(o) || changed
			if !initialized && (o.cs.Started == nil || !*o.cs.Started) {
				l.startup(o)
			}
			if !initialized && (o.cs.Started == nil || !*o.cs.Started) {
				return changed, false
			}
		case initialized || o.cs.State.Terminated != nil && o.cs.State.Terminated.ExitCode == 0:
		default:
			changed = l.drive(o) || changed
			if end := o.cs.State.Terminated; end == nil || end.ExitCode != 0 {
				return changed, false
			}
		}
	}
	return changed, true
}

// initialized says that the pod's other containers have been started before: init containers are not run again.
func (l *life) initialized() bool {
	for i := range l.st.ContainerStatuses {
		cs := &l.st.ContainerStatuses[i]
		if cs.State.Running != nil || cs.State.Terminated != nil || cs.LastTerminationState.Terminated != nil {
			return true
		}
	}
	return false
}

// over says that none of the containers runs, nor will again.
func (l *life) over(list []one) bool {
	for _, o := range list {
		end := o.cs.State.Terminated
		if end == nil {
			if o.cs.State.Waiting == nil {
				return false
			}
			if end = o.cs.LastTerminationState.Terminated; end == nil {
				return false
			}
		}
		if l.restarts(o, end.ExitCode) {
			return false
		}
	}
	return true
}

// restarts says whether a container that ended so is started again.
func (l *life) restarts(o one, code int32) bool {
	if rule, found := ruleOf(o.c, code); found && rule.Action != "" {
		return true
	}
	if p := o.c.RestartPolicy; p != nil {
		switch *p {
		case corev1.ContainerRestartPolicyAlways:
			return true
		case corev1.ContainerRestartPolicyOnFailure:
			return code != 0
		case corev1.ContainerRestartPolicyNever:
			return false
		}
	}
	switch l.pod.Spec.RestartPolicy {
	case corev1.RestartPolicyNever:
		return false
	case corev1.RestartPolicyOnFailure:
		return code != 0
	}
	return !o.init || code != 0
}

// ruleOf is the first restart rule that an exit code fits.
func ruleOf(c *corev1.Container, code int32) (rule corev1.ContainerRestartRule, found bool) {
	for _, rule := range c.RestartPolicyRules {
		if rule.ExitCodes == nil {
			continue
		}
		in := false
		for _, value := range rule.ExitCodes.Values {
			in = in || value == code
		}
		if in == (rule.ExitCodes.Operator == corev1.ContainerRestartRuleOnExitCodesOpIn) {
			return rule, true
		}
	}
	return rule, false
}

// drive does the next thing to a container. It says whether something changed.
func (l *life) drive(o one) bool {
	m := l.mem.of(o.c.Name)
	before := *o.cs
	switch {
	case o.cs.State.Running != nil:
		l.runOn(o, &m)
	case o.cs.State.Terminated != nil:
		if l.restarts(o, o.cs.State.Terminated.ExitCode) && !l.backingOff(o, &m, o.cs.State.Terminated) {
			l.start(o, &m)
		}
	case o.cs.State.Waiting != nil && o.cs.State.Waiting.Reason == "CrashLoopBackOff" &&
		o.cs.LastTerminationState.Terminated != nil:
		if !l.backingOff(o, &m, o.cs.LastTerminationState.Terminated) {
			l.start(o, &m)
		}
	default:
		l.start(o, &m)
	}
	l.mem.put(o.c.Name, m)
	return before.ContainerID != o.cs.ContainerID || before.RestartCount != o.cs.RestartCount ||
		(before.State.Running == nil) != (o.cs.State.Running == nil) ||
		(before.State.Terminated == nil) != (o.cs.State.Terminated == nil)
}

// backingOff says that a container that has ended is not started yet, and shows CrashLoopBackOff when it is so.
func (l *life) backingOff(o one, m *containerMemory, end *corev1.ContainerStateTerminated) bool {
	finished := end.FinishedAt.Time
	if noticed := finished.Add(l.Settings.Notice); o.cs.State.Terminated != nil && l.Now.Before(noticed) {
		l.wake(noticed)
		return true
	}
	if _, there := fault(l.pod, FaultImagePull, o.c.Name); there {
		return false // its image comes first
	}
	n := int(o.cs.RestartCount - m.base)
	if n <= 0 {
		return false
	}
	pause := doubled(firstBackoff, lastBackoff, n-1)
	until := finished.Add(pause)
	if !l.Now.Before(until) {
		return false
	}
	// A kubelet shows how the container ended until it looks at the pod again.
	if shown := finished.Add(min(pause/2, endShown*l.Settings.Notice)); o.cs.State.Terminated != nil && l.Now.Before(shown) {
		l.wake(shown)
		return true
	}
	if m.told != o.cs.RestartCount {
		m.told = o.cs.RestartCount
		l.warn("BackOff", fmt.Sprintf("Back-off restarting failed container %s in pod %s", o.c.Name, l.format()), o.field)
	}
	o.cs.LastTerminationState = corev1.ContainerState{Terminated: end}
	o.cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{
		Reason:  "CrashLoopBackOff",
		Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", pause, o.c.Name, l.format()),
	}}
	l.wake(until)
	return true
}

// format names the pod as kubelets do.
func (l *life) format() string {
	return fmt.Sprintf("%s_%s(%s)", l.pod.Name, l.pod.Namespace, l.pod.UID)
}

// start brings a container to run: its image, its configuration, its creation.
func (l *life) start(o one, m *containerMemory) {
	if !m.pulled {
		switch got, reason, message := l.image(o.c, m, o.field); got {
		case waiting:
			return
		case failed:
			l.wait(o, reason, message)
			return
		}
		m.pulled = true
	}
	switch message, known := l.configure(o.c); {
	case !known:
		m.pulled = false
		l.askAgain()
		return
	case message != "":
		m.pulled = false
		l.retryNotice(&m.config, func() { l.warn("Failed", "Error: "+message, o.field) })
		l.wake(l.Now.Add(lookAgain))
		l.wait(o, "CreateContainerConfigError", message)
		return
	}
	hook, ok := hookTime(postStart(o.c), o.c)
	if m.until.IsZero() {
		m.until = l.Now.Add(l.Settings.Start + hook)
	}
	if l.Now.Before(m.until) {
		l.wake(m.until)
		return
	}
	started := m.until.Add(-hook)
	if l.Now.Sub(m.until) > time.Minute { // the agent stood still
		started = l.Now
	}
	base, told := m.base, m.told
	*m = containerMemory{base: base, told: told, started: started}
	l.begin(o, started)
	l.call(postStart(o.c), o.c, false)
	if !ok {
		l.warn("FailedPostStartHook", "PostStartHook failed", o.field)
		l.normal("Killing", "FailedPostStartHook", o.field)
		l.end(o.cs, l.Now, exitKilled, "Error", "")
	}
}

// lookAgain is after how long something that was missing is asked for again.
const lookAgain = 2 * time.Second

func postStart(c *corev1.Container) *corev1.LifecycleHandler {
	if c.Lifecycle == nil {
		return nil
	}
	return c.Lifecycle.PostStart
}

// wait shows why a container does not start.
func (l *life) wait(o one, reason, message string) {
	if end := o.cs.State.Terminated; end != nil {
		o.cs.LastTerminationState = corev1.ContainerState{Terminated: end}
	}
	o.cs.State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	o.cs.Ready, o.cs.Started = false, new(bool)
}

// begin makes a container run, or fail to.
func (l *life) begin(o one, at time.Time) {
	if end := o.cs.State.Terminated; end != nil {
		o.cs.LastTerminationState = corev1.ContainerState{Terminated: end}
	}
	if o.cs.ContainerID != "" {
		o.cs.RestartCount++
	}
	o.cs.Image, o.cs.ImageID = Normalize(o.c.Image), ImageID(o.c.Image)
	o.cs.ContainerID = ContainerID(string(l.pod.UID), o.c.Name, o.cs.RestartCount)
	o.cs.Resources = o.c.Resources.DeepCopy()
	o.cs.AllocatedResources = o.c.Resources.DeepCopy().Requests
	o.cs.State = corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(at)}}
	if l.minor() >= 36 {
		l.normal("Created", "Container created", o.field)
	} else {
		l.normal("Created", "Created container: "+o.c.Name, o.field)
	}
	if why := startError(o.c); why != "" {
		l.warn("Failed", "Error: "+why, o.field)
		l.end(o.cs, l.Now, 128, "StartError", why)
		o.cs.State.Terminated.StartedAt = metav1.NewTime(time.Unix(0, 0)) // as containerd has it
		return
	}
	if l.minor() >= 36 {
		l.normal("Started", "Container started", o.field)
	} else {
		l.normal("Started", "Started container "+o.c.Name, o.field)
	}
	started := o.c.StartupProbe == nil || o.init
	o.cs.Started, o.cs.Ready = &started, false
	l.leave(o.c, 0)
}

// end makes a container one that has ended.
func (l *life) end(cs *corev1.ContainerStatus, at time.Time, code int32, reason, message string) {
	end := &corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, FinishedAt: metav1.NewTime(at), ContainerID: cs.ContainerID,
	}
	if cs.State.Running != nil {
		end.StartedAt = cs.State.Running.StartedAt
	}
	cs.State = corev1.ContainerState{Terminated: end}
	cs.Ready, cs.Started = false, new(bool)
}

// runOn looks after a container that runs.
func (l *life) runOn(o one, m *containerMemory) {
	started := m.started
	if started.IsZero() || started.Unix() != o.cs.State.Running.StartedAt.Unix() {
		started = o.cs.State.Running.StartedAt.Time
	}
	if m.stopping.IsZero() {
		if l.changed(o) {
			l.kill(o, m, fmt.Sprintf("Container %s definition changed, will be restarted", o.c.Name))
			m.base = o.cs.RestartCount
		}
	}
	if !m.stopping.IsZero() {
		took, code := l.stopTime(o.c, grace(l.pod, o.c, m.killing))
		if at := m.stopping.Add(took); l.Now.Before(at) {
			l.wake(at)
			return
		}
		l.finish(o, m, started, m.stopping.Add(took), run{code: code, reason: reasonOf(code)})
		return
	}
	r := l.runOf(o.c)
	if !r.ends {
		return
	}
	at := started.Add(r.after)
	if l.Now.Before(at) {
		l.wake(at)
		return
	}
	if _, _, crashes := crash(l.pod, o.c.Name); crashes {
		at = l.Now // by a fault, which may have come later
	}
	l.finish(o, m, started, at, r)
}

// finish ends a container's run.
func (l *life) finish(o one, m *containerMemory, started, at time.Time, r run) {
	base, told := m.base, m.told
	if at.Sub(started) > longRun {
		base = o.cs.RestartCount
	}
	*m = containerMemory{base: base, told: told}
	l.leave(o.c, at.Sub(started))
	l.end(o.cs, at, r.code, r.reason, l.terminationMessage(o.c, r))
	if o.init && r.code == 0 {
		o.cs.Ready = true
	}
}

// terminationMessage is what a container leaves: its message, or, if it failed, the end of what it printed, where its
// policy says so.
func (l *life) terminationMessage(c *corev1.Container, r run) string {
	if r.message == "" && r.code != 0 && c.TerminationMessagePolicy == corev1.TerminationMessageFallbackToLogsOnError {
		r.message = l.program(c).tail
	}
	return r.message[max(0, len(r.message)-mostMessage):]
}

// mostMessage is how long a message may be, in bytes (MaxContainerTerminationMessageLength).
const mostMessage = 4096

// changed says that a container's image in the spec is not the one that it runs.
func (l *life) changed(o one) bool {
	if _, there := fault(l.pod, FaultImagePull, o.c.Name); there {
		return true
	}
	return o.cs.Image != "" && Normalize(o.cs.Image) != Normalize(o.c.Image)
}

// kill begins to stop a container that is to be restarted.
func (l *life) kill(o one, m *containerMemory, message string) {
	m.stopping, m.killing = l.Now, message
	l.call(preStop(o.c), o.c, true)
	l.normal("Killing", message, o.field)
}

// restartAll starts all containers anew when one has ended so that its rule says so.
func (l *life) restartAll() bool {
	due := false
	all := append(l.each(true), l.each(false)...)
	for _, o := range all {
		if end := o.cs.State.Terminated; end != nil {
			rule, found := ruleOf(o.c, end.ExitCode)
			if !found || rule.Action != corev1.ContainerRestartRuleActionRestartAllContainers {
				continue
			}
			at := end.FinishedAt.Add(l.Settings.Notice)
			if o.cs.RestartCount > 0 {
				at = at.Add(doubled(firstBackoff, lastBackoff, int(o.cs.RestartCount)-1))
			}
			if l.Now.Before(at) {
				l.wake(at)
			} else {
				due = true
			}
		}
	}
	if !due {
		return false
	}
	for _, o := range all {
		end := o.cs.State.Terminated
		if end == nil {
			end = &corev1.ContainerStateTerminated{Reason: "RestartingAllContainers", ExitCode: exitKilled,
				Message: "The container is removed because RestartAllContainers in place"}
			if o.cs.State.Running != nil {
				l.normal("Killing", "killing", o.field)
			}
		}
		o.cs.LastTerminationState = corev1.ContainerState{Terminated: end}
		if o.init {
			o.cs.LastTerminationState = corev1.ContainerState{}
		}
		l.mem.put(o.c.Name, containerMemory{})
		l.wait(o, "RestartingAllContainers", "The container is removed because RestartAllContainers in place")
		if !o.init && !o.sidecar {
			o.cs.LastTerminationState.Terminated = nil // so that the init containers run first
		}
	}
	return true
}
