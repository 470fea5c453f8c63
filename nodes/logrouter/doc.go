// Package logrouter sends what is in the log files of a node's containers on, as the log router of a DaemonSet does: Fluent Bit with
// the configuration that AWS publishes for Container Insights.
//
// A Router is one node's way to one Output. It reads the files of package podlogs, which are its buffer: bounded, on the disk, and
// there also when the output is not. No pod waits for it. How far each log was sent is written down once an output has acknowledged
// it, so that a router which was killed sends again what was under way, at most one batch, and misses nothing; what was set aside and
// deleted before it could be sent is lost.
//
// Outputs are CloudWatch, Elasticsearch (and OpenSearch), Loki, Forward, S3 and File. Each takes a batch for good or returns an error.
//
// A Router sleeps until Wrote names a log that has grown. It reads for a second what else comes, as Fluent Bit's Flush has it, sends
// batches until all is sent, and tries again after a failure, after 1 s at first and 60 s at last. Records that an output can never
// take are counted and dropped, and the others of their batch go on.
//
// Records have the names of Fluent Bit's tail input and Kubernetes filter. A pod that has gone before its record was made is described
// by what its file's name says. Each line's record has its pod's labels and annotations, so what is long of them is left out.
//
// On a machine of Fargate's an Output is a Fargate: one of the outputs of the ConfigMap aws-logging, behind its filters (package
// fluentbit).
//
// # Trust
//
// Where logs are sent is the operator's to say (up --ship-logs), and no object of a cluster changes it: what writes the ConfigMap of
// Fargate's log router names groups and streams of the region's own CloudWatch Logs, and no more. What pods write is data: it
// stands in JSON strings. The file output writes nothing but files that it names by their nodes, in a directory of the operator's.
package logrouter
