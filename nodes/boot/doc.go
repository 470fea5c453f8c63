// Package boot says what an instance's user data makes of it: the part of an EC2 instance's start that decides whether
// it becomes a node, of which cluster, and with which labels and taints. It reads user data as the EKS optimized images
// do (nodeadm of Amazon Linux 2023, bootstrap.sh of Amazon Linux 2, the settings of Bottlerocket), and writes that which
// EKS gives to the instances of managed node groups.
//
// Nothing is run: no shell, no cloud-init. A shell script of the user's is noted in the instance's console. All is a
// function of its arguments.
package boot
