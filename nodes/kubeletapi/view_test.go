package kubeletapi

import (
	"context"
	"io/fs"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podvolume"
)

// objects is a Source in which every object has one key, k, whose value is its name. It counts what it is asked.
type objects struct{ asked *int }

func (o objects) ConfigMap(_ context.Context, name string) (podvolume.Object, error) {
	*o.asked++
	data := map[string]string{"k": name}
	return podvolume.Object{Name: "ConfigMap default/" + name, Found: name != "none", Text: data, Files: data}, nil
}

func (o objects) Secret(ctx context.Context, name string) (podvolume.Object, error) {
	return o.ConfigMap(ctx, name)
}

func (o objects) TrustBundles(context.Context, *corev1.ClusterTrustBundleProjection) ([]string, error) {
	return nil, nil
}

func (o objects) Credentials(context.Context, string, int) (key, certificates string, err error) {
	return "", "", nil
}

func (o objects) Allocatable(context.Context) (corev1.ResourceList, error) { return nil, nil }

func (o objects) Token(_ context.Context, want corev1.ServiceAccountTokenProjection) (string, error) {
	*o.asked++
	return "token for " + want.Audience, nil
}

func TestContainersSeeWhatTheirKubeletMakes(t *testing.T) {
	asked := 0
	w := newWorld(t, func(c *Config) { c.Source = func(*corev1.Pod) Source { return objects{&asked} } })
	named := func(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }
	keyOf := func(key string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: named("map"), Key: key}}
	}
	pod := newPod("web", nil, func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "shop"}
		p.Spec.Subdomain = "shops"
		p.Spec.HostAliases = []corev1.HostAlias{{IP: "10.1.2.3", Hostnames: []string{"a", "b"}}}
		p.Spec.Volumes = []corev1.Volume{
			{Name: "config", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("settings")}}},
			{Name: "none", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: named("none")}}},
			{Name: "all", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", Audience: "vault"}},
				{Secret: &corev1.SecretProjection{LocalObjectReference: named("key"), Items: []corev1.KeyToPath{{Key: "k", Path: "a/b"}}}},
			}}}},
		}
		c := &p.Spec.Containers[0]
		c.VolumeMounts = []corev1.VolumeMount{{Name: "config", MountPath: "/etc/app/"}, {Name: "all", MountPath: "/etc/app/all"},
			{Name: "all", MountPath: "/one", SubPathExpr: "$(PART)/b"}, {Name: "none", MountPath: "/none"}}
		c.EnvFrom = []corev1.EnvFromSource{{Prefix: "S_", SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("secret")}}}
		c.Env = []corev1.EnvVar{{Name: "PART", Value: "a"}, {Name: "B", Value: "$(S_k)!"}, {Name: "S_k", Value: "own"},
			{Name: "KEY", ValueFrom: keyOf("k")}, {Name: "MISSING", ValueFrom: keyOf("x")}}
	})
	n, _ := w.conf.Node("n1")
	v := w.view(t.Context(), n, pod, &pod.Spec.Containers[0])
	for _, want := range []string{"PART=a", "B=secret!", "S_k=own", "KEY=map"} {
		if !slices.Contains(v.env, want) {
			t.Errorf("no %s in %q", want, v.env)
		}
	}
	if all := strings.Join(v.env, " "); strings.Contains(all, "MISSING") || strings.Contains(all, "S_k=secret") {
		t.Errorf("what is not there, or was replaced, is in %q", v.env)
	}
	asked = 0
	for range 2 {
		for name, want := range map[string]string{
			"/etc/app/k": "settings", "/etc/app/all/token": "token for vault", "/etc/app/all/a/b": "key", "/one": "key", "/etc/hostname": "web\n",
		} {
			if got, found := v.File(name); !found || got.Content != want || got.Mode != 0o644 {
				t.Errorf("%s: got %+v, %v, want %q", name, got, found, want)
			}
		}
	}
	if asked != 3 {
		t.Errorf("%d objects were read for three that matter", asked)
	}
	for _, name := range []string{"/etc/app/x", "/none/k", "/etc/passwd", "/etc/app/all/../../../etc/shadow"} {
		if got, found := v.File(name); found {
			t.Errorf("%s: got %+v", name, got)
		}
	}
	if dir, found := v.File("/etc/app"); !found || dir.Mode != fs.ModeDir|0o777 || dir.InMemory {
		t.Errorf("the volume's directory: %+v, %v", dir, found)
	}
	for _, want := range []string{"10.0.0.20\tweb.shops.default.svc.cluster.local\tweb\n",
		"# Entries added by HostAliases.\n10.1.2.3\ta\tb\n"} {
		if hosts, _ := v.File("/etc/hosts"); !strings.Contains(hosts.Content, want) {
			t.Errorf("%q is not in %q", want, hosts.Content)
		}
	}
}

func TestAPodsDNSConfigIsInItsResolvConf(t *testing.T) {
	w := newWorld(t)
	n, _ := w.conf.Node("n1")
	added := &corev1.PodDNSConfig{Nameservers: []string{"1.1.1.1"}, Searches: []string{"local"},
		Options: []corev1.PodDNSConfigOption{{Name: "ndots", Value: new("2")}, {Name: "edns0"}}}
	for policy, want := range map[corev1.DNSPolicy]string{
		corev1.DNSNone: "search local\nnameserver 1.1.1.1\noptions ndots:2 edns0\n",
		corev1.DNSClusterFirst: "search default.svc.cluster.local svc.cluster.local cluster.local local\n" +
			"nameserver 10.100.0.10\nnameserver 1.1.1.1\noptions ndots:2 edns0\n",
	} {
		pod := newPod("web", nil, func(p *corev1.Pod) { p.Spec.DNSPolicy, p.Spec.DNSConfig = policy, added })
		if got, _ := w.view(t.Context(), n, pod, &pod.Spec.Containers[0]).File("/etc/resolv.conf"); got.Content != want {
			t.Errorf("%s: got %q", policy, got.Content)
		}
	}
}
