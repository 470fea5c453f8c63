package podexec

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"tripod/internal/datadir"
	"tripod/internal/pki"
	"tripod/nodes/efsvolume"
)

// laid is a directory that the command sees at a path.
type laid struct {
	From, To string
	ReadOnly bool
}

// volumesFile has them, for Enter.
func volumesFile(dir string) string { return filepath.Join(dir, "volumes.json") }

// volumeVariable is the variable that says where on this machine a volume of the pod is.
func volumeVariable(name string) string {
	return "TRIPOD_VOLUME_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// openTo are the directories below which a volume may be laid. Elsewhere the pod's author would choose what this machine's
// programs find at paths of their own.
var openTo = []string{"/mnt", "/srv", "/var/lib", logDir}

// logDir is where collectors of logs find their node's, and where nothing looks for programs or settings.
const logDir = "/var/log"

// mayLie says whether a volume may be laid at a path. A node's logs hide this machine's from the command.
func mayLie(v *corev1.Volume, at string) bool {
	return free(at) || v.HostPath != nil && path.Clean(at) == logDir
}

// free says whether a volume may be laid at a path: nothing is there on this machine, and nothing of this machine looks
// there.
func free(at string) bool {
	at = path.Clean(at)
	if _, err := os.Lstat(at); !os.IsNotExist(err) {
		return false
	}
	for _, dir := range openTo {
		if strings.HasPrefix(at, dir+"/") {
			return true
		}
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(at, "/"), "/")
	_, err := os.Lstat("/" + first)
	return os.IsNotExist(err)
}

// layVolumes finds the directories of the container's volumes. The command has a variable for each, and on Linux sees it
// where the container does, if nothing of this machine is there.
func (p *pod) layVolumes(ctx context.Context) (env []string, err error) {
	var all []laid
	for _, mount := range p.container.VolumeMounts {
		i := slices.IndexFunc(p.object.Spec.Volumes, func(v corev1.Volume) bool { return v.Name == mount.Name })
		if i < 0 {
			continue
		}
		part, err := p.partOf(ctx, &p.object.Spec.Volumes[i], mount)
		if err != nil {
			return nil, fmt.Errorf("volume %s: %w", mount.Name, err)
		}
		if part == "" {
			continue // of a driver that has no directories here
		}
		env = append(env, volumeVariable(mount.Name)+"="+part)
		switch {
		case p.options.NoMounts:
		case mayLie(&p.object.Spec.Volumes[i], mount.MountPath):
			all = append(all, laid{part, path.Clean(mount.MountPath), mount.ReadOnly})
		default:
			fmt.Fprintf(p.options.Stderr, "volume %s is not laid over %s, which is this machine's own: the command finds it by %s\n",
				mount.Name, mount.MountPath, volumeVariable(mount.Name))
		}
	}
	if len(all) == 0 {
		return env, nil
	}
	text, err := json.Marshal(all)
	if err != nil {
		return nil, err
	}
	return env, pki.Write(volumesFile(p.dir), text)
}

// claimOf is the name of a volume's claim.
func claimOf(pod *corev1.Pod, v *corev1.Volume) (name string, isClaim bool) {
	switch {
	case v.PersistentVolumeClaim != nil:
		return v.PersistentVolumeClaim.ClaimName, true
	case v.Ephemeral != nil:
		return pod.Name + "-" + v.Name, true
	}
	return "", false
}

// partOf is the directory of that part of a volume which is mounted; empty: it has none.
func (p *pod) partOf(ctx context.Context, v *corev1.Volume, mount corev1.VolumeMount) (part string, err error) {
	dir, claim := "", ""
	switch claim, _ = claimOf(p.object, v); {
	case claim != "":
		dir, err = p.directoryOf(ctx, claim)
	case v.EmptyDir != nil:
		dir, err = p.emptyDir(ctx, v.Name)
	case v.HostPath != nil:
		dir, err = p.hostPath(ctx, v.HostPath)
	}
	if err != nil || dir == "" {
		return "", err
	}
	return within(dir, p.subPath(mount))
}

// within is a directory below another one, which is made where it is not there. Links do not lead out of that.
func within(dir, below string) (string, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer root.Close()
	below = efsvolume.Below("/", filepath.ToSlash(below))
	if err := root.MkdirAll(below, 0o700); err != nil {
		return "", err
	}
	return filepath.Join(dir, filepath.FromSlash(below)), nil
}

// subPath is the part of a volume that is mounted.
func (p *pod) subPath(mount corev1.VolumeMount) string {
	if mount.SubPathExpr != "" {
		return expansion.Expand(mount.SubPathExpr, expansion.MappingFuncFor(p.vars))
	}
	return mount.SubPath
}

// directoryOf is where the volume of a claim is; empty: it has no directory.
func (p *pod) directoryOf(ctx context.Context, claim string) (dir string, err error) {
	var volume *corev1.PersistentVolume
	err = again(ctx, func() error {
		c, err := p.client.CoreV1().PersistentVolumeClaims(p.object.Namespace).Get(ctx, claim, metav1.GetOptions{})
		if err != nil || c.Spec.VolumeName == "" {
			return err
		}
		volume, err = p.client.CoreV1().PersistentVolumes().Get(ctx, c.Spec.VolumeName, metav1.GetOptions{})
		return err
	})
	switch {
	case err != nil:
		return "", err
	case volume == nil:
		return "", fmt.Errorf("its claim %s is not bound yet", claim)
	}
	if volume.Spec.CSI != nil && volume.Spec.CSI.Driver == efsvolume.Driver {
		return p.fileSystem(ctx, volume.Spec.CSI.VolumeHandle)
	}
	volumeID, zone := handleOf(volume), zoneOf(volume)
	if !strings.HasPrefix(volumeID, "vol-") || strings.ContainsAny(volumeID, `/\.`) || zone == "" || strings.ContainsAny(zone, `/\.`) {
		return "", nil
	}
	dir = datadir.Volume(p.options.DataDir, zone, volumeID)
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%s of zone %s is not on this machine: %w", volumeID, zone, err)
	}
	return dir, nil
}

func handleOf(v *corev1.PersistentVolume) string {
	switch {
	case v.Spec.CSI != nil && v.Spec.CSI.Driver == "ebs.csi.aws.com":
		return v.Spec.CSI.VolumeHandle
	case v.Spec.AWSElasticBlockStore != nil:
		id := v.Spec.AWSElasticBlockStore.VolumeID
		return id[strings.LastIndexByte(id, '/')+1:]
	}
	return ""
}

// zoneOf is the zone that a volume is in, as its node affinity or, of older ones, its label says.
func zoneOf(v *corev1.PersistentVolume) string {
	if v.Spec.NodeAffinity != nil && v.Spec.NodeAffinity.Required != nil {
		for _, term := range v.Spec.NodeAffinity.Required.NodeSelectorTerms {
			for _, e := range term.MatchExpressions {
				if strings.HasSuffix(e.Key, "/zone") && len(e.Values) == 1 {
					return e.Values[0]
				}
			}
		}
	}
	return v.Labels[corev1.LabelTopologyZone]
}
