package image

import (
	"slices"
	"testing"

	"tripod/internal/version"
	"tripod/nodes/boot"
	"tripod/nodes/machine"
)

func TestEveryVersionHasItsImages(t *testing.T) {
	ids, names := map[string]bool{}, map[string]bool{}
	for _, i := range All() {
		if ids[i.ID] || names[i.Name] {
			t.Errorf("%s %s is there twice", i.ID, i.Name)
		}
		ids[i.ID], names[i.Name] = true, true
	}
	for _, k := range version.KubernetesVersions {
		for _, amiType := range []string{"AL2023_x86_64_STANDARD", "AL2023_ARM_64_NVIDIA", "BOTTLEROCKET_ARM_64",
			"WINDOWS_FULL_2025_x86_64"} {
			latest, found := Of(amiType, k.Minor, "")
			if !found || !latest.Latest {
				t.Errorf("there is no newest %s for %s", amiType, k.Minor)
			}
			if again, _ := Of(amiType, k.Minor, latest.Release); again.ID != latest.ID {
				t.Errorf("release %s of %s leads to %s, want %s", latest.Release, amiType, again.ID, latest.ID)
			}
		}
	}
	i, _ := Of("AL2023_x86_64_STANDARD", "1.36", "")
	if want := "amazon-eks-node-al2023-x86_64-standard-1.36-v" + ReleaseDate; i.Name != want {
		t.Errorf("the image is called %s, want %s", i.Name, want)
	}
	if family, kubernetes, architecture := FamilyOf(i.ID); family != boot.AL2023 || kubernetes != "1.36" || architecture != X86 {
		t.Errorf("FamilyOf = %s %s %s", family, kubernetes, architecture)
	}
	if family, _, _ := FamilyOf("ami-00000000000000000"); family != "" {
		t.Errorf("an unknown image is of family %s", family)
	}
}

func TestParametersLeadToImages(t *testing.T) {
	for _, name := range []string{
		"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id",
		"/aws/service/eks/optimized-ami/1.35/amazon-linux-2023/arm64/nvidia/amazon-eks-node-al2023-arm64-nvidia-1.35-v" +
			PreviousDate + "/image_id",
		"/aws/service/eks/optimized-ami/1.32/amazon-linux-2-gpu/recommended/image_id",
		"/aws/service/bottlerocket/aws-k8s-1.37-nvidia/arm64/latest/image_id",
		"/aws/service/bottlerocket/aws-k8s-1.37/x86_64/1.54.0/image_id",
		"/aws/service/ami-windows-latest/Windows_Server-2022-English-Core-EKS_Optimized-1.34/image_id",
		"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
	} {
		at := slices.IndexFunc(Parameters(), func(p Parameter) bool { return p.Name == name })
		if at < 0 {
			t.Errorf("there is no parameter %s", name)
			continue
		}
		if _, found := Find(Parameters()[at].Value); !found {
			t.Errorf("%s leads to %s, which is not there", name, Parameters()[at].Value)
		}
	}
}

func TestANodeTellsOfItsImage(t *testing.T) {
	for amiType, want := range map[string]machine.System{
		"AL2023_ARM_64_STANDARD": {OSImage: "Amazon Linux 2023.9.20251117", Kernel: "6.12.55-74.119.amzn2023.aarch64",
			Runtime: "containerd://2.1.5"},
		"BOTTLEROCKET_x86_64_NVIDIA": {OSImage: "Bottlerocket OS 1.55.0 (aws-k8s-1.36-nvidia)", Kernel: "6.12.63",
			Runtime: "containerd://2.1.5+bottlerocket"},
	} {
		i, found := Of(amiType, "1.36", "")
		if got := SystemOf(i.ID); !found || got != want {
			t.Errorf("%s: got %+v, want %+v", amiType, got, want)
		}
	}
	if got := SystemOf("ami-0123456789abcdef0"); got.Kernel != "6.12.55-74.119.amzn2023.x86_64" {
		t.Errorf("an image of nobody's knowledge: got %+v", got)
	}
}
