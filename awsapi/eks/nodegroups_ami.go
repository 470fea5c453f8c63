package eks

import (
	"cmp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/internal/version"
	"tripod/nodes/image"
)

// releaseOf is the release version of the newest image of an AMI type for a Kubernetes version. One of a version that has
// no images is of the shape that EKS has.
func releaseOf(ami types.AMITypes, minor string) string {
	if found, is := image.Of(string(ami), minor, ""); is {
		return found.Release
	}
	known, _ := version.FindKubernetes(minor)
	return cmp.Or(known.Node, minor+".0") + "-" + image.ReleaseDate
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
