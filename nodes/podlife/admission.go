package podlife

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
)

// AnnotationPressure of a Node says what it is low on: memory, disk or pid, or several with commas.
const AnnotationPressure = prefix + "pressure"

// systemCritical is the priority from which on a pod is critical (SystemCriticalPriority).
const systemCritical = 2 * 1_000_000_000

// Critical says that a kubelet never evicts a pod, nor refuses it for its node's pressure.
func Critical(pod *corev1.Pod) bool {
	return pod.Spec.Priority != nil && *pod.Spec.Priority >= systemCritical
}

// Pressures are the conditions that a node has by its annotation.
func Pressures(node *corev1.Node) []corev1.NodeConditionType {
	if node == nil {
		return nil
	}
	var list []corev1.NodeConditionType
	for word := range strings.SplitSeq(node.Annotations[AnnotationPressure], ",") {
		switch strings.ToLower(strings.TrimSpace(word)) {
		case "memory":
			list = append(list, corev1.NodeMemoryPressure)
		case "disk":
			list = append(list, corev1.NodeDiskPressure)
		case "pid":
			list = append(list, corev1.NodePIDPressure)
		}
	}
	return list
}

// admit lets a pod in, or refuses it for good.
func (l *life) admit() {
	if l.Node == nil {
		return // its coming brings the pod here again
	}
	reason, message := l.refusal()
	if reason == "" {
		l.out.Admitted = true
		l.sync()
		return
	}
	l.warn(reason, message, "")
	l.st.Phase, l.st.Reason, l.st.Message = corev1.PodFailed, reason, "Pod was rejected: "+message
	l.st.StartTime = stamp(l.Now)
	l.st.ObservedGeneration = l.pod.Generation
	l.mem = &Memory{}
}

// refusal is why a kubelet does not let a pod in: in the order in which kubelets ask (pkg/kubelet/lifecycle,
// pkg/kubelet/eviction, pkg/kubelet/sysctl).
func (l *life) refusal() (reason, message string) {
	if under := Pressures(l.Node); len(under) > 0 && !Critical(l.pod) && !l.toleratesPressure(under) {
		return "Evicted", fmt.Sprintf("The node had condition: %v. ", under)
	}
	if why := forbiddenSysctl(&l.pod.Spec); why != "" {
		return "SysctlForbidden", "forbidden sysctl: " + why
	}
	if os := l.pod.Labels[corev1.LabelOSStable]; os != "" && os != string(corev1.Linux) {
		return "PodOSSelectorNodeLabelDoesNotMatch",
			"Failed to admit pod as the `kubernetes.io/os` label doesn't match node label"
	}
	if os := l.pod.Spec.OS; os != nil && os.Name != corev1.Linux {
		return "PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS"
	}
	var others []*corev1.Pod
	if l.Others != nil {
		others = l.Others()
	}
	if short := shortage(l.pod, l.Node, others); short != nil {
		return "OutOf" + string(short.name), short.message()
	}
	predicate := func(name, why string) (string, string) {
		return name, fmt.Sprintf("Predicate %s failed: %s", name, why)
	}
	if ok, _ := nodeaffinity.GetRequiredNodeAffinity(l.pod).Match(l.Node); !ok {
		return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector")
	}
	if l.pod.Spec.NodeName != "" && l.pod.Spec.NodeName != l.Node.Name {
		return predicate("NodeName", "node(s) didn't match the requested node name")
	}
	if portsTaken(l.pod, others) {
		return predicate("NodePorts", "node(s) didn't have free ports for the requested pod ports")
	}
	if _, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(logr.Discard(), l.Node.Spec.Taints, l.pod.Spec.Tolerations,
		func(t *corev1.Taint) bool { return t.Effect == corev1.TaintEffectNoExecute }, true); untolerated {
		return predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate")
	}
	return "", ""
}

func (l *life) toleratesPressure(under []corev1.NodeConditionType) bool {
	if len(under) != 1 || under[0] != corev1.NodeMemoryPressure {
		return false
	}
	return !BestEffort(l.pod) || schedulinghelper.TolerationsTolerateTaint(logr.Discard(), l.pod.Spec.Tolerations, &corev1.Taint{
		Key: corev1.TaintNodeMemoryPressure, Effect: corev1.TaintEffectNoSchedule}, true)
}

// BestEffort says that no container of a pod asks for anything.
func BestEffort(pod *corev1.Pod) bool {
	if pod.Status.QOSClass != "" {
		return pod.Status.QOSClass == corev1.PodQOSBestEffort
	}
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if r := list[i].Resources; len(r.Requests) > 0 || len(r.Limits) > 0 {
				return false
			}
		}
	}
	return true
}

// lack is a resource that the node has too little of.
type lack struct {
	name                      corev1.ResourceName
	requested, used, capacity int64
}

func (s *lack) message() string {
	return fmt.Sprintf("Node didn't have enough resource: %s, requested: %d, used: %d, capacity: %d",
		s.name, s.requested, s.used, s.capacity)
}

// shortage is the first resource that a pod does not fit for beside others, or nil: pods, cpu, memory, ephemeral storage,
// and then those that the node knows beyond.
func shortage(pod *corev1.Pod, node *corev1.Node, others []*corev1.Pod) *lack {
	allocatable := node.Status.Allocatable
	if most := allocatable.Pods().Value(); int64(len(others))+1 > most {
		return &lack{corev1.ResourcePods, 1, int64(len(others)), most}
	}
	wants := resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{})
	names := []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourceEphemeralStorage}
	var more []corev1.ResourceName
	for name := range wants {
		if !slices.Contains(names, name) {
			more = append(more, name)
		}
	}
	slices.Sort(more)
	names = append(names, more...)
	used := corev1.ResourceList{}
	summed := false
	for _, name := range names {
		want := wants[name]
		capacity, known := allocatable[name]
		if want.IsZero() || !known && strings.Contains(string(name), "/") {
			continue // resources that the node does not know are those of the cluster
		}
		if !summed {
			used, summed = requests(others), true
		}
		sum := used[name]
		free := capacity.DeepCopy()
		free.Sub(sum)
		if want.Cmp(free) > 0 {
			return &lack{name, amount(name, want), amount(name, sum), amount(name, capacity)}
		}
	}
	return nil
}

// requests of pods together; one that is being resized counts with the larger of what it has and what it wants.
func requests(pods []*corev1.Pod) corev1.ResourceList {
	sum := corev1.ResourceList{}
	for _, pod := range pods {
		for name, q := range resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true}) {
			total := sum[name]
			total.Add(q)
			sum[name] = total
		}
	}
	return sum
}

// amount is how schedulers count: CPU by thousandths.
func amount(name corev1.ResourceName, q resource.Quantity) int64 {
	if name == corev1.ResourceCPU {
		return q.MilliValue()
	}
	return q.Value()
}

// portsTaken says that another pod has one of the pod's host ports.
func portsTaken(pod *corev1.Pod, others []*corev1.Pod) bool {
	wants := hostPorts(pod)
	if len(wants) == 0 {
		return false
	}
	for _, other := range others {
		for _, has := range hostPorts(other) {
			for _, want := range wants {
				anywhere := want.HostIP == "0.0.0.0" || has.HostIP == "0.0.0.0" || want.HostIP == has.HostIP
				if want.HostPort == has.HostPort && want.Protocol == has.Protocol && anywhere {
					return true
				}
			}
		}
	}
	return false
}

func hostPorts(pod *corev1.Pod) []corev1.ContainerPort {
	var ports []corev1.ContainerPort
	add := func(c *corev1.Container) {
		for _, p := range c.Ports {
			if p.HostPort <= 0 {
				continue
			}
			if p.Protocol == "" {
				p.Protocol = corev1.ProtocolTCP
			}
			if p.HostIP == "" || p.HostIP == "::" {
				p.HostIP = "0.0.0.0"
			}
			ports = append(ports, p)
		}
	}
	for i := range pod.Spec.Containers {
		add(&pod.Spec.Containers[i])
	}
	for i := range pod.Spec.InitContainers {
		if sidecar(&pod.Spec.InitContainers[i]) {
			add(&pod.Spec.InitContainers[i])
		}
	}
	return ports
}

// safeSysctls are those that a kubelet lets pods set without being told to (pkg/kubelet/sysctl), by the namespace that
// they are of.
var safeSysctls = map[string]string{
	"kernel.shm_rmid_forced":              "ipc",
	"net.ipv4.ip_local_port_range":        "network",
	"net.ipv4.tcp_syncookies":             "network",
	"net.ipv4.ping_group_range":           "network",
	"net.ipv4.ip_unprivileged_port_start": "network",
	"net.ipv4.ip_local_reserved_ports":    "network",
	"net.ipv4.tcp_keepalive_time":         "network",
	"net.ipv4.tcp_fin_timeout":            "network",
	"net.ipv4.tcp_keepalive_intvl":        "network",
	"net.ipv4.tcp_keepalive_probes":       "network",
	"net.ipv4.tcp_rmem":                   "network",
	"net.ipv4.tcp_wmem":                   "network",
	"net.ipv4.tcp_slow_start_after_idle":  "network",
	"net.ipv4.tcp_notsent_lowat":          "network",
}

// forbiddenSysctl is why a pod may not set its sysctls, or "".
func forbiddenSysctl(spec *corev1.PodSpec) string {
	if spec.SecurityContext == nil {
		return ""
	}
	for _, s := range spec.SecurityContext.Sysctls {
		name := s.Name
		if slash, dot := strings.Index(name, "/"), strings.Index(name, "."); slash >= 0 && (dot < 0 || slash < dot) {
			name = strings.NewReplacer("/", ".", ".", "/").Replace(name)
		}
		space, safe := safeSysctls[name]
		switch {
		case !safe:
			return fmt.Sprintf("%q not allowlisted", name)
		case space == "ipc" && spec.HostIPC || space == "network" && spec.HostNetwork:
			return fmt.Sprintf("%q not allowed with host %s enabled", name, map[string]string{"ipc": "IPC", "network": "Net"}[space])
		}
	}
	return ""
}
