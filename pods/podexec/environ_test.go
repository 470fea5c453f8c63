package podexec

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

var levels, keys = corev1.LocalObjectReference{Name: "levels"}, corev1.LocalObjectReference{Name: "keys"}

func named(name string) corev1.LocalObjectReference { return corev1.LocalObjectReference{Name: name} }

func fieldRef(path string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
}

func resourceRef(name, divisor, container string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: name,
		Divisor: resource.MustParse(divisor), ContainerName: container}}
}

// ownVariables are those of the container app of a pod.
func ownVariables(t *testing.T, container corev1.Container, change func(*corev1.Pod)) (map[string]string, error) {
	t.Helper()
	p := newPod(t, func(o *corev1.Pod) {
		container.Name = "app"
		o.Spec.Containers[0] = container
		if change != nil {
			change(o)
		}
	})
	_, err := p.environ(t.Context(), "http://127.0.0.1:1/v1/credentials")
	return p.vars, err
}

func TestVariablesAreWhatAKubeletMakesThem(t *testing.T) {
	optional := true
	got, err := ownVariables(t, corev1.Container{
		EnvFrom: []corev1.EnvFromSource{
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: levels}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: keys}, Prefix: "KEYS_"},
			{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: named("none"), Optional: &optional}},
			{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: named("none"), Optional: &optional}},
		},
		Env: []corev1.EnvVar{
			{Name: "nul", Value: ""},
			{Name: "EARLY", Value: "$(LATE)"}, {Name: "LATE", Value: "late"}, {Name: "AFTER", Value: "$(LATE) $(KEYS_key)"},
			{Name: "KEYS_LEVEL", Value: "$(KEYS_LEVEL)+"}, // of itself as it was
			{Name: "ESCAPED", Value: "$$(LATE) $$$(LATE) $LATE $(open $"},
			{Name: "USERS", Value: "$(HOME)"},
			{Name: "API", Value: "https://$(KUBERNETES_SERVICE_HOST):$(KUBERNETES_SERVICE_PORT)"},
			{Name: "FROM_KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: keys, Key: "key"}}},
			{Name: "FROM_MAP", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: levels, Key: "log.format"}}},
			{Name: "NO_KEY", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: keys, Key: "none", Optional: &optional}}},
			{Name: "NO_MAP", ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
				LocalObjectReference: named("none"), Key: "none", Optional: &optional}}},
			{Name: "NO_FILE", ValueFrom: &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{VolumeName: "data",
				Path: "env", Key: "K", Optional: &optional}}},
		},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"LEVEL": "debug", "log.format": "$(LEVEL)", "nul": "", "KEYS_LEVEL": "secret+", "KEYS_key": "k1",
		"EARLY": "$(LATE)", "LATE": "late", "AFTER": "late k1", "ESCAPED": "$(LATE) $late $LATE $(open $",
		"USERS": "$(HOME)", "API": "https://127.0.0.1:6443",
		"FROM_KEY": "k1", "FROM_MAP": "$(LEVEL)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDownwardAPISaysWhatAKubeletSays(t *testing.T) {
	pod := func(o *corev1.Pod) {
		o.Labels, o.Annotations = map[string]string{"app": "shop", "tier": "\"web\""},
			map[string]string{"example.com/team": "red"}
		o.Spec.NodeName = "node-1"
		o.Status = corev1.PodStatus{PodIP: "10.0.1.2", PodIPs: []corev1.PodIP{{IP: "10.0.1.2"}, {IP: "fd00::2"}},
			HostIP: "10.0.1.1", HostIPs: []corev1.HostIP{{IP: "10.0.1.1"}, {IP: "fd00::1"}}}
		o.Spec.InitContainers = []corev1.Container{{Name: "setup",
			Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("3")}}}}
	}
	container := corev1.Container{Resources: corev1.ResourceRequirements{
		Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("250m"),
			corev1.ResourceMemory: resource.MustParse("64Mi")},
		Limits: corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("100M"),
			"hugepages-2Mi": resource.MustParse("4Mi")},
	}}
	for _, c := range []struct {
		from       *corev1.EnvVarSource
		want, fail string
	}{
		{fieldRef("metadata.name"), "shop", ""}, {fieldRef("metadata.namespace"), "web", ""},
		{fieldRef("metadata.uid"), "uid-1", ""},
		{fieldRef("metadata.labels['app']"), "shop", ""}, {fieldRef("metadata.labels['none']"), "", ""},
		{fieldRef("metadata.annotations['example.com/team']"), "red", ""},
		{fieldRef("metadata.labels"), "app=\"shop\"\ntier=\"\\\"web\\\"\"", ""},
		{fieldRef("spec.nodeName"), "node-1", ""}, {fieldRef("spec.serviceAccountName"), "shop", ""},
		{fieldRef("status.podIP"), "10.0.1.2", ""}, {fieldRef("status.podIPs"), "10.0.1.2,fd00::2", ""},
		{fieldRef("status.hostIP"), "10.0.1.1", ""}, {fieldRef("status.hostIPs"), "10.0.1.1,fd00::1", ""},
		{fieldRef("status.phase"), "", "variable V: unsupported fieldPath: status.phase"},
		{resourceRef("requests.cpu", "0", ""), "1", ""}, {resourceRef("requests.cpu", "1m", ""), "250", ""},
		// rounded up
		{resourceRef("requests.memory", "1Mi", ""), "64", ""}, {resourceRef("limits.memory", "1Mi", "app"), "96", ""},
		{resourceRef("limits.cpu", "1m", ""), "1930", ""}, // the node's
		{resourceRef("limits.cpu", "1", "setup"), "3", ""}, {resourceRef("limits.ephemeral-storage", "1", ""), "0", ""},
		{resourceRef("limits.hugepages-2Mi", "1Mi", ""), "4", ""}, {resourceRef("requests.hugepages-1Gi", "1", ""), "0", ""},
		{resourceRef("limits.pods", "1", ""), "", "Unsupported container resource : limits.pods"},
		{resourceRef("limits.cpu", "1", "none"), "", "variable V: there is no container none"},
	} {
		with := container
		with.Env = []corev1.EnvVar{{Name: "V", ValueFrom: c.from}}
		got, err := ownVariables(t, with, pod)
		if c.fail == "" && (err != nil || got["V"] != c.want) || c.fail != "" &&
			(err == nil || !strings.Contains(err.Error(), c.fail)) {
			t.Errorf("%v: got %q (%v), want %q %s", c.from, got["V"], err, c.want, c.fail)
		}
	}
	pods := corev1.Container{Env: []corev1.EnvVar{{Name: "V", ValueFrom: resourceRef("limits.memory", "1Mi", "")}}}
	ofPod := func(o *corev1.Pod) {
		pod(o)
		o.Spec.Resources = &corev1.ResourceRequirements{Limits: corev1.ResourceList{
			corev1.ResourceMemory: resource.MustParse("1Gi")}}
	}
	if got, err := ownVariables(t, pods, ofPod); err != nil || got["V"] != "1024" {
		t.Errorf("the pod's own limit: got %v (%v), want 1024", got, err)
	}
	if _, err := ownVariables(t, pods, nil); err == nil || !strings.Contains(err.Error(),
		"the limit is not set, so that its node") {
		t.Errorf("a pod without a node: got %v", err)
	}
}

func TestWhatAPodsEnvironmentLacksIsNamed(t *testing.T) {
	secretKey := func(name, key string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: named(name), Key: key}}
	}
	for _, c := range []struct {
		container corev1.Container
		want      string
	}{
		{corev1.Container{Env: []corev1.EnvVar{{Name: "KEY", ValueFrom: secretKey("none", "k")}}},
			"variable KEY: there is no Secret web/none"},
		{corev1.Container{Env: []corev1.EnvVar{{Name: "KEY", ValueFrom: secretKey("keys", "k")}}},
			`variable KEY: Secret web/keys has no key "k"`},
		{corev1.Container{Env: []corev1.EnvVar{{Name: "LOGO",
			ValueFrom: &corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{LocalObjectReference: levels,
				Key: "logo"}}}}},
			`variable LOGO: ConfigMap web/levels has no key "logo"`}, // binary
		{corev1.Container{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
			LocalObjectReference: named("none")}}}},
			"envFrom of container app: there is no ConfigMap web/none"},
		{corev1.Container{EnvFrom: []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
			LocalObjectReference: levels}}}}, "variable nul: its value holds a NUL"},
		{corev1.Container{Env: []corev1.EnvVar{{Name: "F",
			ValueFrom: &corev1.EnvVarSource{FileKeyRef: &corev1.FileKeySelector{VolumeName: "data", Path: "env", Key: "K"}}}}},
			"variable F: file env of volume data is for another container to write, and none runs"},
	} {
		if _, err := ownVariables(t, c.container, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}
