package nodes

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/internal/datadir"
	"tripod/nodes/efsvolume"
	"tripod/nodes/podlife"
)

// errMount is what all errors are that say why a volume cannot be mounted.
var errMount = errors.New("mount failed")

// mountRefused is one of them, in the kubelet's and the driver's words.
type mountRefused string

func (e mountRefused) Error() string { return string(e) }

func (e mountRefused) Is(target error) bool { return target == errMount }

// mountable is the name of the Mount of a volume that is mounted without being attached to a node before: those of EFS. Volumes of
// other drivers, which run nothing here, are there when they are bound.
func mountable(v *corev1.PersistentVolume) string {
	if v.Spec.CSI == nil || v.Spec.CSI.Driver != efsvolume.Driver {
		return ""
	}
	return v.Name + " " + v.Spec.CSI.VolumeHandle
}

// mountFor mounts a volume for a pod, as the kubelet has the driver of its node do it (NodePublishVolume).
func (l *lookups) mountFor(ctx context.Context, ref podlife.Reference) error {
	if l.mount == nil {
		return nil
	}
	volume, text, _ := strings.Cut(ref.Name, " ")
	_, err := l.client.StorageV1().CSIDrivers().Get(ctx, efsvolume.Driver, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return mountRefused("kubernetes.io/csi: mounter.SetUpAt failed to get CSI client: driver name " + efsvolume.Driver +
			" not found in the list of registered CSI drivers")
	case err != nil:
		return err
	}
	handle, err := efsvolume.Parse(text)
	if err != nil {
		return mountRefused("rpc error: code = InvalidArgument desc = " + err.Error())
	}
	output, err := l.mount(handle)
	if err != nil || output == "" {
		return err
	}
	at := fmt.Sprintf("/var/lib/kubelet/pods/%s/volumes/kubernetes.io~csi/%s/mount", ref.Namespace, volume)
	return mountRefused(fmt.Sprintf("rpc error: code = Internal desc = Could not mount %q at %q: mount failed: exit status 1\n"+
		"Mounting command: mount\nMounting arguments: -t efs -o %s %s %s\nOutput: %s", handle.Source(), at, handle.Options(),
		handle.Source(), at, output))
}

// dropVolumes deletes a pod's own volumes from the node, once it is gone.
func (w *worker) dropVolumes(pod types.UID) {
	if w.conf.NodeDir == nil {
		return
	}
	own := w.conf.NodeDir(w.machine.InstanceID)
	if err := os.RemoveAll(datadir.PodDir(own, string(pod))); err != nil {
		w.conf.Logger.Warn("delete a pod's volumes", "node", w.name, "error", err)
	}
}

// sweepVolumes deletes those of pods that have gone unseen.
func (w *worker) sweepVolumes(there map[types.UID]bool) {
	if w.conf.NodeDir == nil {
		return
	}
	entries, err := os.ReadDir(datadir.PodDir(w.conf.NodeDir(w.machine.InstanceID), ""))
	if err != nil {
		return // mostly there are none
	}
	for _, entry := range entries {
		if uid := types.UID(filepath.Base(entry.Name())); !there[uid] {
			w.dropVolumes(uid)
		}
	}
}
