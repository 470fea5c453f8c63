package podlife

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Network is what is wrong with a pod's network, as AnnotationFault says it. The zero value: nothing.
type Network struct {
	// Latency is how much later arrives what the pod sends, give or take Jitter, and Loss how much of it is lost, from 0 to 1.
	Latency, Jitter time.Duration
	Loss            float64
	// BlackHole is the port of the pod that nothing comes to or from, and BlackHoleOut the port of others that the pod does not reach.
	BlackHole, BlackHoleOut int
	// NoDNS: no name is found.
	NoDNS bool
}

// mostLatency bounds how late what a pod sends can be.
const mostLatency = time.Minute

// NetworkOf is what is wrong with a pod's network. What is not understood is left out.
func NetworkOf(pod *corev1.Pod) (n Network) {
	text := annotation(pod, AnnotationFault, "")
	if text == "" {
		return n
	}
	for part := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		one, known := networkFault(name, value)
		if !known {
			continue
		}
		n.Latency, n.Jitter, n.Loss = max(n.Latency, one.Latency), max(n.Jitter, one.Jitter), max(n.Loss, one.Loss)
		n.BlackHole, n.BlackHoleOut = max(n.BlackHole, one.BlackHole), max(n.BlackHoleOut, one.BlackHoleOut)
		n.NoDNS = n.NoDNS || one.NoDNS
	}
	n.Jitter = min(n.Jitter, n.Latency) // nothing arrives before it is sent
	return n
}

// networkFault is one fault of a network; false: it is none, or its value is not understood.
func networkFault(name, value string) (n Network, known bool) {
	switch name {
	case FaultLatency:
		n.Latency, known = latency(value)
	case FaultJitter:
		n.Jitter, known = latency(value)
	case FaultLoss:
		n.Loss, known = share(value)
	case FaultBlackHole:
		n.BlackHole, known = port(value)
	case FaultBlackHoleOut:
		n.BlackHoleOut, known = port(value)
	case FaultNoDNS:
		n.NoDNS, known = true, value == ""
	}
	return n, known
}

// share reads percent, more than 0 and at most 100, as a part of 1.
func share(value string) (float64, bool) {
	percent, err := strconv.ParseFloat(value, 64)
	return percent / 100, err == nil && percent > 0 && percent <= 100
}

// Stress is what is taken of a pod's containers, as parts of 1 of what each may use: of its limit or, where it has none, of its node.
type Stress struct{ CPU, Memory float64 }

// StressOf is what AnnotationFault says of a pod's stress.
func StressOf(pod *corev1.Pod) (s Stress) {
	if value, there := fault(pod, FaultCPUStress, ""); there {
		s.CPU, _ = share(value)
	}
	if value, there := fault(pod, FaultMemoryStress, ""); there {
		s.Memory, _ = share(value)
	}
	return s
}

func latency(value string) (time.Duration, bool) {
	d, err := time.ParseDuration(value)
	return d, err == nil && d > 0 && d <= mostLatency
}

func port(value string) (int, bool) {
	n, err := strconv.ParseUint(value, 10, 16)
	return int(n), err == nil && n > 0
}
