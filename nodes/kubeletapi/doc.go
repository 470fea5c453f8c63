// Package kubeletapi answers as the kubelets of a zone's simulated nodes do: their HTTPS API without the TLS. What it
// tells of containers follows from the pods' specs, statuses and annotations and from the time, so that it needs neither
// memory nor work while nobody asks.
//
// # What is answered
//
// /healthz and its checks, /pods, /runningpods/, /configz, /stats/summary, /metrics, /metrics/resource,
// /metrics/cadvisor, /metrics/probes, the paths of KWOK's Metric objects, /logs/ (of which there are none), /containerLogs/,
// /exec/, /attach/ and /portForward/. Everything else, such as /checkpoint, /run and /debug, is 404.
//
// # Metrics
//
// Families have a kubelet's names, types, labels and help (testdata/). Their values follow from what is declared of use, from
// the pods' statuses and the time, and from what is counted when it happens: what began and ended (tally). docs/observability.md
// says which are which.
//
// # Logs
//
// A container's log has, in order of time: what its plain command prints (package podcmd), the text of
// tripod.internal/logs, made-up lines by tripod.internal/logs-generate, and the requests that it has answered (package
// podhttp). At most the last 10,000 lines of each are there. The log of the run before is told as far as the status knows
// when that was.
//
// Where a node has log files (Config.LogFiles), WriteLogs writes the same lines there in one goroutine, which sleeps until a pod
// changes, has answered a request, or is due to say its next line; logs are then told from the files (package podlogs). At rest it
// costs nothing, and a pod that says nothing costs an entry in a map. A wish for variables or files of the cluster holds the writer
// up for 3 s at most. What comes faster than it can be written, 10,000 lines of a container, is dropped and counted.
//
// # Use
//
// What a container uses is the first of these that says it, for CPU and for memory each: the pod's annotations
// tripod.internal/cpu and tripod.internal/memory, KWOK's annotations, the ResourceUsage of the pod's name, the first
// ClusterResourceUsage that selects it (package kwokusage), and a share of its request: 10 % of CPU and 50 % of memory, and
// without a request 1m and 16 MiB. It is never more than the limit, which throttles. Annotations may be curves (package
// curve). tripod.internal/cpu-per-request and memory-per-request add what answering costs. A change of what is declared
// changes the use at once, and counters go on from where they are: each is the exact integral of its rate. Where a KWOK
// expression moves by itself, its value is held for 15 s of the clock. Of a node the sums are those of its pods, of what has
// ended, and of a system that uses 35m and 380 MiB. A node uses more than it has if its pods say so.
//
// # Exec and attach
//
// exec does plain commands (package podcmd); others end with 126 and a sentence. Those that speak over a network have the pod's
// (Config.Network). Files are those that a kubelet makes:
// /etc/hostname, /etc/hosts, /etc/resolv.conf, and in volumes those of ConfigMaps, Secrets, the downward API, tokens,
// ClusterTrustBundles and pod certificates. They and the variables are read when somebody asks, here and in logs, as they are
// then; what a log has told once stays (seen). A command that a client starts is no process of the container: it is in no
// log, and changes nothing but where the pages of known web servers are (package podfiles). attach streams what the
// container logs from then on; what is typed goes nowhere.
package kubeletapi
