package podexec

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
)

// mounted are the files that a pod with one volume and these mounts has below /var/run/secrets.
func mounted(t *testing.T, source corev1.VolumeSource, mounts ...corev1.VolumeMount) (map[string]string, error) {
	t.Helper()
	p := newPod(t, func(o *corev1.Pod) {
		o.Labels = map[string]string{"app": "shop"}
		o.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: source}}
		for i := range mounts {
			mounts[i].Name = "v"
		}
		o.Spec.Containers[0].VolumeMounts = mounts
	})
	p.vars = map[string]string{"PART": "b"}
	if err := p.writeFiles(t.Context()); err != nil {
		return nil, err
	}
	files := map[string]string{}
	root := filepath.Join(p.dir, "secrets")
	return files, filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, file)
		if entry.IsDir() {
			if left, err := os.ReadDir(file); err == nil && len(left) == 0 {
				files[name+"/"] = ""
			}
			return err
		}
		text, err := os.ReadFile(file)
		files[name] = string(text)
		return err
	})
}

func TestVolumesHoldWhatAKubeletPutsIn(t *testing.T) {
	optional := true
	at := corev1.VolumeMount{MountPath: "/var/run/secrets/x/"}
	items := []corev1.KeyToPath{{Key: "LEVEL", Path: "a/level"}, {Key: "key", Path: "b"}}
	for name, c := range map[string]struct {
		source corev1.VolumeSource
		mount  corev1.VolumeMount
		want   map[string]string
	}{
		"a whole ConfigMap": {corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: levels}}, at,
			map[string]string{"x/LEVEL": "debug", "x/log.format": "$(LEVEL)", "x/nul": "a\x00b", "x/logo": "\x00\x01"}},
		"keys of a Secret": {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys", Items: items}}, at,
			map[string]string{"x/a/level": "secret", "x/b": "k1"}},
		"one file of it": {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys", Items: items}},
			corev1.VolumeMount{MountPath: "/var/run/secrets/x", SubPathExpr: "$(PART)"}, map[string]string{"x": "k1"}},
		"a directory of it": {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys", Items: items}},
			corev1.VolumeMount{MountPath: "/var/run/secrets", SubPath: "a"}, map[string]string{"level": "secret"}},
		"what is optional and not there": {corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "none",
			Optional: &optional}}, at, map[string]string{"x/": ""}},
		"an optional key": {corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: levels,
			Items: items, Optional: &optional}}, at,
			map[string]string{"x/a/level": "debug"}},
		"the downward API": {corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{
			Items: []corev1.DownwardAPIVolumeFile{
				{Path: "labels", FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.labels"}},
				{Path: "cpu", ResourceFieldRef: &corev1.ResourceFieldSelector{ContainerName: "app", Resource: "requests.cpu"}}}}},
			at,
			map[string]string{"x/labels": `app="shop"`, "x/cpu": "0"}},
		"a projection, the later over the earlier": {corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: levels, Items: items[:1]}},
				{Secret: &corev1.SecretProjection{LocalObjectReference: keys, Items: items}},
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault", Path: "b"}}}}}, at,
			map[string]string{"x/a/level": "secret", "x/b": "for vault"}},
		"an empty directory": {corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}, at,
			map[string]string{"x/": ""}},
		"somebody else's data": {corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/etc"}}, at,
			map[string]string{"./": ""}},
		"one that lies elsewhere": {corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
			corev1.VolumeMount{MountPath: "/var/run/secretsx"}, map[string]string{"./": ""}},
		"one that would get there": {corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}},
			corev1.VolumeMount{MountPath: "/var/run/secrets/../../x"}, map[string]string{"./": ""}},
	} {
		got, err := mounted(t, c.source, c.mount)
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got)\n%s", name, err, diff)
		}
	}
}

func TestWhatAPodsVolumeLacksIsNamed(t *testing.T) {
	at := corev1.VolumeMount{MountPath: "/var/run/secrets/x"}
	project := func(p corev1.VolumeProjection) corev1.VolumeSource {
		return corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{p}}}
	}
	for _, c := range []struct {
		source corev1.VolumeSource
		want   string
	}{
		{corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("none")}},
			"volume v: there is no ConfigMap web/none"},
		{corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{SecretName: "keys",
			Items: []corev1.KeyToPath{{Key: "none", Path: "a"}}}}, `volume v: Secret web/keys has no key "none"`},
		{project(corev1.VolumeProjection{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Path: "roots", Name: new("none")}}),
			"volume v: its file roots is of a ClusterTrustBundle that is not there"},
		{project(corev1.VolumeProjection{PodCertificate: &corev1.PodCertificateProjection{SignerName: "example.com/s"}}),
			"volume v: its certificate of signer example.com/s: only nodes ask for one"},
	} {
		if _, err := mounted(t, c.source, at); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
