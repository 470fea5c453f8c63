// Package podlife decides what a kubelet does with a pod, without running anything.
//
// Next is a function of the pod as it is known, and of what its kubelet knows beside it (Facts: its node, the other
// pods there, whether ConfigMaps and the like exist, the pace, the time). It answers the pod's new status, the events to
// send, whether the pod's object is to be deleted, and when to look again. It asks nobody and has no clock.
//
// # What survives a restart
//
// What a kubelet finds again in its container runtime stands in the pod's status: which containers run and since when,
// how often they were restarted, how they ended. What a kubelet forgets when it starts anew is in Memory: how often an
// image could not be pulled, how many probes failed in a row, the fractions of a second that a status drops. So a pod
// goes on after a restart of the agent as it does after a restart of a kubelet.
//
// # What the containers do
//
// A container does what its command plainly says (Read): sleep, exit, true, false, echo, agnhost's subcommands that package
// podcmd knows, cat of files that its kubelet makes, and shells' sequences of these.
// A container whose command cannot be read runs for ever; in pods that are to end (those of a Job, those with the
// restart policy Never or OnFailure, and init containers) it ends with 0 after Settings.Run. Servers that everybody knows
// (nginx, pause, ...) do not end by themselves in a Job either. Annotations of the pod say otherwise, for all of its containers or, with
// .CONTAINER behind the name, for one:
//
//	tripod.internal/run-for: 30s               how long its process runs; "forever"
//	tripod.internal/exit-code: "3"             how it ends then
//	tripod.internal/termination-message: text  what it has written to its termination log then
//	tripod.internal/stop-after: 5s             how long it takes to obey SIGTERM; "never": until SIGKILL
//	tripod.internal/ready: "false"             readiness: "true", "false"
//	tripod.internal/ready-after: 20s           readiness and startup fail for so long after its start
//	tripod.internal/liveness: fail             liveness: "ok", "fail", "fail-after=30s"
//	tripod.internal/startup: fail              startup: "ok", "fail"
//	tripod.internal/image: present             its image is on the node already ("present"), or cannot be pulled ("missing")
//	tripod.internal/memory: 300Mi              what counts when the node is low on memory
//	tripod.internal/fault: crash-loop          see Faults
//
// A process obeys SIGTERM at once unless stop-after says otherwise, also a bare sleep, which as PID 1 of a real container
// would ignore it and cost every deletion its whole grace period. It then ends with 143, other processes with 0.
//
// Lifecycle hooks that sleep take their time, and those that plainly make a request by HTTP (httpGet, curl URL) are Requests of
// a Step, which package nodes makes; others are done at once.
//
// # Faults
//
// tripod.internal/fault has one or more of these, separated by commas, and is taken back by removing it:
//
//	crash-loop         the process ends with 1 as soon as it runs
//	exit=N             it ends with N as soon as it runs
//	oom-kill           the kernel kills it as soon as it runs
//	image-pull         its image cannot be pulled; a running container is restarted, as when its image had been changed
//	not-ready          its readiness probe fails
//	slow-start[=30s]   its probes fail for so long after its start
//	latency=200ms      what it sends over the network arrives later, give or take jitter=10ms
//	loss=7             so many percent of what it sends are lost, as TCP feels it
//	black-hole=8080    nothing comes to its port, or from it
//	black-hole-to=443  it reaches that port of nobody
//	no-dns             it finds no name
//	cpu-stress=100     each container uses so many percent of its CPU limit, or of its node's CPUs
//	memory-stress=80   likewise of memory
//
// # What is different from a kubelet
//
// Events of a back-off are sent once per back-off, not with every look at the pod. Probes begin when the container has
// started and their initial delay is over, without the wait for the prober's next tick. What was asked of the API server
// is believed for some time (see package nodes). Critical pods do not preempt others. Nothing is measured: a container uses
// the memory that its annotation says, or half of what it asks for, or 16 MiB.
package podlife
