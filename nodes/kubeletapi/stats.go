package kubeletapi

import (
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"

	"tripod/nodes/podset"
)

// What a node uses beside its pods: its kubelet, its container runtime and the rest of the system.
var systemContainers = []struct {
	name      string
	nanoCores float64
	memory    uint64
}{
	{"kubelet", 15e6, 80 << 20},
	{"runtime", 10e6, 120 << 20},
	{"", 10e6, 180 << 20},
}

const (
	rootDisk      = 20 << 30  // bytes
	rootDiskUsed  = 4 << 30   // by the system
	imageDiskUsed = 200 << 20 // by a pod's images
	rootInodes    = 10 << 20
	usedInodes    = 60_000
)

// measured is a node at a time.
type measured struct {
	node  Node
	at    time.Time
	use   use           // of the system, of pods and of what has ended
	pods  []measuredPod // those that run something
	ended uint64        // core-nanoseconds of what has ended
}

type measuredPod struct {
	pod        *corev1.Pod
	use        use
	containers []measuredContainer
	in, out    uint64 // bytes
	requests   uint64 // that they are of
}

type measuredContainer struct {
	name, image, id string
	started         time.Time
	use             use
}

// measure takes all of a node's figures at one time: sums are of the same figures as their parts.
func (a *API) measure(n Node, now time.Time) measured {
	m := measured{node: n, at: now, ended: a.usage.endedOn(n.Name)}
	m.use.coreNanos = m.ended
	for _, s := range systemContainers {
		m.use = m.use.add(systemUse(s.nanoCores, s.memory, now.Sub(n.Since)))
	}
	for _, pod := range a.conf.Pods.OfNode(n.Name) {
		p := measuredPod{pod: pod}
		for s := range podset.Running(pod) {
			c := measuredContainer{s.Name, s.ImageID, s.ContainerID, s.State.Running.StartedAt.Time, a.usage.of(pod, s, now)}
			p.containers = append(p.containers, c)
			p.use = p.use.add(c.use)
		}
		if len(p.containers) > 0 {
			t := a.conf.HTTP.Requests().Traffic(pod.UID, now)
			p.in, p.out, p.requests = t.In, t.Out, t.Requests
			m.pods = append(m.pods, p)
			m.use = m.use.add(p.use)
		}
	}
	return m
}

func systemUse(nanoCores float64, memory uint64, since time.Duration) use {
	return use{coreNanos: uint64(startCPU + nanoCores*max(0, since.Seconds())), nanoCores: uint64(nanoCores), memory: memory}
}

func pointer(n uint64) *uint64 { return &n }

func (u use) cpu(at metav1.Time) *stats.CPUStats {
	return &stats.CPUStats{Time: at, UsageNanoCores: pointer(u.nanoCores), UsageCoreNanoSeconds: pointer(u.coreNanos)}
}

// memoryStats of something that may use most bytes; 0: no limit.
func (u use) memoryStats(at metav1.Time, most uint64) *stats.MemoryStats {
	m := &stats.MemoryStats{
		Time: at, UsageBytes: pointer(uint64(u.usage())), WorkingSetBytes: pointer(u.memory), RSSBytes: pointer(u.memory * 3 / 4),
		PageFaults: pointer(u.pageFaults()), MajorPageFaults: pointer(0),
	}
	if most > 0 {
		m.AvailableBytes = pointer(most - min(most, u.memory))
	}
	return m
}

func disk(at metav1.Time, used, inodes uint64) *stats.FsStats {
	return &stats.FsStats{
		Time: at, CapacityBytes: pointer(rootDisk), UsedBytes: pointer(used), AvailableBytes: pointer(rootDisk - min(used, rootDisk)),
		Inodes: pointer(rootInodes), InodesUsed: pointer(inodes), InodesFree: pointer(rootInodes - min(inodes, rootInodes)),
	}
}

// rootDisk is the node's root file system.
func (m measured) rootDisk() *stats.FsStats {
	return disk(metav1.NewTime(m.at), min(rootDiskUsed+uint64(len(m.pods))*imageDiskUsed, rootDisk*8/10), usedInodes)
}

// emptyVolume is a claim's file system: of the node's disk's size, and empty, as what is in it is nowhere.
func emptyVolume(at time.Time) *stats.FsStats { return disk(metav1.NewTime(at), 0, 11) }

func interfaces(at metav1.Time, in, out uint64) *stats.NetworkStats {
	eth := stats.InterfaceStats{Name: "eth0", RxBytes: pointer(in), RxErrors: pointer(0), TxBytes: pointer(out), TxErrors: pointer(0)}
	return &stats.NetworkStats{Time: at, InterfaceStats: eth, Interfaces: []stats.InterfaceStats{eth}}
}

func (a *API) summary(w http.ResponseWriter, r *http.Request) {
	n, ok := a.nodeOf(w, r)
	if !ok {
		return
	}
	m := a.measure(n, a.conf.Now())
	writeJSON(w, m.summary(r.URL.Query().Get("only_cpu_and_memory") == "true"))
}

// summary is what /stats/summary tells.
func (m measured) summary(onlyCPUAndMemory bool) stats.Summary {
	at := metav1.NewTime(m.at)
	most := uint64(m.node.Capacity.Memory().Value())
	node := stats.NodeStats{
		NodeName: m.node.Name, StartTime: metav1.NewTime(m.node.Since), CPU: m.use.cpu(at), Memory: m.use.memoryStats(at, most),
	}
	pods := use{coreNanos: m.ended}
	in, out := uint64(0), uint64(0)
	list := []stats.PodStats{}
	for _, p := range m.pods {
		pods, in, out = pods.add(p.use), in+p.in, out+p.out
		list = append(list, p.summary(at, onlyCPUAndMemory))
	}
	for _, s := range systemContainers {
		if s.name != "" {
			u := systemUse(s.nanoCores, s.memory, m.at.Sub(m.node.Since))
			node.SystemContainers = append(node.SystemContainers, stats.ContainerStats{Name: s.name,
				StartTime: metav1.NewTime(m.node.Since), CPU: u.cpu(at), Memory: u.memoryStats(at, 0)})
		}
	}
	node.SystemContainers = append(node.SystemContainers, stats.ContainerStats{Name: "pods",
		StartTime: metav1.NewTime(m.node.Since), CPU: pods.cpu(at), Memory: pods.memoryStats(at, most)})
	if !onlyCPUAndMemory {
		node.Network = interfaces(at, in, out)
		node.Fs = m.rootDisk()
		images := uint64(len(m.pods)) * imageDiskUsed
		node.Runtime = &stats.RuntimeStats{ImageFs: disk(at, min(images, rootDisk*6/10), usedInodes/2),
			ContainerFs: disk(at, 0, usedInodes/2)}
		processes, most := int64(120+3*len(m.pods)), int64(32768)
		node.Rlimit = &stats.RlimitStats{Time: at, MaxPID: &most, NumOfRunningProcesses: &processes}
	}
	return stats.Summary{Node: node, Pods: list}
}

func (p measuredPod) summary(at metav1.Time, onlyCPUAndMemory bool) stats.PodStats {
	one := stats.PodStats{
		PodRef: stats.PodReference{Name: p.pod.Name, Namespace: p.pod.Namespace, UID: string(p.pod.UID)},
		CPU:    p.use.cpu(at), Memory: p.use.memoryStats(at, 0),
	}
	if start := p.pod.Status.StartTime; start != nil {
		one.StartTime = *start
	}
	for _, c := range p.containers {
		container := stats.ContainerStats{Name: c.name, StartTime: metav1.NewTime(c.started), CPU: c.use.cpu(at),
			Memory: c.use.memoryStats(at, memoryLimit(p.pod, c.name))}
		if !onlyCPUAndMemory {
			container.Rootfs, container.Logs = disk(at, 1<<16, 20), disk(at, 1<<14, 1)
		}
		one.Containers = append(one.Containers, container)
	}
	if !onlyCPUAndMemory {
		one.Network = interfaces(at, p.in, p.out)
		one.EphemeralStorage = disk(at, uint64(len(p.containers))*(1<<16+1<<14), uint64(len(p.containers))*21)
		processes := uint64(len(p.containers))
		one.ProcessStats = &stats.ProcessStats{ProcessCount: &processes}
		one.VolumeStats = volumes(at, p.pod)
	}
	return one
}

func memoryLimit(pod *corev1.Pod, container string) uint64 {
	if c := podset.Container(pod, container); c != nil {
		return uint64(max(0, c.Resources.Limits.Memory().Value()))
	}
	return 0
}

// volumes are those of claims.
func volumes(at metav1.Time, pod *corev1.Pod) []stats.VolumeStats {
	var list []stats.VolumeStats
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			list = append(list, stats.VolumeStats{FsStats: *emptyVolume(at.Time), Name: v.Name,
				PVCRef: &stats.PVCReference{Name: v.PersistentVolumeClaim.ClaimName, Namespace: pod.Namespace}})
		}
	}
	return list
}
