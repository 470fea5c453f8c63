// Package resourcemetrics is the resource metrics API, metrics.k8s.io/v1beta1, over the simulated nodes of all zones: what
// `kubectl top` and the HorizontalPodAutoscaler ask. It does as metrics-server v0.9 does, down to its words.
//
// # Two parts
//
// Zone answers for the nodes of one zone, in protobuf, whoever asks on behalf of an API. API is what API servers reach: it
// asks all zones at once, and puts together what they say. A zone that is dead, or cut off, is missing from lists, as nodes
// are whose kubelets metrics-server cannot reach.
//
// # Rates
//
// metrics-server reads counters every 15 s, asked or not. Here nothing is read until somebody asks: a Zone reads then, at most
// every 10 s (metrics-server's own least), and CPU is the difference to what it had read for the question before, if that
// is less than a minute old. Without one it is the rate that the kubelet itself tells, over its own last 10 s. So the first answer is
// there at once, and a cluster where nobody asks costs nothing: what was read last is forgotten after a minute.
// As with metrics-server a container that is younger than 10 s has no metrics, and neither has its pod.
package resourcemetrics
