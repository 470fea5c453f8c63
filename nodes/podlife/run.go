package podlife

import (
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"tripod/nodes/podcmd"
)

// Exit codes that no process chooses.
const (
	exitKilled     = 137 // by SIGKILL
	exitTerminated = 143 // by SIGTERM
)

// run is what a container's process does, from its start on.
type run struct {
	ends    bool
	after   time.Duration
	code    int32
	reason  string
	message string
}

// runOf says what a container's process does.
func (l *life) runOf(c *corev1.Container) run {
	if code, reason, there := crash(l.pod, c.Name); there {
		return run{ends: true, code: code, reason: reason}
	}
	p := l.program(c)
	r := run{ends: p.Ends, after: p.After, code: p.Code, message: p.Message}
	if !p.Known {
		r = run{ends: toEnd(l.pod, c), after: l.Settings.Run}
	}
	said := annotation(l.pod, AnnotationRunFor, c.Name)
	if d, ok := declared(l.pod, AnnotationRunFor, c.Name); ok {
		r.ends, r.after = true, d
	} else if said == "forever" {
		r.ends = false
	}
	if value := annotation(l.pod, AnnotationExitCode, c.Name); value != "" {
		if code, err := strconv.ParseUint(value, 10, 8); err == nil {
			r.code = int32(code)
			r.ends = r.ends || said == "" // who says how it ends says that it ends
		}
	}
	if text := annotation(l.pod, AnnotationMessage, c.Name); text != "" {
		r.message = text
	}
	r.reason = reasonOf(r.code)
	return r
}

// reasonOf is containerd's word for an exit code.
func reasonOf(code int32) string {
	if code == 0 {
		return "Completed"
	}
	return "Error"
}

// stopOf says how long a container's process takes to obey SIGTERM, and how it ends then. never: it does not.
func (l *life) stopOf(c *corev1.Container) (after time.Duration, code int32, never bool) {
	if p := l.program(c); p.Known && p.Sleeps {
		code = exitTerminated
	}
	if annotation(l.pod, AnnotationStopAfter, c.Name) == "never" {
		return 0, exitKilled, true
	}
	after, said := declared(l.pod, AnnotationStopAfter, c.Name)
	if !said {
		after = podcmd.StopDelay(podcmd.Argv(c.Image, c.Command, c.Args))
	}
	return after, code, false
}

// call notes the request of a container's hook, if it is one by HTTP, or a command that plainly makes one. That it may fail
// changes nothing: who answers is not known here.
func (l *life) call(h *corev1.LifecycleHandler, c *corev1.Container, preStop bool) {
	switch {
	case h == nil:
	case h.HTTPGet != nil:
		l.out.Requests = append(l.out.Requests, Request{c.Name, preStop, h.HTTPGet, portOf(h.HTTPGet.Port, c)})
	case h.Exec != nil:
		if get := curled(h.Exec.Command); get != nil {
			l.out.Requests = append(l.out.Requests, Request{c.Name, preStop, get, get.Port.IntValue()})
		}
	}
}

// curled is the request that a command makes which is curl or wget of one URL, with nothing but flags beside it; or nil.
func curled(command []string) *corev1.HTTPGetAction {
	if len(command) == 3 && strings.HasSuffix(command[0], "sh") && command[1] == "-c" {
		command = strings.Fields(command[2])
	}
	if len(command) < 2 || !slices.Contains([]string{"curl", "wget"}, path.Base(command[0])) {
		return nil
	}
	flags, last := command[1:len(command)-1], strings.Trim(command[len(command)-1], `"'`)
	if slices.ContainsFunc(flags, func(flag string) bool { return !slices.Contains(plainFlags, flag) }) {
		return nil
	}
	at, err := url.Parse(last)
	if err != nil || at.Scheme != "http" || at.Hostname() == "" || strings.ContainsAny(last, "$`;|&") {
		return nil
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		port = 80
	}
	host := at.Hostname()
	if host == "localhost" || host == "127.0.0.1" {
		host = ""
	}
	return &corev1.HTTPGetAction{Host: host, Port: intstr.FromInt(port), Path: at.RequestURI()}
}

// plainFlags of curl and wget change nothing of the request.
var plainFlags = []string{"-s", "-S", "-f", "-sS", "-sf", "-fs", "-sSf", "-fsS", "-fsSL", "-L", "-v", "-k", "-q", "-qO-", "-O-", "--silent",
	"--fail", "--show-error"}

// preStop is the hook that comes before SIGTERM.
func preStop(c *corev1.Container) *corev1.LifecycleHandler {
	if c.Lifecycle == nil {
		return nil
	}
	return c.Lifecycle.PreStop
}

// hookTime is how long a lifecycle hook takes, and whether it succeeds.
func hookTime(h *corev1.LifecycleHandler, c *corev1.Container) (after time.Duration, ok bool) {
	switch {
	case h == nil:
		return 0, true
	case h.Sleep != nil:
		return time.Duration(h.Sleep.Seconds) * time.Second, true
	case h.Exec != nil:
		if p := Read(h.Exec.Command, nil, c.Env, ""); p.Known && p.Ends {
			return p.After, p.Code == 0
		}
	}
	return 0, true
}
