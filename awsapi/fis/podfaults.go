package fis

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"tripod/api"
	"tripod/region"
)

// podFaults are the actions that put a fault of pods in force for a time.
var podFaults = []action{
	podFault("aws:eks:pod-cpu-stress", "Run a CPU stress on the specified EKS pods.",
		parameter{"percent", "The target load percentage, from 0 (no load) to 100 (full load).", false, isPercentage},
		parameter{"workers", "The number of stressors to use.", false, isNumber}),
	podFault("aws:eks:pod-memory-stress", "Run a memory stress on the specified EKS pods.",
		parameter{"percent", "The percentage of memory to use during the experiment.", false, isPercentage},
		parameter{"workers", "The number of stressors.", false, isNumber}),
	podFault("aws:eks:pod-network-blackhole-port", "Drop inbound or outbound traffic for the specified protocol and port of EKS pods.",
		parameter{"port", "The port number.", true, isPort},
		parameter{"protocol", "The protocol: tcp. (There is no UDP between the pods of simulated nodes.)", true, isOneOf("protocol", "tcp")},
		parameter{"trafficType", "The type of traffic: ingress or egress.", true, isOneOf("trafficType", "ingress", "egress")}),
	podFault("aws:eks:pod-network-latency", "Add latency and jitter to what the specified EKS pods send.",
		append([]parameter{{"delayMilliseconds", "The delay, in milliseconds.", false, isDelay},
			{"jitterMilliseconds", "The jitter, in milliseconds.", false, isNumber}}, flows...)...),
	podFault("aws:eks:pod-network-packet-loss", "Lose packets of what the specified EKS pods send.",
		append([]parameter{{"lossPercent", "The percentage of packet loss.", false, isPercentage}}, flows...)...),
}

// fisPod are the parameters that the actions of pods have, as FIS does them by a pod of its own.
var fisPod = []parameter{
	{"kubernetesServiceAccount", "The Kubernetes service account of the FIS pod.", true, anything},
	{"maxErrorsPercent", "The percentage of targets that can fail before the action fails.", false, isNumber},
	{"fisPodContainerImage", "The container image of the FIS pod.", false, anything},
	{"fisPodLabels", "The labels of the FIS pod.", false, anything},
	{"fisPodAnnotations", "The annotations of the FIS pod.", false, anything},
	{"fisPodSecurityPolicy", "The security policy of the FIS pod.", false, anything},
}

// flows are parameters of which there is one value here: all that a pod sends is touched.
var flows = []parameter{
	{"interface", "The network interface: DEFAULT.", false, isOneOf("interface", "DEFAULT")},
	{"flowsPercent", "The percentage of network flows to be impacted: 100.", false, isOneOf("flowsPercent", "100")},
	{"sources", "The sources whose traffic is impacted: ALL.", false, isOneOf("sources", "ALL")},
}

// podFault is such an action, with the parameters that all have.
func podFault(id, description string, own ...parameter) action {
	return action{id: id, description: description, key: "Pods", resource: podType, permissions: []string{"eks:DescribeCluster"},
		parameters: slices.Concat([]parameter{lasting}, fisPod, own),
		outside:    (*Service).breakPods, end: (*Service).endPodFaults}
}

func isPort(_ *Service, _ map[string]string, value string) error {
	if n, err := strconv.ParseUint(value, 10, 16); err != nil || n == 0 {
		return invalid("%q is not a port.", value)
	}
	return nil
}

func isDelay(_ *Service, _ map[string]string, value string) error {
	if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 60_000 {
		return invalid("The delay of %s milliseconds is not valid: it is from 1 to 60000.", value)
	}
	return nil
}

// podWords are what an action does as api.RecordFaults has it, with FIS's defaults.
func podWords(id string, given map[string]string) string {
	or := func(name, otherwise string) string { return cmp.Or(given[name], otherwise) }
	switch id {
	case "aws:eks:pod-cpu-stress":
		return "cpu-stress=" + or("percent", "100")
	case "aws:eks:pod-memory-stress":
		return "memory-stress=" + or("percent", "80")
	case "aws:eks:pod-network-blackhole-port":
		if given["trafficType"] == "egress" {
			return "black-hole-to=" + given["port"]
		}
		return "black-hole=" + given["port"]
	case "aws:eks:pod-network-latency":
		words := api.FaultLatency + "=" + or("delayMilliseconds", "200") + "ms"
		if jitter := or("jitterMilliseconds", "10"); jitter != "0" {
			words += ",jitter=" + jitter + "ms"
		}
		return words
	}
	return "loss=" + or("lossPercent", "7")
}

// podOf is the pod that a target is.
func podOf(about map[string]string) Pod {
	return Pod{ClusterID: about[aboutCluster], Namespace: about[aboutNamespace], Name: about[aboutPod], UID: about[aboutUID]}
}

// breakPods puts the action's fault in force of each pod.
func (s *Service) breakPods(ctx context.Context, r *run) error {
	words := podWords(*r.action.ActionId, r.action.Parameters)
	lasts, _ := duration(r.action.Parameters["duration"])
	return r.eachPod(ctx, func(ctx context.Context, pod Pod, serviceAccount string) error {
		return s.Pods.Break(ctx, pod, serviceAccount, words, lasts)
	})
}

// endPodFaults has the faults of the action's pods end now: whoever keeps faults takes them back.
func (s *Service) endPodFaults(r *run) (bool, error) {
	words := podWords(*r.action.ActionId, r.action.Parameters)
	for _, t := range r.targets {
		pod := podOf(t.TargetInformation)
		for _, fault := range region.FaultsOf(r.tx, api.KindPod+"/"+pod.Namespace+"/"+pod.Name) {
			if fault.ClusterID == pod.ClusterID && fault.UID == pod.UID && fault.Fault == words && fault.Until.After(r.now) {
				fault.Until = r.now
				region.Faults.Put(r.tx, fault.Key(), fault)
			}
		}
	}
	return true, nil
}
