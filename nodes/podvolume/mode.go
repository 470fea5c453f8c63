package podvolume

import (
	"io/fs"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// defaultMode is what files have where nothing is said (ConfigMapVolumeSourceDefaultMode and its like).
const defaultMode fs.FileMode = 0o644

// groupReads is what a kubelet adds to the mode of files that it makes, when the pod has a group for its volumes
// (pkg/volume/volume_linux.go).
const groupReads fs.FileMode = 0o440

func (m *maker) setMode(mode *int32) {
	if mode != nil {
		m.mode = fs.FileMode(*mode)
	}
}

// owner is whose the files of a pod's volumes are.
type owner struct {
	user    *int64 // the one that all of the pod's containers run as; nil: there is none such
	fsGroup *int64
}

// ownerOf is as the kubelet's FsUserFrom has it.
func ownerOf(pod *corev1.Pod) owner {
	var o owner
	var common *int64
	if pod.Spec.SecurityContext != nil {
		o.fsGroup, common = pod.Spec.SecurityContext.FSGroup, pod.Spec.SecurityContext.RunAsUser
	}
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		user := common
		if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
			user = c.SecurityContext.RunAsUser
		}
		if user == nil || o.user != nil && *o.user != *user {
			o.user = nil
			return o
		}
		o.user = user
	}
	return o
}

// group gives a file to the group of the pod's volumes, if there is one.
func (o owner) group(f File) File {
	if o.fsGroup != nil {
		f.GID = *o.fsGroup
		f.Mode |= groupReads
	}
	return f
}

// InMemory says that a kubelet makes a volume in a tmpfs, and not on the node's disk.
func InMemory(volume *corev1.Volume) bool {
	return volume.Secret != nil || volume.Projected != nil || volume.DownwardAPI != nil ||
		volume.EmptyDir != nil && volume.EmptyDir.Medium == corev1.StorageMediumMemory
}

// Find is the file at a path of a volume, or the directory; "" is the volume's own.
func (c Content) Find(pod *corev1.Pod, volume *corev1.Volume, name string) (File, bool) {
	name = strings.TrimPrefix(name+"/", "..data/") // where a kubelet's volumes have their files
	name = strings.Trim(name, "/")
	if file, found := c[name]; found {
		return file, true
	}
	dir := File{Mode: fs.ModeDir | 0o755}
	switch {
	case name == "":
		dir.Mode = fs.ModeDir | fs.ModePerm
		if InMemory(volume) {
			dir.Mode |= fs.ModeSticky
		}
	case !c.hasBelow(name):
		return File{}, false
	}
	if group := ownerOf(pod).fsGroup; group != nil {
		dir.GID = *group
		dir.Mode |= fs.ModeSetgid | groupReads | 0o110
	}
	return dir, true
}

func (c Content) hasBelow(dir string) bool {
	for name := range c {
		if strings.HasPrefix(name, dir+"/") {
			return true
		}
	}
	return false
}
