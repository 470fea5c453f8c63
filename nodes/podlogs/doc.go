// Package podlogs keeps the log files of containers as a node has them, for collectors that read files.
//
// Below a node's root lie, as a kubelet and containerd lay them out:
//
//	var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log             N is how often the container had been restarted
//	var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log.20261129-080000       set aside last
//	var/log/pods/NAMESPACE_POD_UID/CONTAINER/N.log.20261129-075000.gz    set aside before
//	var/log/containers/POD_NAMESPACE_CONTAINER-ID.log          a link to N.log, relative so that the root may lie anywhere
//
// A line is "TIME STREAM F TEXT"; one that is longer than 16 KiB comes in parts, all but the last with P in place of F. A file that
// would outgrow containerLogMaxSize is set aside by a rename, and of what was set aside the oldest goes, as the kubelet's
// ContainerLogManager has it. Whoever tails loses nothing who reads a renamed file to its end.
//
// A node has a budget. Where that is spent, the oldest file that was set aside goes, of whichever container, and where there is none
// the largest log is set aside and goes: a log that is written now keeps its last lines.
//
// # Who writes
//
// One process does, and of a log one goroutine at a time. No file stays open between two writes, so that a thousand nodes hold no
// descriptors. Last says where a log ended that a killed process has written, so that the next one goes on without a gap and
// without saying anything twice.
//
// # Trust
//
// Names of namespaces, pods and containers are a cluster's, and the files are the operator's. Each name is checked to be one, and
// all files are opened below the node's root by os.Root, which follows no link out of it: a pod's hostPath volume leads there, too.
package podlogs
