package image

import (
	"strings"

	"tripod/nodes/boot"
	"tripod/nodes/machine"
)

// SystemOf is what a node of an image tells of its operating system. Images that are not in the catalogue boot as Amazon
// Linux 2023, and tell of it.
func SystemOf(id string) machine.System {
	image, _ := Find(id)
	processor := "x86_64"
	if image.Architecture == ARM {
		processor = "aarch64"
	}
	switch image.Family {
	case boot.Bottlerocket:
		number, _, _ := strings.Cut(image.Release, "-")
		variant, _, _ := strings.Cut(strings.TrimPrefix(image.Name, "bottlerocket-"), "-"+image.Architecture)
		return machine.System{OSImage: "Bottlerocket OS " + number + " (" + variant + ")", Kernel: "6.12.63",
			Runtime: "containerd://2.1.5+bottlerocket"}
	case boot.AL2:
		return machine.System{OSImage: "Amazon Linux 2", Kernel: "5.10.245-243.979.amzn2." + processor, Runtime: "containerd://1.7.29"}
	}
	return machine.System{OSImage: "Amazon Linux 2023.9.20251117", Kernel: "6.12.55-74.119.amzn2023." + processor,
		Runtime: "containerd://2.1.5"}
}

// Fargate is what its machines tell.
var Fargate = machine.System{OSImage: "Amazon Linux 2", Kernel: "5.10.245-241.976.amzn2.x86_64", Runtime: "containerd://1.7.27"}
