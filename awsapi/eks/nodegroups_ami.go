package eks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks/types"

	"tripod/internal/instancetypes"
	"tripod/nodes/image"
	"tripod/region"
)

// releaseOf is a release version of an AMI type for a Kubernetes version: that which is asked for, or the newest one. The
// error says that there is none.
func releaseOf(a about, ami types.AMITypes, minor, asked string) (string, error) {
	found, there := image.Of(string(ami), minor, asked)
	_, known := image.Of(string(ami), minor, "")
	switch {
	case there:
		return found.Release, nil
	case known:
		return "", a.invalidParameter("Requested release version %s is not valid for kubernetes version %s.", quote(asked),
			minor)
	case strings.HasPrefix(string(ami), "AL2_"):
		return "", a.invalidParameter("AMI Type %s is only supported for kubernetes versions 1.32 or earlier", ami)
	}
	return "", a.invalidParameter("AMI Type %s is not supported for kubernetes version %s", ami, minor)
}

// imageOf is the AMI of a node group's version and release.
func imageOf(g region.Nodegroup) string {
	i, _ := image.Of(string(g.AmiType), aws.ToString(g.Version), aws.ToString(g.ReleaseVersion))
	return i.ID
}

// isARM says whether an instance type has an ARM processor. Those that the catalogue lacks have none.
func isARM(instanceType string) bool {
	t, _ := instancetypes.Find(instanceType)
	return slices.Contains(t.Architectures, image.ARM)
}

// The families of types with NVIDIA GPUs and with Neuron devices, for types that the catalogue lacks: p3, trn2.
var (
	gpuFamily    = regexp.MustCompile(`^(g|gr|p)[0-9]`)
	neuronFamily = regexp.MustCompile(`^(inf|trn)[0-9]`)
)

// isGPU says whether an instance type has NVIDIA GPUs.
func isGPU(instanceType string) bool {
	t, found := instancetypes.Find(instanceType)
	if !found {
		return gpuFamily.MatchString(instanceType)
	}
	return slices.ContainsFunc(t.Of(instancetypes.GPU),
		func(d instancetypes.Device) bool { return d.Manufacturer == "NVIDIA" })
}

// isNeuron says whether an instance type has AWS's Inferentia or Trainium devices.
func isNeuron(instanceType string) bool {
	t, found := instancetypes.Find(instanceType)
	if !found {
		return neuronFamily.MatchString(instanceType)
	}
	return len(t.Of(instancetypes.Neuron)) > 0
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
	case isNeuron(instanceTypes[0]):
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
