package nodes

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"tripod/nodes/machine"
)

// size of an EC2 instance type as its kubelet sees it.
type size struct {
	cpus      int64
	memoryKiB int64 // what Linux leaves of the instance's memory
	pods      int64 // ENIs × (IPv4 addresses per ENI − 1) + 2
}

// sizes of the instance types that people name most; pods are from amazon-eks-ami's eni-max-pods.txt.
var sizes = map[string]size{
	"t3.small":   {2, 1_928_596, 11},
	"t3.medium":  {2, 3_943_352, 17},
	"t3.large":   {2, 8_014_284, 35},
	"t3.xlarge":  {4, 16_185_000, 58},
	"m5.large":   {2, 7_910_184, 29},
	"m5.xlarge":  {4, 15_896_988, 58},
	"m5.2xlarge": {8, 31_871_120, 58},
	"m5.4xlarge": {16, 63_818_900, 234},
	"m6i.large":  {2, 7_871_048, 29},
	"m6i.xlarge": {4, 15_855_132, 58},
	"m7i.large":  {2, 7_871_048, 29},
	"c5.large":   {2, 3_768_692, 29},
	"c5.xlarge":  {4, 7_862_028, 58},
	"c6i.large":  {2, 3_862_760, 29},
	"r5.large":   {2, 15_892_892, 29},
	"r5.xlarge":  {4, 32_034_000, 58},
}

// ephemeral storage of EKS's default 20 GiB root volume, as a kubelet reports it.
const (
	storageCapacityKiB    = 20_893_676
	storageAllocatableByt = 18_181_869_946
)

// sizeOf answers m5.large's size for a type it does not know.
func sizeOf(instanceType string) size {
	if s, ok := sizes[instanceType]; ok {
		return s
	}
	return sizes[machine.DefaultType]
}

// capacity of an instance.
func (s size) capacity() corev1.ResourceList {
	return corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(s.cpus, resource.DecimalSI),
		corev1.ResourceMemory:           resource.MustParse(fmt.Sprintf("%dKi", s.memoryKiB)),
		corev1.ResourceEphemeralStorage: resource.MustParse(fmt.Sprintf("%dKi", storageCapacityKiB)),
		corev1.ResourcePods:             *resource.NewQuantity(s.pods, resource.DecimalSI),
		"hugepages-1Gi":                 *resource.NewQuantity(0, resource.DecimalSI),
		"hugepages-2Mi":                 *resource.NewQuantity(0, resource.DecimalSI),
	}
}

// allocatable is capacity less what amazon-eks-ami's nodeadm reserves: 255 MiB and 11 MiB a pod, 100 MiB for
// eviction, and of CPU 6 % of the first core, 1 % of the second, 0.5 % of the next two and 0.25 % of the others.
func (s size) allocatable() corev1.ResourceList {
	list := s.capacity()
	reservedKiB := (255 + 11*s.pods + 100) * 1024
	list[corev1.ResourceMemory] = resource.MustParse(fmt.Sprintf("%dKi", s.memoryKiB-reservedKiB))
	list[corev1.ResourceEphemeralStorage] = *resource.NewQuantity(storageAllocatableByt, resource.DecimalSI)
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
	list[corev1.ResourceCPU] = *resource.NewMilliQuantity(s.cpus*1000-hundredthMilli/100, resource.DecimalSI)
	return list
}
