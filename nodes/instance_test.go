package nodes

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/boot"
)

func TestInstancesHaveWhatEKSLeavesThem(t *testing.T) {
	for _, test := range []struct {
		instanceType               string
		name                       corev1.ResourceName
		wantCapacity, wantAllocate string
	}{
		{"m5.large", corev1.ResourceCPU, "2", "1930m"},
		{"m5.large", corev1.ResourceMemory, "7910184Ki", "7220008Ki"},
		{"m5.large", corev1.ResourceEphemeralStorage, "20893676Ki", "18181869946"},
		{"m5.large", corev1.ResourcePods, "29", "29"},
		{"m5.4xlarge", corev1.ResourceCPU, "16", "15890m"},
		{"of.nobody", corev1.ResourceMemory, "7910184Ki", "7220008Ki"},
		{"g5.12xlarge", "nvidia.com/gpu", "4", "4"},
		{"inf2.24xlarge", "aws.amazon.com/neuroncore", "12", "12"},
	} {
		s := sizeOf(test.instanceType)
		capacity, allocatable := s.capacity()[test.name], s.allocatable(boot.Config{})[test.name]
		if capacity.String() != test.wantCapacity || allocatable.String() != test.wantAllocate {
			t.Errorf("%s has %s of %s, %s allocatable, want %s and %s", test.instanceType, capacity.String(), test.name,
				allocatable.String(), test.wantCapacity, test.wantAllocate)
		}
	}
}

func TestUserDataChangeWhatIsReserved(t *testing.T) {
	s := sizeOf("m5.large")
	got := s.allocatable(boot.Config{
		KubeReserved:   boot.Override{Values: map[string]string{"memory": "500Mi"}},
		SystemReserved: boot.Override{Values: map[string]string{"cpu": "100m"}, Whole: true},
		EvictionHard:   boot.Override{Values: map[string]string{"memory.available": "5%"}, Whole: true},
	})
	// 7910184Ki - 512000Ki - 5 % of it; the disk keeps no tenth, only what is reserved
	for name, want := range map[corev1.ResourceName]string{
		corev1.ResourceCPU: "1830m", corev1.ResourceMemory: "7170738990", corev1.ResourceEphemeralStorage: "19845100Ki",
	} {
		if q := got[name]; q.String() != want {
			t.Errorf("allocatable %s is %s, want %s", name, q.String(), want)
		}
	}
}
