package nodes

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/internal/datadir"
	"tripod/nodes/efsvolume"
	"tripod/nodes/machine"
	"tripod/nodes/podlife"
)

func TestAFileSystemIsMountedOrThePodIsToldWhyNot(t *testing.T) {
	const id = "fs-0123456789abcdef0"
	volume := func(handle string) *corev1.PersistentVolume {
		return &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: efsvolume.Driver,
				VolumeHandle: handle}}}}
	}
	client := fake.NewClientset()
	l := newLookups(client)
	trouble := ""
	l.mount = func(h efsvolume.Handle) (string, error) {
		if h.FileSystem != id {
			t.Errorf("mounts %+v", h)
		}
		return trouble, nil
	}
	ask := func(handle string) error {
		ref := podlife.Reference{Kind: podlife.Mount, Namespace: "0123-uid", Name: mountable(volume(handle))}
		l.fetch(t.Context(), &corev1.Pod{}, []podlife.Reference{ref})
		_, err := l.get(ref, usualLife, 0)
		return err
	}
	wants := func(err error, words string) {
		t.Helper()
		if !errors.Is(err, errMount) || !strings.Contains(err.Error(), words) {
			t.Errorf("got %v, want %s", err, words)
		}
	}
	wants(ask(id), "driver name efs.csi.aws.com not found in the list of registered CSI drivers")
	driver := &storagev1.CSIDriver{ObjectMeta: metav1.ObjectMeta{Name: efsvolume.Driver}}
	if _, err := client.StorageV1().CSIDrivers().Create(t.Context(), driver, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	wants(ask("nonsense"), "rpc error: code = InvalidArgument desc = volume ID 'nonsense' is invalid")
	trouble = "Failed to resolve it"
	wants(ask(id+"::fsap-0123456789abcdef0"), `rpc error: code = Internal desc = Could not mount "`+id+`:/" at `+
		`"/var/lib/kubelet/pods/0123-uid/volumes/kubernetes.io~csi/pv/mount": mount failed: exit status 1`+"\nMounting command: mount\n"+
		"Mounting arguments: -t efs -o accesspoint=fsap-0123456789abcdef0,tls "+id+":/ /var/lib/kubelet/pods/0123-uid/volumes/"+
		"kubernetes.io~csi/pv/mount\nOutput: Failed to resolve it")
	trouble = ""
	if err := ask(id + ":/a"); err != nil {
		t.Error(err)
	}
	if name := mountable(&corev1.PersistentVolume{Spec: corev1.PersistentVolumeSpec{PersistentVolumeSource: corev1.PersistentVolumeSource{
		CSI: &corev1.CSIPersistentVolumeSource{Driver: "other.example.com", VolumeHandle: "x"}}}}); name != "" {
		t.Errorf("the volume of a driver that nobody knows is mounted as %s", name)
	}
}

// TestAPodsOwnVolumesEndWithIt: by its removal, or where it has gone unseen by the list of those that there are.
func TestAPodsOwnVolumesEndWithIt(t *testing.T) {
	own := t.TempDir()
	w := &worker{node: node{machine: machine.Machine{InstanceID: "i-1"}}, conf: Config{NodeDir: func(id string) string {
		return filepath.Join(own, id)
	}}.withDefaults()}
	dirs := map[types.UID]string{}
	for _, uid := range []types.UID{"a", "b", "c"} {
		dirs[uid] = datadir.PodDir(filepath.Join(own, "i-1"), string(uid))
		if err := os.MkdirAll(filepath.Join(dirs[uid], "cache"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.dropVolumes("a")
	w.sweepVolumes(map[types.UID]bool{"b": true})
	for uid, want := range map[types.UID]bool{"a": false, "b": true, "c": false} {
		if _, err := os.Stat(dirs[uid]); (err == nil) != want {
			t.Errorf("%s: %v", uid, err)
		}
	}
}
