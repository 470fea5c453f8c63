// Package efscsi is what the Amazon EFS CSI driver does in a cluster, beside its pods, which run nothing here: its node plugins'
// registration, and external-provisioner by its own library, which makes access points for claims. It stands for the EKS add-on
// aws-efs-csi-driver and calls EFS with what the add-on's role allows.
//
// What users see of it is the driver's: the objects, the events and their sentences. The kubelet's part, to mount a file system, is
// in package nodes; a file system is a directory of the region's data.
//
// Everything is watched and nothing is polled.
package efscsi
