// Package ebscsi is what the Amazon EBS CSI driver does in a cluster, beside its pods, which run nothing here: its node
// plugins' registration, and the sidecars of its controller, external-provisioner (by its own library), external-attacher and
// external-resizer. It stands for the EKS add-on aws-ebs-csi-driver and calls EC2 with what the add-on's role allows.
//
// What users see of it is upstream's: the objects, the finalizers, the events and their sentences. The kubelet's part, to wait
// for a volume and to mount it, is in package nodes; a volume is a directory in its zone's data.
//
// Everything is watched and nothing is polled but EC2, while a volume is being attached or detached, as the driver does.
package ebscsi
