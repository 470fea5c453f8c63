// Package nodes simulates the worker nodes of one availability zone of one cluster, and the pods on them.
//
// A Simulator is what a zone's kubelets would be together. It registers Node objects as EKS's managed node groups
// have them, renews their leases, brings the pods that the scheduler binds to them through their lives, serves the
// kubelet's HTTPS API to the API servers, and says where an address of the VPC leads on this machine.
//
// # What runs, and what does not
//
// No container runs. A pod lives as its spec, the plain part of its commands and its annotations say: package podlife
// decides, and has the list of annotations. The player holds the last known state of each node and pod, asks what is
// next, writes the status, and then sends the events. An ordinary pod becomes Running and Ready with one write as soon as
// it is bound; a deleted one goes at once, because its processes obey SIGTERM.
//
// What pods refer to (ConfigMaps, Secrets, claims, tokens of service accounts, RuntimeClasses) is asked of the API server
// once for all pods of a zone and believed for a minute, or for a second by a pod that waits for it. Events go out behind
// the writes of statuses, aggregated by client-go, 50 a second for a node and 100 for a zone; when more than 4,000 wait, those
// that tell of nothing wrong are dropped.
//
// A pod's certificates (podCertificate in a projected volume) are asked for by upstream's own manager
// (k8s.io/kubernetes/pkg/kubelet/podcertificate), of which a node has one from its first pod on that wants a certificate. Two
// goroutines of the manager's own end by themselves when the node does. It remembers nothing: after a restart of the agent
// it asks anew.
//
// # Pressure
//
// The annotation tripod.internal/pressure of a Node (memory, disk, pid, or several with commas) makes the kubelet report the
// condition, refuse pods as its eviction manager does, and evict one pod every ten seconds, until it is removed.
//
// # KWOK's objects
//
// ResourceUsage, ClusterResourceUsage and Metric say what the kubelets tell of use (package kubeletapi). Stages decide what
// happens:
//
// Where a user's Stage objects (kwok.x-k8s.io/v1alpha1) match a node or a pod, that stage plays, with its delay, its events
// and KWOK's template functions, and nothing else happens to the object meanwhile; after it, and where none matches, the
// object lives as above. As these are writes of a kubelet, a stage may patch the status and delete, and no more.
//
// KWOK 0.8.0's lifecycle (matching, delays, templates) is used as a library. Its controllers are not, because they
// drop a patch that fails with anything but a refused connection or a 429, 503 or 504 (a killed API server gives EOF
// and 500), back off up to 32 minutes, hand out a pod address again while existing pods are still being listed, watch
// the leases, and start goroutines that nobody can wait for. A zone has to come back within seconds after faults of
// every kind, and has to be stopped in order. The heartbeat is the kubelet's own lease controller
// (k8s.io/component-helpers).
//
// # Who the nodes are
//
// Each kubelet signs in as on EKS: with a token by the credentials of its instance's role, in a session that bears the
// instance's id, which the cluster's access entries or aws-auth make system:node:NAME in the group system:nodes. The
// Node authorizer and the admission plugin NodeRestriction hold for it. Who asks a kubelet has a certificate of the cluster's
// authority or a token, and gets what the API server lets it (package kubeletauth). What is not a kubelet's to do, to watch KWOK's
// stages, goes by a client certificate (Config.CloudCert).
//
// # Fargate
//
// A machine may be one of Fargate's (machine.Machine.Fargate): a node for one pod, which has the node's address. It is larger than
// what the pod is given, as in EKS, and its kubelet reserves nothing.
//
// # Logs
//
// Where Config.NodeLogs says so, containers' logs are files below the node's root (package podlogs), written by kubeletapi, and a log
// router of each node sends them to Config.LogOutputs (package logrouter).
//
// # What it costs
//
// Two watches a node (the node itself, and pods by spec.nodeName; a third, of PodCertificateRequests, on nodes with pods that
// want one), one lease renewal a node in 10 s, and one status update a node in 5 to 6 minutes. Four watches a zone wait for
// the definitions of KWOK's kinds. Nothing is polled. Three zones of one node each in one process, with 10 to 20 pods:
// 0.03 % of a core when idle (5 ticks of 10 ms in 15 s while the API server is away), 1 to 2 MB of memory each beyond
// the first one's 3 MB; a node is Ready 20 to 50 ms after the API server first answers.
package nodes
