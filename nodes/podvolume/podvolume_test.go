package podvolume

import (
	"context"
	"encoding/pem"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// source is a Source whose objects have one key, k.
type source struct{ bundles []string }

func (source) ConfigMap(_ context.Context, name string) (Object, error) {
	return Object{Name: "ConfigMap " + name, Found: true, Files: map[string]string{"k": name}}, nil
}

func (s source) Secret(ctx context.Context, name string) (Object, error) {
	return s.ConfigMap(ctx, name)
}

func (s source) TrustBundles(context.Context, *corev1.ClusterTrustBundleProjection) ([]string, error) {
	return s.bundles, nil
}

func (source) Credentials(_ context.Context, volume string, source int) (key, certificates string, err error) {
	return "key of " + volume + "\n", "chain\n", nil
}

func (source) Allocatable(context.Context) (corev1.ResourceList, error) { return nil, nil }

func TestFilesHaveTheModesAndOwnersThatAKubeletGivesThem(t *testing.T) {
	everything := corev1.Volume{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
		DefaultMode: new(int32(0o444)), Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token"}},
			{ConfigMap: &corev1.ConfigMapProjection{Items: []corev1.KeyToPath{{Key: "k", Path: "a/b", Mode: new(int32(0o400))}}}},
			{Secret: &corev1.SecretProjection{}},
			{PodCertificate: &corev1.PodCertificateProjection{CredentialBundlePath: "both", KeyPath: "key"}},
			{ClusterTrustBundle: &corev1.ClusterTrustBundleProjection{Path: "roots", Optional: new(true)}},
		}}}}
	user := func(uid int64) *corev1.SecurityContext { return &corev1.SecurityContext{RunAsUser: &uid} }
	for name, c := range map[string]struct {
		group *int64
		users []*corev1.SecurityContext
		want  map[string]File
	}{
		"nobody in particular": {nil, []*corev1.SecurityContext{user(5), nil}, map[string]File{
			"token": {Mode: 0o444}, "a/b": {Mode: 0o400}, "k": {Mode: 0o444}, "both": {Data: "key of all\nchain\n", Mode: 0o444},
			"key": {Data: "key of all\n", Mode: 0o444}, "roots": {Mode: 0o444}, "": {Mode: fs.ModeDir | fs.ModeSticky | 0o777},
			"a": {Mode: fs.ModeDir | 0o755}}},
		"one user": {nil, []*corev1.SecurityContext{user(5), user(5)}, map[string]File{"token": {Mode: 0o600, UID: 5},
			"a/b": {Mode: 0o400}, "roots": {Mode: 0o600, UID: 5}}},
		"a group": {new(int64(7)), []*corev1.SecurityContext{nil}, map[string]File{"token": {Mode: 0o640, GID: 7},
			"a/b": {Mode: 0o440, GID: 7}, "..data/k": {Mode: 0o444, GID: 7}}},
	} {
		pod := &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{FSGroup: c.group}}}
		for _, s := range c.users {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{SecurityContext: s})
		}
		files, err := Of(t.Context(), source{}, pod, &pod.Spec.Containers[0], &everything)
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range c.want {
			got, found := files.Find(pod, &everything, path)
			got.Token = nil
			if diff := cmp.Diff(want, got); !found || diff != "" {
				t.Errorf("%s: %q: %v, -want +got:\n%s", name, path, found, diff)
			}
		}
		if got, found := files.Find(pod, &everything, "none"); found {
			t.Errorf("%s: a file that is not there: %+v", name, got)
		}
	}
}

func TestTrustBundlesAreThoseThatAreSelected(t *testing.T) {
	text := func(s string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte(s)}))
	}
	bundle := func(name, signer, stage, content string) *certificatesv1.ClusterTrustBundle {
		return &certificatesv1.ClusterTrustBundle{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"stage": stage}},
			Spec: certificatesv1.ClusterTrustBundleSpec{SignerName: signer, TrustBundle: content}}
	}
	client := fake.NewClientset(bundle("plain", "", "", "comment\n"+text("p")+text("p")),
		bundle("a.b:c:1", "a.b/c", "live", text("2")+text("1")), bundle("a.b:c:2", "a.b/c", "live", text("1")),
		bundle("a.b:c:3", "a.b/c", "test", text("3")), bundle("x.y:z:1", "x.y/z", "live", text("4")))
	all, live := &metav1.LabelSelector{}, &metav1.LabelSelector{MatchLabels: map[string]string{"stage": "live"}}
	for _, c := range []struct {
		want corev1.ClusterTrustBundleProjection
		text string
	}{
		{corev1.ClusterTrustBundleProjection{Name: new("plain")}, text("p")},
		{corev1.ClusterTrustBundleProjection{Name: new("none"), Optional: new(true)}, ""},
		{corev1.ClusterTrustBundleProjection{Name: new("none")}, "error"},
		{corev1.ClusterTrustBundleProjection{SignerName: new("a.b/c"), LabelSelector: live}, text("1") + text("2")},
		{corev1.ClusterTrustBundleProjection{SignerName: new("a.b/c"), LabelSelector: all}, text("1") + text("2") + text("3")},
		{corev1.ClusterTrustBundleProjection{SignerName: new("a.b/c"), Optional: new(true)}, ""},
	} {
		c.want.Path = "roots"
		found, err := TrustBundles(t.Context(), client.CertificatesV1().ClusterTrustBundles(), &c.want)
		if err != nil {
			t.Fatal(err)
		}
		files, err := Of(t.Context(), source{bundles: found}, &corev1.Pod{}, nil, &corev1.Volume{VolumeSource: corev1.VolumeSource{
			Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{ClusterTrustBundle: &c.want}}}}})
		got := files["roots"].Data
		if err != nil && strings.Contains(err.Error(), "is not there") {
			got, err = "error", nil
		}
		if err != nil || got != c.text {
			t.Errorf("%+v: got %q, %v, want %q", c.want, got, err, c.text)
		}
	}
}
