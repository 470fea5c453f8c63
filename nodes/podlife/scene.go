package podlife

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/machine"
	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

// runID is one run of a container.
type runID struct {
	container string
	restarts  int32
}

// remembered is how many runs before the present one are gone through for the files that they left.
const remembered = 3

// program is what a container's present run does, or, before its start, its next one. It is read once per call.
func (l *life) program(c *corev1.Container) Program {
	id := runID{c.Name, l.run(c.Name)}
	if p, known := l.programs[id]; known {
		return p
	}
	left := map[string]bool{} // of earlier runs, in the pod's own volumes
	var p Program
	for n := max(0, id.restarts-remembered); n <= id.restarts; n++ {
		p = read(podcmd.Argv(c.Image, c.Command, c.Args), l.scene(c, runID{c.Name, n}, left))
		if !p.Known || !p.touches() {
			p = read(podcmd.Argv(c.Image, c.Command, c.Args), l.scene(c, id, left))
			break
		}
		for _, change := range p.files {
			if v, _ := l.volumeAt(c, change.path); v != nil && v.EmptyDir != nil {
				left[change.path] = change.there
			}
		}
	}
	if l.programs == nil {
		l.programs = map[runID]Program{}
	}
	l.programs[id] = p
	return p
}

// run is the number of a container's present run, or of its next one.
func (l *life) run(container string) int32 {
	for _, list := range [][]corev1.ContainerStatus{l.st.ContainerStatuses, l.st.InitContainerStatuses, l.st.EphemeralContainerStatuses} {
		if cs := statusOf(list, container); cs != nil {
			return cs.RestartCount
		}
	}
	return 0
}

// maker names a run among all of the node.
func (l *life) maker(id runID) string {
	return fmt.Sprintf("%s/%s/%d", l.pod.UID, id.container, id.restarts)
}

func (l *life) scene(c *corev1.Container, id runID, left map[string]bool) scene {
	return scene{
		vars: l.variables(c), log: terminationLog(c), seed: machine.Hash(l.maker(id)),
		exists: func(file string) (there, known bool) {
			v, below := l.volumeAt(c, file)
			switch {
			case v == nil:
				made := slices.Contains([]string{"/etc/hosts", "/etc/hostname", "/etc/resolv.conf"}, file) // by every kubelet
				return made, made || fresh(file)
			case v.EmptyDir != nil && below == "", v.HostPath != nil && below == "":
				return true, true
			case v.EmptyDir != nil:
				return left[file], true
			case v.HostPath != nil:
				if l.HostFile == nil {
					return false, true
				}
				maker, there := l.HostFile(path.Join(v.HostPath.Path, below))
				return there && maker != l.maker(id), true
			}
			return l.made(v, strings.TrimPrefix(below, "..data/"))
		},
	}
}

// fresh says that a file is in a directory that is empty in every image.
func fresh(file string) bool {
	return slices.ContainsFunc([]string{"/tmp/", "/var/tmp/", "/run/", "/var/run/", "/dev/shm/"}, func(dir string) bool {
		return strings.HasPrefix(file, dir)
	})
}

// volumeAt is the volume that a file of a container is in, and the file's path in it.
func (l *life) volumeAt(c *corev1.Container, file string) (v *corev1.Volume, below string) {
	longest := -1
	for i := range c.VolumeMounts {
		mount := &c.VolumeMounts[i]
		rest, inside := strings.CutPrefix(file+"/", strings.TrimSuffix(mount.MountPath, "/")+"/")
		if !inside || len(mount.MountPath) <= longest {
			continue
		}
		for j := range l.pod.Spec.Volumes {
			if l.pod.Spec.Volumes[j].Name == mount.Name {
				longest, v = len(mount.MountPath), &l.pod.Spec.Volumes[j]
				below = strings.TrimPrefix(path.Join("/", mount.SubPath, rest), "/")
			}
		}
	}
	return v, below
}

// leave notes the files of the node that a run has made or removed until so long after its start.
func (l *life) leave(c *corev1.Container, until time.Duration) {
	for _, change := range l.program(c).files {
		if v, below := l.volumeAt(c, change.path); v != nil && v.HostPath != nil && change.at <= until {
			l.out.HostFiles = append(l.out.HostFiles, HostFile{Path: path.Join(v.HostPath.Path, below),
				Maker: l.maker(runID{c.Name, l.run(c.Name)}), There: change.there})
		}
	}
}

// variables are a container's, as far as they are plain or the pod's own fields.
func (l *life) variables(c *corev1.Container) map[string]string {
	vars := plain(c.Env)
	for _, e := range c.Env {
		if e.ValueFrom == nil || e.ValueFrom.FieldRef == nil {
			continue
		}
		if value, err := podset.Field(l.pod, l.st, e.ValueFrom.FieldRef.FieldPath); err == nil {
			vars[e.Name] = value
		}
	}
	return vars
}
