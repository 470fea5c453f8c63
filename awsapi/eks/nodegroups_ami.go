package eks

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/internal/version"
)

// The AMIs of node groups. There are no images here: their release versions are of the shape that EKS has, one for each
// Kubernetes version, so that what is recorded looks as it does in AWS.
const (
	releaseDate         = "20260301"
	bottlerocketRelease = "1.55.0-2f6c3a4b"
)

// releaseOf is the release version of an AMI type for a Kubernetes version.
func releaseOf(ami types.AMITypes, minor string) string {
	if strings.HasPrefix(string(ami), "BOTTLEROCKET_") {
		return bottlerocketRelease
	}
	known, _ := version.FindKubernetes(minor)
	patch := cmp.Or(known.Node, minor+".0")
	if strings.HasPrefix(string(ami), "WINDOWS_") {
		return minor + "-2026.03.01"
	}
	return patch + "-" + releaseDate
}

// isARM says whether an instance type has an ARM processor.
func isARM(instanceType string) bool { return armFamily.MatchString(instanceType) }

// isGPU says whether an instance type has NVIDIA GPUs.
func isGPU(instanceType string) bool {
	family, _, _ := strings.Cut(instanceType, ".")
	return slices.ContainsFunc([]string{"g3", "g4dn", "g5", "g6", "gr6", "p2", "p3", "p4", "p5", "p6"},
		func(prefix string) bool {
			return strings.HasPrefix(family, prefix)
		})
}

// defaultAMI is the AMI type that EKS chooses for instance types: Amazon Linux 2023 of their architecture.
func defaultAMI(instanceTypes []string) types.AMITypes {
	switch {
	case len(instanceTypes) == 0:
		return types.AMITypesAl2023X8664Standard
	case isARM(instanceTypes[0]) && isGPU(instanceTypes[0]):
		return types.AMITypesAl2023Arm64Nvidia
	case isARM(instanceTypes[0]):
		return types.AMITypesAl2023Arm64Standard
	case isGPU(instanceTypes[0]):
		return types.AMITypesAl2023X8664Nvidia
	case strings.HasPrefix(instanceTypes[0], "inf"), strings.HasPrefix(instanceTypes[0], "trn"):
		return types.AMITypesAl2023X8664Neuron
	}
	return types.AMITypesAl2023X8664Standard
}

// defaultDisk is the size of the root disk in GiB.
func defaultDisk(ami types.AMITypes) int32 {
	if strings.HasPrefix(string(ami), "WINDOWS_") {
		return 50
	}
	return 20
}
