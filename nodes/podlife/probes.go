package podlife

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"tripod/nodes/podcmd"
)

// The kinds of probes; a container's memory of its probes is in this order.
const (
	readiness = iota
	liveness
	startup
)

var probeNames = [...]string{"Readiness", "Liveness", "Startup"}

// probeMemory is how often a probe had the same result in a row, and when it is made next.
type probeMemory struct {
	next       time.Time
	fails, oks int32
}

// probes makes the probes that are due. Where one wants a container restarted, the containers are driven again.
func (l *life) probes() {
	killed := false
	for _, init := range []bool{true, false} {
		for _, o := range l.each(init) {
			if o.init || o.cs.State.Running == nil {
				continue
			}
			if m := l.mem.of(o.c.Name); m.stopping.IsZero() {
				killed = l.probe(o) || killed
			}
		}
	}
	if killed && l.pod.DeletionTimestamp == nil && l.mem.Ending == nil {
		l.containers()
	}
}

// probe makes a container's probes. It says whether the container is to be restarted.
func (l *life) probe(o one) (killed bool) {
	ending := l.pod.DeletionTimestamp != nil || l.mem.Ending != nil
	if (o.cs.Started == nil || !*o.cs.Started) && !ending {
		if l.startup(o) {
			return true
		}
	}
	if o.cs.Started == nil || !*o.cs.Started {
		o.cs.Ready = false
		return false
	}
	m := l.mem.of(o.c.Name)
	switch l.settle(o, &m, readiness) {
	case 1:
		o.cs.Ready = true
	case -1:
		o.cs.Ready = false
	}
	bad := false
	if !ending {
		bad = l.settle(o, &m, liveness) < 0
		if bad {
			l.killFor(o, &m, killedByLiveness)
		}
	}
	if o.cs.Ready && m.probes == ([3]probeMemory{}) && m.stopping.IsZero() && !l.runOf(o.c).ends {
		m.started, m.ready = time.Time{}, time.Time{} // whole seconds are enough from now on
	}
	l.mem.put(o.c.Name, m)
	return bad
}

// startup makes the startup probe of a container that has not started. It says whether it is to be restarted.
func (l *life) startup(o one) (killed bool) {
	if o.cs.State.Running == nil {
		return false
	}
	m := l.mem.of(o.c.Name)
	switch l.settle(o, &m, startup) {
	case 1:
		started := true
		o.cs.Started = &started
		m.ready = l.Now
	case -1:
		l.killFor(o, &m, killedByStartup)
		killed = true
	}
	l.mem.put(o.c.Name, m)
	return killed
}

// killFor restarts a container whose probe has failed, or only ends it, as its restart policy wants.
func (l *life) killFor(o one, m *containerMemory, words string) {
	text := fmt.Sprintf(words, o.c.Name)
	if l.restarts(o, exitKilled) {
		text += ", will be restarted"
	}
	l.kill(o, m, text)
}

// settle makes a container's probe of one kind as often as is due: 1 says that it has succeeded, -1 that it has failed
// often enough to count, 0 that nothing is new.
func (l *life) settle(o one, m *containerMemory, kind int) int {
	spec := [...]*corev1.Probe{o.c.ReadinessProbe, o.c.LivenessProbe, o.c.StartupProbe}[kind]
	began := m.started
	if began.IsZero() {
		began = o.cs.State.Running.StartedAt.Time
	}
	if spec == nil {
		return l.settleWithout(o, began, kind)
	}
	period := time.Duration(max(1, spec.PeriodSeconds)) * time.Second
	if spec.PeriodSeconds == 0 {
		period = 10 * time.Second
	}
	p := &m.probes[kind]
	good := kind == liveness || kind == readiness && o.cs.Ready
	if ok, _, settled := l.answer(o, kind, spec, l.Now.Sub(began)); good && ok && settled {
		*p = probeMemory{}
		return 1
	}
	if p.next.IsZero() {
		p.next = began.Add(time.Duration(spec.InitialDelaySeconds) * time.Second)
		if kind != startup {
			p.next = maxTime(p.next, m.ready)
		}
		p.next = maxTime(p.next, l.Now)
	}
	if l.Now.Sub(p.next) > period { // the kubelet was away
		p.next = l.Now
	}
	verdict := 0
	for !p.next.After(l.Now) && verdict >= 0 && (kind != startup || verdict == 0) {
		ok, output, settled := l.answer(o, kind, spec, p.next.Sub(began))
		if !ok {
			l.warn("Unhealthy", probeNames[kind]+" probe failed: "+output, o.field)
			p.fails, p.oks = p.fails+1, 0
			if p.fails >= max(1, spec.FailureThreshold) {
				verdict = -1
			}
		} else if p.oks, p.fails = p.oks+1, 0; p.oks >= max(1, spec.SuccessThreshold) {
			verdict = 1
			if settled { // nothing changes any more
				*p = probeMemory{}
				return 1
			}
		}
		p.next = p.next.Add(period)
	}
	if verdict == -1 && kind == readiness {
		p.fails = min(p.fails, max(1, spec.FailureThreshold))
	}
	l.wake(p.next)
	return verdict
}

// settleWithout is for a container that has no such probe: it is well, unless the pod says that it is not.
func (l *life) settleWithout(o one, began time.Time, kind int) int {
	if kind != readiness {
		if kind == startup {
			return 1
		}
		return 0
	}
	if _, there := fault(l.pod, FaultNotReady, o.c.Name); there || annotation(l.pod, AnnotationReady, o.c.Name) == "false" {
		return -1
	}
	if at := began.Add(slow(l.pod, o.c.Name)); l.Now.Before(at) {
		l.wake(at)
		return -1
	}
	return 1
}

// answer is what a container answers to a probe, so long after its start. settled says that it stays so.
func (l *life) answer(o one, kind int, spec *corev1.Probe, at time.Duration) (ok bool, output string, settled bool) {
	name := o.c.Name
	slow := slowFault(l.pod, name)
	if kind != liveness {
		slow = max(slow, readyAfter(l.pod, name))
	}
	if at < slow {
		return false, l.failure(spec, o.c), false
	}
	switch kind {
	case readiness:
		if _, there := fault(l.pod, FaultNotReady, name); there || annotation(l.pod, AnnotationReady, name) == "false" {
			return false, l.failure(spec, o.c), false
		}
		if annotation(l.pod, AnnotationReady, name) == "true" {
			return true, "", true
		}
	case liveness:
		said := annotation(l.pod, AnnotationLiveness, name)
		if text, later := strings.CutPrefix(said, "fail-after="); later {
			if d, err := time.ParseDuration(text); err == nil && at < d {
				return true, "", false
			}
			said = "fail"
		}
		if said == "fail" {
			return false, l.failure(spec, o.c), false
		}
		if said == "ok" {
			return true, "", true
		}
	case startup:
		if said := annotation(l.pod, AnnotationStartup, name); said != "" {
			return said != "fail", l.failure(spec, o.c), said != "fail"
		}
	}
	if spec.HTTPGet != nil && l.Gone != nil && l.Gone(name, spec.HTTPGet.Path) {
		return false, "HTTP probe failed with statuscode: 404", false
	}
	argv := podcmd.Argv(o.c.Image, o.c.Command, o.c.Args)
	if why := l.unheard(spec, o.c, podcmd.Listens(argv)); why != "" {
		return false, why, false
	}
	if h, says := podcmd.HealthOf(argv); says && spec.Exec == nil && spec.TCPSocket == nil {
		return l.healthAnswer(h, spec, at)
	}
	if spec.Exec != nil {
		return l.execAnswer(o.c, spec, at)
	}
	return true, "", true
}

func readyAfter(pod *corev1.Pod, container string) time.Duration {
	d, _ := declared(pod, AnnotationReadyAfter, container)
	return d
}

// execAnswer is what a command in the container answers, as far as it is plain: of a file that the container's own
// command makes or removes, or one that says how it ends.
func (l *life) execAnswer(c *corev1.Container, spec *corev1.Probe, at time.Duration) (ok bool, output string, settled bool) {
	p, command := l.program(c), spec.Exec.Command
	if file, plain := filed(command, l.variables(c)); plain && p.touches() {
		if there, known := p.there(file, at); known {
			if there {
				return true, "", !slices.ContainsFunc(p.files, func(f fileChange) bool { return f.path == file && f.at > at })
			}
			return false, fmt.Sprintf("%s: can't open '%s': No such file or directory\n", command[0], file), false
		}
	}
	probe := read(slices.Clone(command), scene{vars: l.variables(c)})
	timeout := time.Duration(max(1, spec.TimeoutSeconds)) * time.Second
	switch {
	case probe.Known && (!probe.Ends || probe.After > timeout):
		return false, fmt.Sprintf("command timed out: %q timed out after %v", strings.Join(command, " "), timeout), false
	case !probe.Known || probe.Code == 0:
		return true, "", true
	}
	var b strings.Builder
	for _, line := range probe.Output {
		b.WriteString(line.Text + "\n")
	}
	return false, b.String(), false
}

// filed is the file that a command asks for: cat FILE, test -f FILE, also in a shell.
func filed(command []string, vars map[string]string) (file string, plain bool) {
	defer func() {
		for name, value := range vars {
			file = strings.ReplaceAll(strings.ReplaceAll(file, "$"+name, value), "${"+name+"}", value)
		}
	}()
	if len(command) == 3 && strings.HasSuffix(command[0], "sh") && command[1] == "-c" {
		command = strings.Fields(command[2])
	}
	switch {
	case len(command) == 2 && (command[0] == "cat" || command[0] == "ls" || command[0] == "stat" || command[0] == "/bin/cat"):
		return command[1], true
	case len(command) >= 3 && (command[0] == "test" || command[0] == "[") && strings.HasPrefix(command[1], "-"):
		return command[2], true
	}
	return "", false
}

// failure is what a kubelet says of a probe of that kind that failed.
func (l *life) failure(spec *corev1.Probe, c *corev1.Container) string {
	switch {
	case spec.HTTPGet != nil:
		return "HTTP probe failed with statuscode: 503"
	case spec.TCPSocket != nil:
		host := spec.TCPSocket.Host
		if host == "" {
			host = l.st.PodIP
		}
		return fmt.Sprintf("dial tcp %s:%d: connect: connection refused", host, portOf(spec.TCPSocket.Port, c))
	case spec.GRPC != nil:
		return `service unhealthy (responded with "NOT_SERVING")`
	}
	return ""
}

func portOf(port intstr.IntOrString, c *corev1.Container) int {
	if port.Type == intstr.String {
		for _, p := range c.Ports {
			if p.Name == port.StrVal {
				return int(p.ContainerPort)
			}
		}
	}
	return port.IntValue()
}
