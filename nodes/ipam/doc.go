// Package ipam gives pods addresses as the Amazon VPC CNI does (ipamd of vpc-cni 1.22): each node has a pool of them, those of
// its network interfaces, which grows and shrinks as the settings of the DaemonSet aws-node say.
//
// settings.go reads these, plan.go decides what a node's pool needs next and when something follows by itself, pool.go and
// pools.go are the pools: kubelets take addresses of them and give them back, and the zone's host (package az/addressing)
// tells them of the interfaces. Nothing here knows Kubernetes, EC2 or the regional state.
//
// A pod that finds the pool empty waits without a word as long as the host may have more; only when it has not does the pod
// hear so, and again after the kubelet's own pause. ipamd looks at its pool every five seconds; here the host looks when
// something has changed, and does all steps at once.
package ipam
