package kubeletapi

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podlife"
	"tripod/nodes/podset"
)

// group is a control group of a node, as cAdvisor tells of it.
type group struct {
	head, middle, tail string // its labels: container; id and image; name, namespace and pod
	started            time.Time
	use                use
	pod                *corev1.Pod       // nil: it is of the system
	container          *corev1.Container // nil: it is no container
	sandbox            *measuredPod      // of the pod whose network it has; nil: none
}

func newGroup(id string, started time.Time, u use) group {
	return group{started: started, use: u}.labelled("", id, "", "", nil)
}

func (g group) labelled(container, id, image, name string, pod *corev1.Pod) group {
	namespace, podName := "", ""
	if pod != nil {
		namespace, podName = pod.Namespace, pod.Name
	}
	g.pod = pod
	g.head, g.middle = labelText("container", container)+",", labelText("id", id, "image", image)+","
	g.tail = labelText("name", name, "namespace", namespace, "pod", podName)
	return g
}

// pauseImage is that of pods' sandboxes on EKS's nodes.
const pauseImage = "localhost/kubernetes/pause:latest"

// groups are all of a node's: its root, the system's, and of each pod its own, its sandbox' and its containers'.
func (m measured) groups() []group {
	pods := use{coreNanos: m.ended}
	list := []group{newGroup("/", m.node.Since, m.use), {}}
	for _, s := range systemContainers {
		u := systemUse(s.nanoCores, s.memory, m.at.Sub(m.node.Since))
		switch s.name {
		case "kubelet":
			list = append(list, newGroup("/runtime.slice/kubelet.service", m.node.Since, u))
		case "runtime":
			list = append(list, newGroup("/runtime.slice/containerd.service", m.node.Since, u))
		default:
			list = append(list, newGroup("/system.slice", m.node.Since, u))
		}
	}
	for i := range m.pods {
		p := &m.pods[i]
		pods = pods.add(p.use)
		at, started := podGroup(p.pod), m.node.Since
		if p.pod.Status.StartTime != nil {
			started = p.pod.Status.StartTime.Time
		}
		list = append(list, group{started: started, use: p.use}.labelled("", at, "", "", p.pod))
		sandbox := scope(podlife.ContainerID(string(p.pod.UID), "POD", 0))
		list = append(list, group{started: started, sandbox: p}.labelled("", at+"/cri-containerd-"+sandbox+".scope", pauseImage, sandbox, p.pod))
		for _, c := range p.containers {
			id := scope(c.id)
			list = append(list, group{started: c.started, use: c.use, container: podset.Container(p.pod, c.name)}.
				labelled(c.name, at+"/cri-containerd-"+id+".scope", c.image, id, p.pod))
		}
	}
	list[1] = newGroup("/kubepods.slice", m.node.Since, pods)
	return list
}

func scope(id string) string {
	_, id, _ = strings.Cut(id, "://")
	return id
}

// podGroup is the pod's control group.
func podGroup(pod *corev1.Pod) string {
	slice := "/kubepods.slice/kubepods"
	if class := pod.Status.QOSClass; class == corev1.PodQOSBurstable || class == corev1.PodQOSBestEffort {
		part := "-" + strings.ToLower(string(class))
		slice += part + ".slice/kubepods" + part
	}
	return slice + "-pod" + strings.ReplaceAll(string(pod.UID), "-", "_") + ".slice"
}

// limit is how much of a resource a container may use; 0: all that there is.
func (g group) limit(name corev1.ResourceName) float64 {
	if g.container == nil {
		return 0
	}
	limit := g.container.Resources.Limits[name]
	return limit.AsApproximateFloat64()
}

// shares are the kernel's of a container's request of CPU (the kubelet's MilliCPUToShares).
func (g group) shares() float64 {
	if g.container == nil {
		return 1024
	}
	request, ok := g.container.Resources.Requests[corev1.ResourceCPU]
	if !ok {
		request = g.container.Resources.Limits[corev1.ResourceCPU]
	}
	return max(2, request.AsApproximateFloat64()*1024)
}

// usage is all memory of a group, with what of its page cache it could do without.
func (u use) usage() float64 { return float64(u.memory + u.memory/8) }

// pageFaults are those of what has run so long.
func (u use) pageFaults() uint64 {
	if u.coreNanos == 0 {
		return 0
	}
	return 4096 + u.coreNanos/1e6
}

// cadvisorFamily is a family of cAdvisor's of all groups, or of those that it is for.
type cadvisorFamily struct {
	name, kind, help string
	extra            string              // labels before the id
	of               func(g *group) bool // nil: all
	value            func(g *group, at time.Time) float64
	timeless         bool // its samples have no time of their own
}

func isContainer(g *group) bool { return g.container != nil }
func hasQuota(g *group) bool    { return g.limit(corev1.ResourceCPU) > 0 }
func none(*group, time.Time) float64 {
	return 0
}

// disk is the device that containers would write to; they do not.
const diskLabel = `device="/dev/nvme0n1",`

// cadvisorFamilies are those of lib/metrics/prometheus.go of github.com/google/cadvisor that a kubelet includes and that
// dashboards read.
var cadvisorFamilies = []cadvisorFamily{
	{name: "container_cpu_usage_seconds_total", kind: "counter", help: "Cumulative cpu time consumed in seconds.", extra: `cpu="total",`,
		value: func(g *group, _ time.Time) float64 { return seconds(g.use.coreNanos) }},
	{name: "container_cpu_user_seconds_total", kind: "counter", help: "Cumulative user cpu time consumed in seconds.",
		value: func(g *group, _ time.Time) float64 { return seconds(g.use.coreNanos - g.use.coreNanos/5) }},
	{name: "container_cpu_system_seconds_total", kind: "counter", help: "Cumulative system cpu time consumed in seconds.",
		value: func(g *group, _ time.Time) float64 { return seconds(g.use.coreNanos / 5) }},
	{name: "container_cpu_cfs_periods_total", kind: "counter", help: "Number of elapsed enforcement period intervals.", of: hasQuota,
		value: func(g *group, at time.Time) float64 { return float64(max(0, at.Sub(g.started)) / quotaPeriod) }},
	{name: "container_cpu_cfs_throttled_periods_total", kind: "counter", help: "Number of throttled period intervals.", of: hasQuota,
		value: func(g *group, _ time.Time) float64 { return float64(g.use.refused) }},
	{name: "container_cpu_cfs_throttled_seconds_total", kind: "counter", help: "Total time duration the container has been throttled.",
		of: hasQuota, value: func(g *group, _ time.Time) float64 { return seconds(g.use.throttled) }},
	{name: "container_memory_working_set_bytes", kind: "gauge", help: "Current working set in bytes.",
		value: func(g *group, _ time.Time) float64 { return float64(g.use.memory) }},
	{name: "container_memory_usage_bytes", kind: "gauge",
		help:  "Current memory usage in bytes, including all memory regardless of when it was accessed",
		value: func(g *group, _ time.Time) float64 { return g.use.usage() }},
	{name: "container_memory_rss", kind: "gauge", help: "Size of RSS in bytes.",
		value: func(g *group, _ time.Time) float64 { return float64(g.use.memory * 3 / 4) }},
	{name: "container_memory_cache", kind: "gauge", help: "Number of bytes of page cache memory.",
		value: func(g *group, _ time.Time) float64 { return g.use.usage() - float64(g.use.memory*3/4) }},
	{name: "container_memory_mapped_file", kind: "gauge", help: "Size of memory mapped files in bytes.", value: none},
	{name: "container_memory_swap", kind: "gauge", help: "Container swap usage in bytes.", value: none},
	{name: "container_memory_failcnt", kind: "counter", help: "Number of memory usage hits limits", of: isContainer,
		value: func(g *group, _ time.Time) float64 { return oomKills(g.pod, g.container.Name) }},
	{name: "container_fs_reads_bytes_total", kind: "counter", help: "Cumulative count of bytes read", extra: diskLabel, of: isContainer,
		value: none},
	{name: "container_fs_reads_total", kind: "counter", help: "Cumulative count of reads completed", extra: diskLabel, of: isContainer,
		value: none},
	{name: "container_fs_writes_bytes_total", kind: "counter", help: "Cumulative count of bytes written", extra: diskLabel,
		of: isContainer, value: none},
	{name: "container_fs_writes_total", kind: "counter", help: "Cumulative count of writes completed", extra: diskLabel, of: isContainer,
		value: none},
	{name: "container_processes", kind: "gauge", help: "Number of processes running inside the container.", of: isContainer,
		value: func(*group, time.Time) float64 { return 1 }},
	{name: "container_threads", kind: "gauge", help: "Number of threads running inside the container", of: isContainer,
		value: func(*group, time.Time) float64 { return 1 }},
	{name: "container_sockets", kind: "gauge", help: "Number of open sockets for the container.", of: isContainer,
		value: func(g *group, _ time.Time) float64 { return float64(len(podset.Ports(g.container))) }},
	{name: "container_last_seen", kind: "gauge", help: "Last time a container was seen by the exporter",
		value: func(_ *group, at time.Time) float64 { return float64(at.Unix()) }},
	{name: "container_oom_events_total", kind: "counter", help: "Count of out of memory events observed for the container",
		of: isContainer, value: func(g *group, _ time.Time) float64 { return oomKills(g.pod, g.container.Name) }},
	{name: "container_start_time_seconds", kind: "gauge", help: "Start time of the container since unix epoch in seconds.", timeless: true,
		value: func(g *group, _ time.Time) float64 { return float64(g.started.Unix()) }},
	{name: "container_spec_cpu_period", kind: "gauge", help: "CPU period of the container.", timeless: true,
		value: func(*group, time.Time) float64 { return float64(quotaPeriod.Microseconds()) }},
	{name: "container_spec_cpu_quota", kind: "gauge", help: "CPU quota of the container.", of: hasQuota, timeless: true,
		value: func(g *group, _ time.Time) float64 {
			return g.limit(corev1.ResourceCPU) * float64(quotaPeriod.Microseconds())
		}},
	{name: "container_spec_cpu_shares", kind: "gauge", help: "CPU share of the container.", timeless: true,
		value: func(g *group, _ time.Time) float64 { return g.shares() }},
	{name: "container_spec_memory_limit_bytes", kind: "gauge", help: "Memory limit for the container.", timeless: true,
		value: func(g *group, _ time.Time) float64 { return g.limit(corev1.ResourceMemory) }},
	{name: "container_spec_memory_reservation_limit_bytes", kind: "gauge", help: "Memory reservation limit for the container.",
		timeless: true, value: none},
	{name: "container_spec_memory_swap_limit_bytes", kind: "gauge", help: "Memory swap limit for the container.", timeless: true, value: none},
}

// cadvisorMetrics are those of cAdvisor's.
func cadvisorMetrics(e *exposition, m measured) {
	groups := m.groups()
	for i := range cadvisorFamilies {
		f := &cadvisorFamilies[i]
		e.family(f.name, f.kind, f.help)
		at := m.at
		if f.timeless {
			at = time.Time{}
		}
		for j := range groups {
			if g := &groups[j]; (f.of == nil || f.of(g)) && g.sandbox == nil {
				e.addText(f.name, f.value(g, m.at), at, g.head, f.extra, g.middle, g.tail)
			}
		}
	}
	memoryFailures(e, groups, m.at)
	networkMetrics(e, groups, m.at)
	diskMetrics(e, &groups[0], m)
	machineMetrics(e, m)
}

func memoryFailures(e *exposition, groups []group, at time.Time) {
	const name = "container_memory_failures_total"
	e.family(name, "counter", "Cumulative count of memory allocation failures.")
	for i := range groups {
		g := &groups[i]
		if g.sandbox != nil {
			continue
		}
		for _, scope := range []string{"container", "hierarchy"} {
			e.addText(name, float64(g.use.pageFaults()), at, g.head, `failure_type="pgfault",`, g.middle, g.tail, `,scope="`, scope, `"`)
			e.addText(name, 0, at, g.head, `failure_type="pgmajfault",`, g.middle, g.tail, `,scope="`, scope, `"`)
		}
	}
}

// networkMetrics are of what pods have received and sent; those of a node's network have none of their own.
func networkMetrics(e *exposition, groups []group, at time.Time) {
	zero := func(*measuredPod) uint64 { return 0 }
	for _, f := range []struct {
		name, help string
		value      func(p *measuredPod) uint64
	}{
		{"container_network_receive_bytes_total", "Cumulative count of bytes received", func(p *measuredPod) uint64 { return p.in }},
		{"container_network_receive_errors_total", "Cumulative count of errors encountered while receiving", zero},
		{"container_network_receive_packets_dropped_total", "Cumulative count of packets dropped while receiving", zero},
		{"container_network_receive_packets_total", "Cumulative count of packets received",
			func(p *measuredPod) uint64 { return packets(p.in, p.requests) }},
		{"container_network_transmit_bytes_total", "Cumulative count of bytes transmitted", func(p *measuredPod) uint64 { return p.out }},
		{"container_network_transmit_errors_total", "Cumulative count of errors encountered while transmitting", zero},
		{"container_network_transmit_packets_dropped_total", "Cumulative count of packets dropped while transmitting", zero},
		{"container_network_transmit_packets_total", "Cumulative count of packets transmitted",
			func(p *measuredPod) uint64 { return packets(p.out, p.requests) }},
	} {
		e.family(f.name, "counter", f.help)
		for i := range groups {
			if g := &groups[i]; g.sandbox != nil && !g.pod.Spec.HostNetwork {
				e.addText(f.name, float64(f.value(g.sandbox)), at, g.head, g.middle, `interface="eth0",`, g.tail)
			}
		}
	}
}

// packets is how many carry so many bytes of so many requests: one begins and ends each, and 1,448 bytes fit into one.
func packets(bytes, requests uint64) uint64 { return bytes/1448 + 2*requests }

// diskMetrics are of the node's root file system.
func diskMetrics(e *exposition, root *group, m measured) {
	fs := m.rootDisk()
	for _, f := range []struct {
		name, help string
		value      *uint64
	}{
		{"container_fs_inodes_free", "Number of available Inodes", fs.InodesFree},
		{"container_fs_inodes_total", "Number of Inodes", fs.Inodes},
		{"container_fs_limit_bytes", "Number of bytes that can be consumed by the container on this filesystem.", fs.CapacityBytes},
		{"container_fs_usage_bytes", "Number of bytes that are consumed by the container on this filesystem.", fs.UsedBytes},
	} {
		e.family(f.name, "gauge", f.help)
		e.addText(f.name, float64(*f.value), m.at, root.head, `device="/dev/nvme0n1p1",`, root.middle, root.tail)
	}
}

// machineMetrics are of the node, and of cAdvisor itself.
func machineMetrics(e *exposition, m measured) {
	info := m.node.Info
	labels := labelText("boot_id", info.BootID, "machine_id", info.MachineID, "system_uuid", info.SystemUUID)
	cores := m.node.Capacity.Cpu().AsApproximateFloat64()
	for _, f := range []struct {
		name, help string
		value      float64
	}{
		{"machine_cpu_cores", "Number of logical CPU cores.", cores},
		{"machine_cpu_physical_cores", "Number of physical CPU cores.", max(1, float64(int(cores)/2))},
		{"machine_cpu_sockets", "Number of CPU sockets.", 1},
		{"machine_memory_bytes", "Amount of memory installed on the machine.", float64(m.node.Capacity.Memory().Value())},
		{"machine_swap_bytes", "Amount of swap memory available on the machine.", 0},
	} {
		e.family(f.name, "gauge", f.help)
		e.addText(f.name, f.value, time.Time{}, labels)
	}
	e.family("cadvisor_version_info", "gauge", "A metric with a constant '1' value labeled by kernel version, OS version, docker "+
		"version, cadvisor version & cadvisor revision.")
	e.add("cadvisor_version_info", 1, time.Time{}, "cadvisorRevision", "", "cadvisorVersion", "", "dockerVersion", "",
		"kernelVersion", info.KernelVersion, "osVersion", info.OSImage)
	for name, of := range map[string]string{"container_scrape_error": "container", "machine_scrape_error": "machine"} {
		e.family(name, "gauge", "1 if there was an error while getting "+of+" metrics, 0 otherwise")
		e.add(name, 0, time.Time{})
	}
}

// oomKills are those that the status tells of, of all runs that have not been forgotten.
func oomKills(pod *corev1.Pod, container string) float64 {
	if s := podset.Status(pod, container); s != nil && s.LastTerminationState.Terminated != nil &&
		s.LastTerminationState.Terminated.Reason == "OOMKilled" {
		return 1
	}
	return 0
}
