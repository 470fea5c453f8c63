package nodes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"tripod/internal/instancetypes"
	"tripod/nodes/boot"
	"tripod/nodes/machine"
	"tripod/nodes/object"
)

// size of an EC2 instance type as its kubelet sees it.
type size struct {
	cpus      int64
	memoryKiB int64 // what Linux leaves of the instance's memory
	pods      int64 // how many the kubelet takes
	// addresses is how many pods the interfaces have addresses for. Memory is reserved for as many, whatever pods is.
	addresses int64
	diskGiB   int64 // of the root volume
	// reservesNothing: the kubelet leaves all to pods but what it keeps free for eviction.
	reservesNothing bool
	// devices are extended resources, as AWS's and NVIDIA's device plugins of the accelerated images announce them.
	devices map[corev1.ResourceName]int64
}

// defaultDiskGiB is the size of EKS's default root volume.
const defaultDiskGiB = 20

// diskOverheadKiB is what partitions and the file system of Amazon Linux 2023 take of a root volume.
const diskOverheadKiB = 77_844

// sizeOf answers m5.large's size for a type it does not know, such as one that AWS has withdrawn. It has the pods that
// its interfaces have addresses for.
func sizeOf(instanceType string) size {
	t, known := instancetypes.Find(instanceType)
	if !known {
		t, _ = instancetypes.Find(machine.DefaultType)
	}
	s := size{cpus: int64(t.VCPUs), memoryKiB: t.LinuxKiB(), pods: int64(t.MaxPods()), addresses: int64(t.MaxPods()),
		diskGiB: defaultDiskGiB}
	add := func(name corev1.ResourceName, count int) {
		if count == 0 { // fractions of a GPU
			return
		}
		if s.devices == nil {
			s.devices = map[corev1.ResourceName]int64{}
		}
		s.devices[name] += int64(count)
	}
	for _, gpu := range t.Of(instancetypes.GPU) {
		if gpu.Manufacturer == "NVIDIA" {
			add("nvidia.com/gpu", gpu.Count)
		}
	}
	for _, d := range t.Of(instancetypes.Neuron) {
		add("aws.amazon.com/neuron", d.Count)
		add("aws.amazon.com/neuroncore", d.Count*d.Cores)
	}
	return s
}

// The smallest machine that Fargate's nodes are seen on, what its kernel keeps, and how much more disk there is than a pod
// is given.
const (
	fargateCPUs, fargateMiB = 2, 4 << 10
	fargateKernelKiB        = 156_764
	fargateDiskGiB          = 10
)

// fargateSize is a node of Fargate's: it is larger than what its pod is given, as in EKS, whose guide says that a node's
// capacity tells nothing of the pod's.
func fargateSize(given object.FargateSize) size {
	cpus := max(fargateCPUs, int64(given.MilliCPU+999)/1000)
	return size{cpus: cpus, memoryKiB: max(fargateMiB, cpus<<11, int64(given.MemoryMiB))<<10 - fargateKernelKiB, pods: 1,
		addresses: 1, diskGiB: int64(given.DiskGiB) + fargateDiskGiB, reservesNothing: true}
}

// capacity of an instance.
func (s size) capacity() corev1.ResourceList {
	list := corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(s.cpus, resource.DecimalSI),
		corev1.ResourceMemory:           resource.MustParse(fmt.Sprintf("%dKi", s.memoryKiB)),
		corev1.ResourceEphemeralStorage: resource.MustParse(fmt.Sprintf("%dKi", s.diskKiB())),
		corev1.ResourcePods:             *resource.NewQuantity(s.pods, resource.DecimalSI),
		"hugepages-1Gi":                 *resource.NewQuantity(0, resource.DecimalSI),
		"hugepages-2Mi":                 *resource.NewQuantity(0, resource.DecimalSI),
	}
	for name, count := range s.devices {
		list[name] = *resource.NewQuantity(count, resource.DecimalSI)
	}
	return list
}

func (s size) diskKiB() int64 { return s.diskGiB<<20 - diskOverheadKiB }

// allocatable is capacity less what is reserved for Kubernetes and the system, and what is kept free for eviction:
// nodeadm's own, with the changes that the instance's user data make.
func (s size) allocatable(c boot.Config) corev1.ResourceList {
	list := s.capacity()
	kube, system := c.KubeReserved.Over(s.kubeReserved()), c.SystemReserved.Over(nil)
	eviction := c.EvictionHard.Over(map[string]string{"memory.available": "100Mi", "nodefs.available": "10%"})
	for _, one := range []struct {
		name     corev1.ResourceName
		eviction string
	}{
		{corev1.ResourceCPU, ""}, {corev1.ResourceMemory, "memory.available"},
		{corev1.ResourceEphemeralStorage, "nodefs.available"},
	} {
		left := list[one.name]
		total := left.DeepCopy()
		for _, reserved := range []string{kube[string(one.name)], system[string(one.name)], eviction[one.eviction]} {
			left.Sub(amount(reserved, total))
		}
		if left.Sign() < 0 { // as a kubelet does
			left.Set(0)
		}
		list[one.name] = left
	}
	return list
}

// kubeReserved is nodeadm's: 255 MiB and 11 MiB a pod, 1 GiB of disk, and of CPU 6 % of the first core, 1 % of the
// second, 0.5 % of the next two and 0.25 % of the others.
func (s size) kubeReserved() map[string]string {
	if s.reservesNothing {
		return nil
	}
	hundredthMilli := int64(0)
	for core := range s.cpus {
		switch {
		case core == 0:
			hundredthMilli += 6000
		case core == 1:
			hundredthMilli += 1000
		case core < 4:
			hundredthMilli += 500
		default:
			hundredthMilli += 250
		}
	}
	return map[string]string{
		"cpu": fmt.Sprintf("%dm", hundredthMilli/100), "memory": fmt.Sprintf("%dMi", 255+11*s.addresses), "ephemeral-storage": "1Gi",
	}
}

// amount is a quantity, or a percentage of total; what is neither counts as none, as a kubelet would not start with it.
func amount(text string, total resource.Quantity) resource.Quantity {
	var percent float32
	if n, _ := fmt.Sscanf(text, "%f%%", &percent); n == 1 && text[len(text)-1] == '%' {
		// a kubelet computes with float32, too
		return *resource.NewQuantity(int64(float64(total.Value())*float64(percent/100)), resource.BinarySI)
	}
	quantity, err := resource.ParseQuantity(text)
	if err != nil {
		return resource.Quantity{}
	}
	return quantity
}
