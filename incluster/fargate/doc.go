// Package fargate is what EKS does in a cluster for its Fargate profiles: the admission webhook that finds a new pod's
// profile and hands the pod to the scheduler fargate-scheduler, which pods Fargate takes and how large their machines are,
// and what that scheduler and the user eks:fargate-manager see and do.
//
// match.go, support.go, size.go and mutate.go decide, and ask nobody. Texts are AWS's: those of support.go stand in the
// validation of Fargate's kubelet, others in events that users report; each that is not says so.
package fargate
