package fargate

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// allowedCapabilities are those that a container may add: containerd's own, and none that is more.
var allowedCapabilities = []corev1.Capability{"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
	"NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}

// fileSystems is the only CSI driver whose volumes pods on Fargate may have.
const fileSystems = "efs.csi.aws.com"

// Claims finds a pod's claim and, where it is bound, its volume. The error is the cluster's, that there is none.
type Claims func(namespace, name string) (*corev1.PersistentVolumeClaim, *corev1.PersistentVolume, error)

// Refusal is why Fargate does not take a pod, as the event of its scheduler says it; empty: it takes it.
func Refusal(pod *corev1.Pod, claims Claims) string {
	var reasons []string
	add := func(prefix, separator string, all []string) {
		if len(all) > 0 {
			reasons = append(reasons, prefix+strings.Join(all, separator))
		}
	}
	add("fields not supported: ", ", ", hostFields(pod))
	add("invalid SecurityContext fields: ", ",", securityFields(pod))
	add("volumes not supported: ", ", ", volumes(pod, claims))
	for c := range containersOf(pod) {
		if len(c.VolumeDevices) > 0 {
			reasons = append(reasons, "volumeDevices not supported")
			break
		}
	}
	if hasHostPort(pod) {
		reasons = append(reasons, "port contains HostIP or HostPort")
	}
	if len(reasons) > 0 {
		return "Pod not supported on Fargate: " + strings.Join(reasons, ", ")
	}
	if _, fits := SizeOf(pod); !fits {
		return "Your pod's cpu/memory requirements exceed the max Fargate configuration"
	}
	return ""
}

func containersOf(pod *corev1.Pod) func(func(*corev1.Container) bool) {
	return func(yield func(*corev1.Container) bool) {
		for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
			for i := range list {
				if !yield(&list[i]) {
					return
				}
			}
		}
	}
}

func hostFields(pod *corev1.Pod) (fields []string) {
	for _, one := range []struct {
		name string
		set  bool
	}{{"HostNetwork", pod.Spec.HostNetwork}, {"HostPID", pod.Spec.HostPID}, {"HostIPC", pod.Spec.HostIPC}} {
		if one.set {
			fields = append(fields, one.name)
		}
	}
	return fields
}

// securityFields has an entry for each container with something that it may not have.
func securityFields(pod *corev1.Pod) (all []string) {
	for c := range containersOf(pod) {
		own := c.SecurityContext
		if own == nil {
			continue
		}
		var fields, added []string
		if own.Capabilities != nil {
			for _, capability := range own.Capabilities.Add {
				if !slices.Contains(allowedCapabilities, capability) {
					added = append(added, string(capability))
				}
			}
		}
		if len(added) > 0 {
			fields = append(fields, "Capabilities added: "+strings.Join(added, ", "))
		}
		if own.AllowPrivilegeEscalation != nil && *own.AllowPrivilegeEscalation {
			fields = append(fields, "AllowPrivilegeEscalation")
		}
		if own.Privileged != nil && *own.Privileged {
			fields = append(fields, "Privileged")
		}
		if len(fields) > 0 {
			all = append(all, strings.Join(fields, ", "))
		}
	}
	return all
}

func volumes(pod *corev1.Pod, claims Claims) (wrong []string) {
	for _, v := range pod.Spec.Volumes {
		switch {
		case v.PersistentVolumeClaim != nil:
			if why := claimRefused(pod.Namespace, v.PersistentVolumeClaim.ClaimName, claims); why != "" {
				wrong = append(wrong, v.Name+" not supported because: "+why)
			}
		case v.EmptyDir == nil && v.Secret == nil && v.ConfigMap == nil && v.Projected == nil && v.DownwardAPI == nil &&
			v.NFS == nil:
			wrong = append(wrong, v.Name+" is of an unsupported volume Type")
		}
	}
	return wrong
}

// claimRefused is why the volume of a claim is none for Fargate, which has file systems of EFS alone.
func claimRefused(namespace, name string, claims Claims) string {
	claim, volume, err := claims(namespace, name)
	switch {
	case err != nil:
		return err.Error()
	case claim.Status.Phase != corev1.ClaimBound || volume == nil:
		return fmt.Sprintf("PVC %s not bound", name)
	case volume.Spec.CSI == nil:
		return fmt.Sprintf("PVC %s bound to invalid PV %s with nil CSI spec", name, volume.Name)
	case volume.Spec.CSI.Driver != fileSystems:
		return fmt.Sprintf("PVC %s bound to invalid PV %s with CSI Driver: %s", name, volume.Name, volume.Spec.CSI.Driver)
	}
	return ""
}

func hasHostPort(pod *corev1.Pod) bool {
	for c := range containersOf(pod) {
		if slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.HostPort > 0 || p.HostIP != "" }) {
			return true
		}
	}
	return false
}
