package image

import (
	"strings"

	"tripod/internal/version"
	"tripod/nodes/boot"
)

// Accounts of Amazon's that own images. DescribeImages shows all of them as the owner "amazon".
const (
	eksAccount          = "602401143452"
	bottlerocketAccount = "092701018921"
	windowsAccount      = "801119661308"
	linuxAccount        = "137112412989"
)

// release of images.
type release struct {
	version string // 20260301
	date    string // 20260301
	latest  bool
}

var (
	releases = []release{{PreviousDate, PreviousDate, false}, {ReleaseDate, ReleaseDate, true}}

	bottlerocketReleases = []release{
		{PreviousBottlerocket, PreviousDate, false}, {BottlerocketRelease, ReleaseDate, true},
	}
)

const rootDevice = "/dev/xvda"

// made fills what is alike in all images.
func made(i Image, r release, gib ...int) Image {
	i.ID, i.Latest, i.Created, i.RootDevice = idOf("ami", i.Name), r.latest, created(r.date), rootDevice
	for n, size := range gib {
		device := rootDevice[:len(rootDevice)-1] + string(rune('a'+n))
		i.Volumes = append(i.Volumes, Volume{device, idOf("snap", i.Name+device), "gp3", size})
	}
	return i
}

// al2023 are the images with Amazon Linux 2023 and nodeadm.
func al2023(k version.Kubernetes) (all []Image) {
	for _, kind := range []struct{ architecture, variant, amiType string }{
		{X86, "standard", "AL2023_x86_64_STANDARD"}, {ARM, "standard", "AL2023_ARM_64_STANDARD"},
		{X86, "nvidia", "AL2023_x86_64_NVIDIA"}, {ARM, "nvidia", "AL2023_ARM_64_NVIDIA"},
		{X86, "neuron", "AL2023_x86_64_NEURON"},
	} {
		for _, r := range releases {
			name := "amazon-eks-node-al2023-" + kind.architecture + "-" + kind.variant + "-" + k.Minor + "-v" + r.version
			folder := "/aws/service/eks/optimized-ami/" + k.Minor + "/amazon-linux-2023/" + kind.architecture + "/" + kind.variant + "/"
			all = append(all, made(Image{
				Name: name, Description: "EKS-optimized Kubernetes node based on Amazon Linux 2023, (k8s: " + k.Node +
					", containerd: 2.1.*)",
				Family: boot.AL2023, AMIType: kind.amiType, Kubernetes: k.Minor, Kubelet: k.Node, Release: k.Node + "-" + r.version,
				Architecture: kind.architecture, Owner: eksAccount,
				parameters: recommended(folder, name, r),
			}, r, 20))
		}
	}
	return all
}

// recommended are the paths of an image of EKS's: by its name, and as the recommended one.
func recommended(folder, name string, r release) []string {
	if r.latest {
		return []string{folder + name, folder + "recommended"}
	}
	return []string{folder + name}
}

// bottlerocket are the images of Bottlerocket: the operating system on one volume, its data on another.
func bottlerocket(k version.Kubernetes) (all []Image) {
	for _, kind := range []struct{ architecture, flavor, amiType string }{
		{X86, "", "BOTTLEROCKET_x86_64"}, {ARM, "", "BOTTLEROCKET_ARM_64"},
		{X86, "-nvidia", "BOTTLEROCKET_x86_64_NVIDIA"}, {ARM, "-nvidia", "BOTTLEROCKET_ARM_64_NVIDIA"},
		{X86, "-fips", "BOTTLEROCKET_x86_64_FIPS"}, {ARM, "-fips", "BOTTLEROCKET_ARM_64_FIPS"},
		{X86, "-nvidia-fips", "BOTTLEROCKET_x86_64_NVIDIA_FIPS"}, {ARM, "-nvidia-fips", "BOTTLEROCKET_ARM_64_NVIDIA_FIPS"},
	} {
		for _, r := range bottlerocketReleases {
			variant := "aws-k8s-" + k.Minor + kind.flavor
			name := "bottlerocket-" + variant + "-" + kind.architecture + "-v" + r.version
			folder := "/aws/service/bottlerocket/" + variant + "/" + kind.architecture + "/"
			number, _, _ := strings.Cut(r.version, "-")
			paths := []string{folder + number}
			if r.latest {
				paths = append(paths, folder+"latest")
			}
			all = append(all, made(Image{
				Name: name, Description: name, Family: boot.Bottlerocket, AMIType: kind.amiType, Kubernetes: k.Minor, Kubelet: k.Node,
				Release: r.version, Architecture: kind.architecture, Owner: bottlerocketAccount, parameters: paths,
			}, r, 2, 20))
		}
	}
	return all
}

// windows are the images of Windows Server.
func windows(k version.Kubernetes) (all []Image) {
	for _, year := range []string{"2019", "2022", "2025"} {
		for _, kind := range []string{"Core", "Full"} {
			for _, r := range releases {
				date := r.date[:4] + "." + r.date[4:6] + "." + r.date[6:]
				base := "Windows_Server-" + year + "-English-" + kind + "-EKS_Optimized-" + k.Minor
				i := made(Image{
					Name: base + "-" + date, Description: "Microsoft Windows Server " + year + " " + kind + " Locale English with EKS optimized " +
						k.Minor + " AMI provided by Amazon",
					Family: boot.Windows, AMIType: "WINDOWS_" + strings.ToUpper(kind) + "_" + year + "_x86_64", Kubernetes: k.Minor,
					Kubelet: k.Node, Release: k.Minor + "-" + date, Architecture: X86, Owner: windowsAccount,
				}, r)
				i.RootDevice = "/dev/sda1"
				i.Volumes = []Volume{{i.RootDevice, idOf("snap", i.Name), "gp2", 50}}
				if r.latest {
					i.parameters = []string{"/aws/service/ami-windows-latest/" + base}
				}
				all = append(all, i)
			}
		}
	}
	return all
}

// al2 are the last images with Amazon Linux 2 and bootstrap.sh: EKS publishes none since Kubernetes 1.33.
func al2() (all []Image) {
	const minor, kubelet = "1.32", "1.32.9"
	r := release{"20251112", "20251112", true}
	for _, kind := range []struct{ name, folder, architecture, amiType string }{
		{"amazon-eks-node-", "amazon-linux-2", X86, "AL2_x86_64"},
		{"amazon-eks-gpu-node-", "amazon-linux-2-gpu", X86, "AL2_x86_64_GPU"},
		{"amazon-eks-arm64-node-", "amazon-linux-2-arm64", ARM, "AL2_ARM_64"},
	} {
		name := kind.name + minor + "-v" + r.version
		folder := "/aws/service/eks/optimized-ami/" + minor + "/" + kind.folder + "/"
		all = append(all, made(Image{
			Name: name, Description: "EKS Kubernetes Worker AMI with AmazonLinux2 image, (k8s: " + kubelet + ", containerd: 1.7.*)",
			Family: boot.AL2, AMIType: kind.amiType, Kubernetes: minor, Kubelet: kubelet, Release: kubelet + "-" + r.version,
			Architecture: kind.architecture, Owner: eksAccount, parameters: recommended(folder, name, r),
		}, r, 20))
	}
	return all
}

// amazonLinux are images with nothing of Kubernetes, as people take them for bastions and build machines.
func amazonLinux() (all []Image) {
	r := releases[len(releases)-1]
	for _, architecture := range []string{X86, ARM} {
		all = append(all, made(Image{
			Name: "al2023-ami-2023.10." + r.version + ".0-kernel-6.1-" + architecture, Architecture: architecture, Owner: linuxAccount,
			Description: "Amazon Linux 2023 AMI 2023.10." + r.version + ".0 " + architecture + " HVM kernel-6.1",
			parameters: []string{
				"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-" + architecture,
				"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-6.1-" + architecture,
			},
		}, r, 8))
	}
	return all
}
