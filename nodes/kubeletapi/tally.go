package kubeletapi

import (
	"strconv"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// tally is what a zone's kubelets have done since they started: counted when it happens, so that it costs nothing at rest.
type tally struct {
	mu    sync.Mutex
	nodes map[string]*deeds
}

// deeds are those of a node's kubelet. Keys of maps are values of labels, one after the other.
type deeds struct {
	podsStarted, podsEnded uint64
	started                map[string]uint64    // by type of container
	terminated             map[[3]string]uint64 // by type of container, exit code and reason
	evicted                map[string]uint64    // by signal
	mounted                map[string]uint64    // by plugin
	podStart, podTotal     histogram
	worker                 histogram
	served                 map[[2]string]uint64 // by method and path
	asked                  map[[2]string]uint64 // by status and method
}

func newTally() *tally { return &tally{nodes: map[string]*deeds{}} }

// of is a node's, for a function that is called under the lock.
func (t *tally) of(node string, f func(*deeds)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.nodes[node]
	if d == nil {
		d = &deeds{started: map[string]uint64{}, terminated: map[[3]string]uint64{}, evicted: map[string]uint64{},
			mounted: map[string]uint64{}, podStart: newHistogram(startBounds), podTotal: newHistogram(startBounds),
			worker: newHistogram(usualBounds), served: map[[2]string]uint64{}, asked: map[[2]string]uint64{}}
		t.nodes[node] = d
	}
	f(d)
}

func (t *tally) forgetNode(node string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.nodes, node)
}

// Synced counts that a node's kubelet has looked after a pod, and how long it took.
func (a *API) Synced(node string, took time.Duration) {
	a.tally.of(node, func(d *deeds) { d.worker.observe(took.Seconds(), 1) })
}

// Asked counts a request of a node's kubelet to the API server. The status is 0 where none came back.
func (a *API) Asked(node, method string, status int) {
	code := "<error>"
	if status > 0 {
		code = strconv.Itoa(status)
	}
	a.tally.of(node, func(d *deeds) { d.asked[[2]string{code, method}]++ })
}

// buckets are what requests to a kubelet are counted by, beside the first parts of their paths that are buckets, too.
var buckets = []string{"metrics/cadvisor", "metrics/probes", "metrics/resource", "pods", "runningpods", "healthz", "configz", "stats",
	"metrics", "logs", "containerLogs", "exec", "attach", "portForward"}

// served counts a request to a node's kubelet: its path by a bucket, as nobody's has a word to say in that.
func (t *tally) served(node, method, path string) {
	bucket := "other"
	for _, b := range buckets {
		if rest, ok := strings.CutPrefix(path, "/"+b); ok && (rest == "" || rest[0] == '/') {
			bucket = b
			break
		}
	}
	if method != "GET" && method != "POST" {
		method = "other"
	}
	t.of(node, func(d *deeds) { d.served[[2]string{method, bucket}]++ })
}

// types of containers, as metrics name them, with their statuses in a pod.
func statusesByType(pod *corev1.Pod) map[string][]corev1.ContainerStatus {
	return map[string][]corev1.ContainerStatus{"container": pod.Status.ContainerStatuses,
		"init_container": pod.Status.InitContainerStatuses, "ephemeral_container": pod.Status.EphemeralContainerStatuses}
}

// starts is how often a container has been started.
func starts(s *corev1.ContainerStatus) int32 {
	if s == nil || s.State.Waiting != nil && s.RestartCount == 0 && s.LastTerminationState.Terminated == nil ||
		s.State == (corev1.ContainerState{}) {
		return 0
	}
	return s.RestartCount + 1
}

func find(list []corev1.ContainerStatus, name string) *corev1.ContainerStatus {
	for i := range list {
		if list[i].Name == name {
			return &list[i]
		}
	}
	return nil
}

// changed counts what a change of a pod tells: old and current are as of podset.Set.OnChange.
func (t *tally) changed(old, current *corev1.Pod, now time.Time) {
	if old == nil {
		return
	}
	if current == nil {
		t.of(old.Spec.NodeName, func(d *deeds) { d.podsEnded++ })
		return
	}
	before, after := int32(0), int32(0)
	t.of(current.Spec.NodeName, func(d *deeds) {
		was := statusesByType(old)
		for kind, list := range statusesByType(current) {
			for i := range list {
				s, earlier := &list[i], find(was[kind], list[i].Name)
				a, b := starts(earlier), starts(s)
				before, after = before+a, after+b
				if b > a {
					d.started[kind] += uint64(b - a)
				}
				if ended := ending(earlier, s); ended != nil {
					d.terminated[[3]string{kind, strconv.Itoa(int(ended.ExitCode)), ended.Reason}]++
				}
			}
		}
		if before == 0 && after > 0 {
			d.podsStarted++
			for _, v := range current.Spec.Volumes {
				d.mounted[plugin(&v)]++
			}
		}
		if !allStarted(old) && allStarted(current) {
			d.podTotal.observe(max(0, now.Sub(current.CreationTimestamp.Time).Seconds()), 1)
			if start := current.Status.StartTime; start != nil {
				d.podStart.observe(max(0, now.Sub(start.Time).Seconds()), 1)
			}
		}
		if current.Status.Reason == "Evicted" && old.Status.Reason != "Evicted" {
			d.evicted[signal(current.Status.Message)]++
		}
	})
}

// ending is how a container's run has ended since an earlier status; nil: none has.
func ending(earlier, s *corev1.ContainerStatus) *corev1.ContainerStateTerminated {
	switch ended := s.State.Terminated; {
	case ended != nil && (earlier == nil || earlier.State.Terminated == nil):
		return ended
	case earlier != nil && s.RestartCount > earlier.RestartCount && earlier.State.Terminated == nil:
		return s.LastTerminationState.Terminated
	}
	return nil
}

func allStarted(pod *corev1.Pod) bool {
	for i := range pod.Spec.Containers {
		if starts(find(pod.Status.ContainerStatuses, pod.Spec.Containers[i].Name)) == 0 {
			return false
		}
	}
	return true
}

// signal is that of an eviction, by what the kubelet says to the pod.
func signal(message string) string {
	switch {
	case strings.Contains(message, "resource: ephemeral-storage"):
		return "nodefs.available"
	case strings.Contains(message, "resource: pids"):
		return "pid.available"
	}
	return "memory.available"
}

// plugin is the name of what mounts a volume.
func plugin(v *corev1.Volume) string {
	switch {
	case v.ConfigMap != nil:
		return "kubernetes.io/configmap"
	case v.Secret != nil:
		return "kubernetes.io/secret"
	case v.Projected != nil:
		return "kubernetes.io/projected"
	case v.DownwardAPI != nil:
		return "kubernetes.io/downward-api"
	case v.EmptyDir != nil:
		return "kubernetes.io/empty-dir"
	case v.HostPath != nil:
		return "kubernetes.io/host-path"
	case v.Image != nil:
		return "kubernetes.io/image"
	}
	return "kubernetes.io/csi"
}
