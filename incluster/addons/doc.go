// Package addons puts into a cluster what a fresh Amazon EKS cluster has beyond upstream's own objects: CoreDNS,
// kube-proxy and the VPC CNI plugin as self-managed add-ons, the storage class gp2, and the RBAC objects of EKS's
// managed components.
//
// The objects are written by server-side apply with the field manager "eks". Fields that somebody else sets stay
// theirs. When somebody else has changed a field that EKS sets, the whole object is left as it is, as EKS leaves
// self-managed add-ons alone.
//
// The rules of the eks:* roles follow what those components do; AWS publishes their names and subjects, not their
// text. Package podidentity registers the pod identity webhook. Not there: the custom resource definitions of the VPC
// CNI plugin and of the VPC resource controller, and the objects of Auto Mode.
package addons
