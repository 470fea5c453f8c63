package kubeletapi

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// relist is how often a kubelet looks through its runtime's containers (the generic PLEG), and quick is how long it and other
// things take that are done at once here.
const (
	relist = time.Second
	quick  = 0.001 // seconds
)

var (
	runtimeBounds = exponential(.005, 2.5, 14)
	storageBounds = []float64{.1, .25, .5, 1, 2.5, 5, 10, 15, 25, 50, 120, 300, 600}
)

// kubeletMetrics are those of the kubelet itself (pkg/kubelet/metrics of k8s.io/kubernetes, and others named below) that
// dashboards and rules read.
func (a *API) kubeletMetrics(e *exposition, m measured) {
	pods := a.conf.Pods.OfNode(m.node.Name)
	a.tally.of(m.node.Name, func(d *deeds) {
		d.lives(e)
		d.work(e, m)
		d.requests(e, a.conf.Server)
	})
	podCounts(e, m, pods)
	volumeMetrics(e, m, pods)
	a.processMetrics(e, m)
}

func gaugeOf(e *exposition, name, help string, value float64, labels ...string) {
	e.family(name, "gauge", help)
	e.add(name, value, time.Time{}, labels...)
}

func counterOf(e *exposition, name, help string, value uint64, labels ...string) {
	e.family(name, "counter", help)
	e.add(name, float64(value), time.Time{}, labels...)
}

// podCounts are of the pods of now.
func podCounts(e *exposition, m measured, pods []*corev1.Pod) {
	gaugeOf(e, "kubelet_node_name", "[ALPHA] The node's name. The count is always 1.", 1, "node", m.node.Name)
	gaugeOf(e, "kubelet_running_pods", "[ALPHA] Number of pods that have a running pod sandbox", float64(len(m.pods)))
	states := map[string]int{}
	active := 0
	for _, pod := range pods {
		if pod.Status.Phase != corev1.PodSucceeded && pod.Status.Phase != corev1.PodFailed {
			active++
		}
		for _, s := range pod.Status.ContainerStatuses {
			switch {
			case s.State.Running != nil:
				states["running"]++
			case s.State.Terminated != nil:
				states["exited"]++
			default:
				states["created"]++
			}
		}
	}
	e.family("kubelet_running_containers", "gauge", "[ALPHA] Number of containers currently running")
	for _, state := range []string{"created", "exited", "running"} {
		e.add("kubelet_running_containers", float64(states[state]), time.Time{}, "container_state", state)
	}
	gaugeOf(e, "kubelet_desired_pods", "[ALPHA] The number of pods the kubelet is being instructed to run. static is true if the "+
		"pod is not from the apiserver.", float64(len(pods)), "static", "")
	gaugeOf(e, "kubelet_active_pods", "[ALPHA] The number of pods the kubelet considers active and which are being considered when "+
		"admitting new pods. static is true if the pod is not from the apiserver.", float64(active), "static", "")
}

// sorted goes through a map by its keys.
func sorted[K interface{ ~[2]string | ~[3]string }, V any](all map[K]V, each func(K, V)) {
	keys := slices.SortedFunc(maps.Keys(all), func(a, b K) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	for _, k := range keys {
		each(k, all[k])
	}
}

// lives are of pods and containers that began and ended.
func (d *deeds) lives(e *exposition) {
	counterOf(e, "kubelet_started_pods_total", "[ALPHA] Cumulative number of pods started", d.podsStarted)
	e.family("kubelet_started_containers_total", "counter", "[ALPHA] Cumulative number of containers started")
	for _, kind := range slices.Sorted(maps.Keys(d.started)) {
		e.add("kubelet_started_containers_total", float64(d.started[kind]), time.Time{}, "container_type", kind)
	}
	e.family("kubelet_terminated_containers_total", "counter", "[ALPHA] Cumulative number of container terminations.")
	sorted(d.terminated, func(k [3]string, n uint64) {
		e.add("kubelet_terminated_containers_total", float64(n), time.Time{}, "container_type", k[0], "exit_code", k[1], "reason", k[2])
	})
	e.family("kubelet_evictions", "counter", "[ALPHA] Cumulative number of pod evictions by eviction signal")
	for _, signal := range slices.Sorted(maps.Keys(d.evicted)) {
		e.add("kubelet_evictions", float64(d.evicted[signal]), time.Time{}, "eviction_signal", signal)
	}
	one := func(name, help string, h histogram, labels ...string) {
		e.family(name, "histogram", help)
		e.histogram(name, h, labels...)
	}
	one("kubelet_pod_start_duration_seconds", "[ALPHA] Duration in seconds from kubelet seeing a pod for the first time to the pod "+
		"starting to run", d.podStart)
	one("kubelet_pod_start_sli_duration_seconds", "[ALPHA] Duration in seconds to start a pod, excluding time to pull images and run "+
		"init containers, measured from pod creation timestamp to when all its containers are reported as started and observed via "+
		"watch", d.podTotal) // images come at once here, so that nothing is to be left out
	one("kubelet_pod_start_total_duration_seconds", "[ALPHA] Duration in seconds to start a pod since creation, including time to pull "+
		"images and run init containers, measured from pod creation timestamp to when all its containers are reported as started and "+
		"observed via watch", d.podTotal)
	one("kubelet_pod_worker_duration_seconds", "[ALPHA] Duration in seconds to sync a single pod. Broken down by operation type: "+
		"create, update, or sync", d.worker, "operation_type", "sync")
}

// work is what a kubelet has its runtime and its system do; here it takes no time.
func (d *deeds) work(e *exposition, m measured) {
	sum := func(counts map[string]uint64) (n uint64) {
		for _, count := range counts {
			n += count
		}
		return n
	}
	relists := uint64(max(0, m.at.Sub(m.node.Since)) / relist)
	times := func(bounds []float64, each float64, count uint64) histogram {
		h := newHistogram(bounds)
		if count > 0 {
			h.observe(each, count)
		}
		return h
	}
	one := func(name, help string, h histogram) {
		e.family(name, "histogram", help)
		e.histogram(name, h)
	}
	one("kubelet_pleg_relist_duration_seconds", "[ALPHA] Duration in seconds for relisting pods in PLEG.", times(usualBounds, quick, relists))
	one("kubelet_pleg_relist_interval_seconds", "[ALPHA] Interval in seconds between relisting in PLEG.",
		times(usualBounds, relist.Seconds(), relists))
	gaugeOf(e, "kubelet_pleg_last_seen_seconds", "[ALPHA] Timestamp in seconds when PLEG was last seen active.",
		float64(m.node.Since.Add(time.Duration(relists)*relist).Unix()))
	counterOf(e, "kubelet_pleg_discard_events", "[ALPHA] The number of discard events in PLEG.", 0)
	started := sum(d.started)
	operations := map[string]uint64{"create_container": started, "start_container": started, "run_podsandbox": d.podsStarted,
		"stop_podsandbox": d.podsEnded, "remove_podsandbox": d.podsEnded, "podsandbox_status": d.podsStarted, "list_podsandbox": relists,
		"list_containers": relists}
	names := slices.Sorted(maps.Keys(operations))
	each := func(name, kind, help string, of func(name, operation string)) {
		e.family(name, kind, help)
		for _, operation := range names {
			of(name, operation)
		}
	}
	each("kubelet_runtime_operations_total", "counter", "[ALPHA] Cumulative number of runtime operations by operation type.",
		func(name, operation string) {
			e.add(name, float64(operations[operation]), time.Time{}, "operation_type", operation)
		})
	each("kubelet_runtime_operations_duration_seconds", "histogram", "[ALPHA] Duration in seconds of runtime operations. Broken down by "+
		"operation type.", func(name, operation string) {
		e.histogram(name, times(runtimeBounds, quick, operations[operation]), "operation_type", operation)
	})
	e.family("kubelet_runtime_operations_errors_total", "counter", "[ALPHA] Cumulative number of runtime operation errors by operation type.")
	const groups = "kubelet_cgroup_manager_duration_seconds"
	e.family(groups, "histogram", "[ALPHA] Duration in seconds for cgroup manager operations. Broken down by method.")
	e.histogram(groups, times(usualBounds, quick, d.podsStarted), "operation_type", "create")
	e.histogram(groups, times(usualBounds, quick, d.podsEnded), "operation_type", "destroy")
	e.histogram(groups, times(usualBounds, quick, d.podsStarted), "operation_type", "update")
	const storage = "storage_operation_duration_seconds"
	e.family(storage, "histogram", "[BETA] Storage operation duration")
	for _, plugin := range slices.Sorted(maps.Keys(d.mounted)) {
		e.histogram(storage, times(storageBounds, quick, d.mounted[plugin]), "migrated", "false", "operation_name", "volume_mount", "status",
			"success", "volume_plugin", plugin)
	}
}

// requests are those to the kubelet, and of it to the API server.
func (d *deeds) requests(e *exposition, server string) {
	e.family("kubelet_http_requests_total", "counter", "[ALPHA] Number of the http requests received since the server started")
	sorted(d.served, func(k [2]string, n uint64) {
		long := slices.Contains([]string{"exec", "attach", "portForward"}, k[1])
		e.add("kubelet_http_requests_total", float64(n), time.Time{}, "long_running", fmt.Sprint(long), "method", k[0], "path", k[1],
			"server_type", "readwrite")
	})
	e.family("rest_client_requests_total", "counter", "[ALPHA] Number of HTTP requests, partitioned by status code, method, and host.")
	sorted(d.asked, func(k [2]string, n uint64) {
		e.add("rest_client_requests_total", float64(n), time.Time{}, "code", k[0], "host", server, "method", k[1])
	})
}

// volumeMetrics are of the volumes of pods; those of claims are counted once a claim.
func volumeMetrics(e *exposition, m measured, pods []*corev1.Pod) {
	plugins := map[string]int{}
	for _, pod := range pods {
		for i := range pod.Spec.Volumes {
			plugins[plugin(&pod.Spec.Volumes[i])]++
		}
	}
	e.family("volume_manager_total_volumes", "gauge", "[ALPHA] Number of volumes in Volume Manager")
	for _, name := range slices.Sorted(maps.Keys(plugins)) {
		for _, state := range []string{"actual_state_of_world", "desired_state_of_world"} {
			e.add("volume_manager_total_volumes", float64(plugins[name]), time.Time{}, "plugin_name", name, "state", state)
		}
	}
	seen := map[string]bool{}
	var claims []claimAt
	for _, p := range m.pods {
		for _, v := range p.pod.Spec.Volumes {
			if c := v.PersistentVolumeClaim; c != nil && !seen[p.pod.Namespace+"/"+c.ClaimName] {
				seen[p.pod.Namespace+"/"+c.ClaimName] = true
				claims = append(claims, claimAt{p.pod.Namespace, c.ClaimName})
			}
		}
	}
	fs := emptyVolume(m.at)
	for _, f := range []struct {
		name, help string
		value      *uint64
	}{
		{"capacity_bytes", "Capacity in bytes of the volume", fs.CapacityBytes},
		{"available_bytes", "Number of available bytes in the volume", fs.AvailableBytes},
		{"used_bytes", "Number of used bytes in the volume", fs.UsedBytes},
		{"inodes", "Maximum number of inodes in the volume", fs.Inodes},
		{"inodes_free", "Number of free inodes in the volume", fs.InodesFree},
		{"inodes_used", "Number of used inodes in the volume", fs.InodesUsed},
	} {
		e.family("kubelet_volume_stats_"+f.name, "gauge", "[ALPHA] "+f.help)
		for _, c := range claims {
			e.add("kubelet_volume_stats_"+f.name, float64(*f.value), time.Time{}, "namespace", c.namespace, "persistentvolumeclaim", c.name)
		}
	}
}

type claimAt struct{ namespace, name string }

// processMetrics are of the kubelet's process, its version and its certificate.
func (a *API) processMetrics(e *exposition, m measured) {
	version := m.node.Version
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	gaugeOf(e, "kubernetes_build_info", "[BETA] A metric with a constant '1' value labeled by major, minor, git version, git commit, git "+
		"tree state, build date, Go version, and compiler from which Kubernetes was built, and platform on which it is running.", 1,
		"build_date", "", "compiler", "gc", "git_commit", "", "git_tree_state", "clean", "git_version", version, "go_version", "",
		"major", major, "minor", minor, "platform", "linux/"+m.node.architecture())
	ttl := math.Inf(1)
	if a.conf.Expires != nil {
		if at, known := a.conf.Expires(); known {
			ttl = math.Trunc(at.Sub(m.at).Seconds())
		}
	}
	gaugeOf(e, "kubelet_certificate_manager_server_ttl_seconds", "[ALPHA] Gauge of the shortest TTL (time-to-live) of the Kubelet's "+
		"serving certificate. The value is in seconds until certificate expiry (negative if already expired). If serving certificate is "+
		"invalid or unused, the value will be +INF.", ttl)
	counterOf(e, "kubelet_server_expiration_renew_errors", "[ALPHA] Counter of certificate renewal errors.", 0)
	processStart(e, m)
	e.family("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.")
	kubelet := systemContainers[0]
	e.add("process_cpu_seconds_total", seconds(systemUse(kubelet.nanoCores, 0, m.at.Sub(m.node.Since)).coreNanos), time.Time{})
	gaugeOf(e, "process_resident_memory_bytes", "Resident memory size in bytes.", float64(kubelet.memory))
}

func processStart(e *exposition, m measured) {
	gaugeOf(e, "process_start_time_seconds", "[ALPHA] Start time of the process since unix epoch in seconds.", unixSeconds(m.node.Since))
}
