package podexec

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"tripod/internal/datadir"
)

// claimed is a pod with a volume of EBS's, which is mounted at these paths.
func claimed(t *testing.T, handle string, mounts ...corev1.VolumeMount) (p *pod, errs *bytes.Buffer) {
	t.Helper()
	p = newPod(t, func(o *corev1.Pod) {
		o.Spec.Volumes = []corev1.Volume{{Name: "my-data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}}}
		for i := range mounts {
			mounts[i].Name = "my-data"
		}
		o.Spec.Containers[0].VolumeMounts = mounts
	})
	p.client = fake.NewClientset(
		&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "web", Name: "data"},
			Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"}},
		&corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}, Spec: corev1.PersistentVolumeSpec{
			PersistentVolumeSource: corev1.PersistentVolumeSource{CSI: &corev1.CSIPersistentVolumeSource{Driver: "ebs.csi.aws.com",
				VolumeHandle: handle}},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "topology.kubernetes.io/zone", Operator: "In",
					Values: []string{"us-east-1b"}}}}}}}}})
	errs = &bytes.Buffer{}
	p.options.DataDir, p.options.Stderr = t.TempDir(), errs
	return p, errs
}

func TestTheCommandHasThePodsVolumes(t *testing.T) {
	p, errs := claimed(t, "vol-1", corev1.VolumeMount{MountPath: "/tripod-test-data/pg", SubPath: "pg"},
		corev1.VolumeMount{MountPath: "/usr/local/bin"})
	dir := datadir.Volume(p.options.DataDir, "us-east-1b", "vol-1")
	if _, err := p.layVolumes(t.Context()); err == nil || !strings.Contains(err.Error(), "vol-1 of zone us-east-1b is not on this machine") {
		t.Errorf("without its directory: %v", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	env, err := p.layVolumes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !mountable {
		return
	}
	if want := []string{"TRIPOD_VOLUME_MY_DATA=" + filepath.Join(dir, "pg"), "TRIPOD_VOLUME_MY_DATA=" + dir}; !slices.Equal(env, want) {
		t.Errorf("variables %v, want %v", env, want)
	}
	text, err := os.ReadFile(volumesFile(p.dir))
	want := `[{"From":"` + filepath.Join(dir, "pg") + `","To":"/tripod-test-data/pg","ReadOnly":false}]`
	if err != nil || string(text) != want {
		t.Errorf("laid %s, want %s (%v)", text, want, err)
	}
	if !strings.Contains(errs.String(), "volume my-data is not laid over /usr/local/bin, which is this machine's own") {
		t.Errorf("said %q", errs)
	}
}

// TestAVolumesIDLeadsNowhereElse: who may make persistent volumes chooses no directory of this machine.
func TestAVolumesIDLeadsNowhereElse(t *testing.T) {
	for _, handle := range []string{"../../secret", "vol-/../../x", "vol-..", "fs-1"} {
		p, _ := claimed(t, handle, corev1.VolumeMount{MountPath: "/tripod-test-data"})
		if env, err := p.layVolumes(t.Context()); err != nil || len(env) > 0 {
			t.Errorf("%s: %v, %v", handle, env, err)
		}
	}
}
