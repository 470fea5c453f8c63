package podlife

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// prefix of the annotations that say what a pod's containers do.
const prefix = "tripod.internal/"

// The annotations; each may have .CONTAINER behind it.
const (
	AnnotationRunFor     = prefix + "run-for"
	AnnotationExitCode   = prefix + "exit-code"
	AnnotationMessage    = prefix + "termination-message"
	AnnotationStopAfter  = prefix + "stop-after"
	AnnotationReady      = prefix + "ready"
	AnnotationReadyAfter = prefix + "ready-after"
	AnnotationLiveness   = prefix + "liveness"
	AnnotationStartup    = prefix + "startup"
	AnnotationImage      = prefix + "image"
	AnnotationFault      = prefix + "fault"
)

// The faults that AnnotationFault names.
const (
	FaultCrashLoop = "crash-loop"
	FaultExit      = "exit" // exit=N
	FaultOOMKill   = "oom-kill"
	FaultImagePull = "image-pull"
	FaultNotReady  = "not-ready"
	FaultSlowStart = "slow-start" // slow-start=DURATION

	// Those of its network, which is all containers'.
	FaultLatency      = "latency"       // latency=DURATION
	FaultJitter       = "jitter"        // jitter=DURATION
	FaultLoss         = "loss"          // loss=PERCENT
	FaultBlackHole    = "black-hole"    // black-hole=PORT
	FaultBlackHoleOut = "black-hole-to" // black-hole-to=PORT
	FaultNoDNS        = "no-dns"

	// Those of what its containers use.
	FaultCPUStress    = "cpu-stress"    // cpu-stress=PERCENT
	FaultMemoryStress = "memory-stress" // memory-stress=PERCENT
)

// slowStart is how long a slow start takes where nothing is said.
const slowStart = 30 * time.Second

// ParseFault says whether text is what AnnotationFault may have. The error says what is wrong with it.
func ParseFault(text string) error {
	for _, part := range strings.Split(text, ",") {
		name, value, has := strings.Cut(strings.TrimSpace(part), "=")
		switch name {
		case FaultLatency, FaultJitter, FaultLoss, FaultBlackHole, FaultBlackHoleOut:
			if _, known := networkFault(name, value); !known {
				return errFault(part)
			}
		case FaultCPUStress, FaultMemoryStress:
			if _, known := share(value); !known {
				return errFault(part)
			}
		case FaultCrashLoop, FaultOOMKill, FaultImagePull, FaultNotReady, FaultNoDNS:
			if has {
				return errFault(part)
			}
		case FaultExit:
			if code, err := strconv.ParseUint(value, 10, 8); err != nil || code > 255 {
				return errFault(part)
			}
		case FaultSlowStart:
			if _, err := time.ParseDuration(value); has && err != nil {
				return errFault(part)
			}
		default:
			return errFault(part)
		}
	}
	return nil
}

type errFault string

func (e errFault) Error() string {
	return strconv.Quote(string(e)) + " is no fault of a pod: name crash-loop, exit=N, oom-kill, image-pull, not-ready, " +
		"slow-start[=DURATION], latency=DURATION, jitter=DURATION, loss=PERCENT, black-hole=PORT, black-hole-to=PORT, no-dns, " +
		"cpu-stress=PERCENT or memory-stress=PERCENT, several " +
		"separated by commas"
}

// annotation is what the pod says of a container; its own word counts before that for all. "" is nothing.
func annotation(pod *corev1.Pod, name, container string) string {
	if len(pod.Annotations) == 0 {
		return ""
	}
	if value, found := pod.Annotations[name+"."+container]; found {
		return value
	}
	return pod.Annotations[name]
}

// declared is a duration that the pod says of a container.
func declared(pod *corev1.Pod, name, container string) (time.Duration, bool) {
	value := annotation(pod, name, container)
	if value == "" {
		return 0, false
	}
	if d, err := time.ParseDuration(value); err == nil && d >= 0 {
		return d, true
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil && seconds >= 0 && seconds < 1e9 {
		return time.Duration(seconds * float64(time.Second)), true
	}
	return 0, false
}

// fault is a container's fault of that name, and its value.
func fault(pod *corev1.Pod, name, container string) (value string, there bool) {
	text := annotation(pod, AnnotationFault, container)
	if text == "" {
		return "", false
	}
	for part := range strings.SplitSeq(text, ",") {
		if n, value, _ := strings.Cut(strings.TrimSpace(part), "="); n == name {
			return value, true
		}
	}
	return "", false
}

// crash is how a container ends as soon as it runs, by a fault.
func crash(pod *corev1.Pod, container string) (code int32, reason string, there bool) {
	if _, there := fault(pod, FaultOOMKill, container); there {
		return exitKilled, "OOMKilled", true
	}
	if _, there := fault(pod, FaultCrashLoop, container); there {
		return 1, "Error", true
	}
	if value, there := fault(pod, FaultExit, container); there {
		if code, err := strconv.ParseUint(value, 10, 8); err == nil {
			return int32(code), reasonOf(int32(code)), true
		}
	}
	return 0, "", false
}

// slow is how long a container's probes fail after its start, by its annotations.
func slow(pod *corev1.Pod, container string) time.Duration {
	after, _ := declared(pod, AnnotationReadyAfter, container)
	return max(after, slowFault(pod, container))
}

func slowFault(pod *corev1.Pod, container string) time.Duration {
	value, there := fault(pod, FaultSlowStart, container)
	if !there {
		return 0
	}
	if d, err := time.ParseDuration(value); err == nil {
		return d
	}
	return slowStart
}

// toEnd says that a container is one that ends, if nothing says how long it runs.
func toEnd(pod *corev1.Pod, c *corev1.Container) bool {
	switch policy := pod.Spec.RestartPolicy; {
	case isInit(pod, c.Name):
		return !sidecar(c)
	case policy == corev1.RestartPolicyNever || policy == corev1.RestartPolicyOnFailure:
		return !serves(c)
	}
	return false
}

func isInit(pod *corev1.Pod, name string) bool {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == name {
			return true
		}
	}
	return false
}

// sidecar says that a container of the init containers keeps running.
func sidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}
