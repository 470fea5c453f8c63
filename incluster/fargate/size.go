package fargate

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/component-helpers/resource"

	"tripod/nodes/object"
)

const (
	// reservedMiB is what Fargate adds to each pod's memory for kubelet, kube-proxy and containerd.
	reservedMiB = 256
	// usualDiskGiB is a machine's disk, and mostDiskGiB the largest that a pod may ask for.
	usualDiskGiB, mostDiskGiB = 20, 175
)

// combinations are Fargate's, the smallest first: for a number of CPUs the memory from least to most in steps, in MiB
// ("Understand Fargate Pod configuration details" in the EKS user guide).
var combinations = []struct{ milliCPU, least, most, step int }{
	{250, 512, 1 << 10, 512}, {250, 2 << 10, 2 << 10, 1 << 10},
	{500, 1 << 10, 4 << 10, 1 << 10},
	{1000, 2 << 10, 8 << 10, 1 << 10},
	{2000, 4 << 10, 16 << 10, 1 << 10},
	{4000, 8 << 10, 30 << 10, 1 << 10},
	{8000, 16 << 10, 60 << 10, 4 << 10},
	{16000, 32 << 10, 120 << 10, 8 << 10},
}

// SizeOf is the smallest combination that the pod's requests fit in: the larger one of what any init container and all
// others together ask for. fits says whether there is one.
func SizeOf(pod *corev1.Pod) (size object.FargateSize, fits bool) {
	wants := resource.PodRequests(pod, resource.PodResourcesOptions{})
	cpu, memory := int(wants.Cpu().MilliValue()), mebibytes(wants.Memory().Value())+reservedMiB
	disk := usualDiskGiB
	if asked := (mebibytes(wants.StorageEphemeral().Value()) + 1023) >> 10; asked > disk {
		disk = asked
	}
	if disk > mostDiskGiB {
		return object.FargateSize{}, false
	}
	for _, c := range combinations {
		if c.milliCPU < cpu || c.most < memory {
			continue
		}
		steps := max(0, memory-c.least+c.step-1) / c.step
		return object.FargateSize{MilliCPU: c.milliCPU, MemoryMiB: c.least + steps*c.step, DiskGiB: disk}, true
	}
	return object.FargateSize{}, false
}

// mebibytes rounds bytes up.
func mebibytes(n int64) int { return int((n + 1<<20 - 1) >> 20) }
