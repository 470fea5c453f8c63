// Package cloud runs the AWS cloud controller manager of a cluster, with the controllers that Amazon EKS runs of it:
// cloud-node gives a node that has registered what the cloud knows of its instance, and takes the taint
// node.cloudprovider.kubernetes.io/uninitialized off; cloud-node-lifecycle deletes the nodes of instances that are gone and
// taints those of instances that are stopped; tagging marks the instances as the cluster's; service makes load balancers for
// Services of the type LoadBalancer, classic ones or by annotation network ones. They are upstream's own (k8s.io/cloud-provider,
// k8s.io/cloud-provider-aws), and so is the cloud they work on, package k8s.io/cloud-provider-aws/pkg/providers/v1.
//
// Upstream's program reads its configuration, credentials and region from files, the environment and an instance's metadata
// service: what the user's own AWS clients read. Here the cloud is told all of it, and reaches the AWS endpoint and its
// credentials by two sockets of its zone, so that nothing of the user's counts, nothing leaves the machine, and a region's
// own calls do not keep it awake.
//
// The route controller is off, as in EKS. Beside upstream's controllers runs that of package ingress, which is Tripod's own.
package cloud
