package nodes

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/internal/sleep"
	"tripod/nodes/logrouter"
)

// Fargate's scheduler says in this annotation whether a pod's logs are sent.
const (
	loggingAnnotation = "Logging"
	loggingEnabled    = "LoggingEnabled"
)

// loggingPatience is how long is waited for what the region knows of a pod's logging: its zones hear of it one after the other.
const loggingPatience = 5 * time.Second

// keepFargateLogs has the logs of a pod on Fargate kept as files, and sent, where it has logging. It comes before anybody else hears of
// the pod, and is of one pod: a machine of Fargate's has no other.
func (z *zone) keepFargateLogs(n node, pod *corev1.Pod) {
	if n.machine.Fargate == nil || z.conf.FargateLogs == nil || pod.Annotations[loggingAnnotation] != loggingEnabled {
		return
	}
	ready := z.logs.fargateOf(n.name)
	select {
	case <-ready.known:
		return
	default:
	}
	ctx, cancel := context.WithTimeout(z.ctx, loggingPatience)
	defer cancel()
	for {
		machine, err := z.conf.FargateLogs(n.instanceID, pod.Namespace, pod.Name)
		switch {
		case machine != nil:
			ready.machine = machine
			close(ready.known)
			return
		case ready.waited:
			return
		}
		if sleep.For(ctx, 50*time.Millisecond) != nil {
			ready.waited = true
			z.conf.Logger.Warn("a pod on Fargate has no log router", "pod", key(pod), "error", err)
			return
		}
	}
}

// fargateLogs are those of a machine of Fargate's, which are known once its pod is.
type fargateLogs struct {
	known   chan struct{} // closed by the one who looks after the node's pods
	machine *logrouter.Machine
	waited  bool // in vain, as for a pod from before there were log routers; the same one's alone
}

// fargateOf are a machine's, by its node's name.
func (l *logFiles) fargateOf(node string) *fargateLogs {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fargate == nil {
		l.fargate = map[string]*fargateLogs{}
	}
	if l.fargate[node] == nil {
		l.fargate[node] = &fargateLogs{known: make(chan struct{})}
	}
	return l.fargate[node]
}

// routed says whether the logs of a node are files here.
func (z *zone) routed(n node) bool {
	if n.machine.Fargate == nil {
		return z.conf.NodeLogs
	}
	select {
	case <-z.logs.fargateOf(n.name).known:
		return true
	default:
		return false
	}
}

// outputs are a node's; those of a machine of Fargate's are known once its pod is. nil: it has none, or ctx has ended.
func (z *zone) outputs(ctx context.Context, n node) (map[string]logrouter.Output, *logrouter.ProcessLog) {
	if n.machine.Fargate == nil {
		if z.conf.LogOutputs == nil {
			return nil, nil
		}
		return z.conf.LogOutputs(n.instanceID, n.name), nil
	}
	logs := z.logs.fargateOf(n.name)
	select {
	case <-logs.known:
		return logs.machine.Outputs, logs.machine.Process
	case <-ctx.Done():
		return nil, nil
	}
}
