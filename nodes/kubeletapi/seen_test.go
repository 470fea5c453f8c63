package kubeletapi

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podvolume"
)

// changing is a Source with one ConfigMap, whose key k is value; an empty one is not there.
type changing struct {
	objects
	value string
	err   error
}

func (c *changing) ConfigMap(context.Context, string) (podvolume.Object, error) {
	*c.asked++
	o := podvolume.Object{Found: true, Files: map[string]string{}}
	if c.value != "" {
		o.Files["k"] = c.value
	}
	return o, c.err
}

// mounts gives a pod's container the volume of a ConfigMap at /v.
func mounts(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "map"}, Optional: new(true)}}}}
	p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "v", MountPath: "/v"}}
}

func agnhost(args ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Image, p.Spec.Containers[0].Args = "registry.k8s.io/e2e-test-images/agnhost:2.66.1", args
	}
}

func TestALoopThatReadsAFileFollowsItAndWhatWasToldStays(t *testing.T) {
	asked := 0
	source := &changing{objects: objects{&asked}}
	w := newWorld(t, func(c *Config) { c.Source = func(*corev1.Pod) Source { return source } })
	pod := newPod("loop", nil, mounts,
		agnhost("mounttest", "--file_content_in_loop=/v/k", "--retry_time=120", "--break_on_expected_content=false"))
	w.conf.Pods.Set(pod)
	const absent = "Error reading file /v/k: open /v/k: no such file or directory, retrying\n"
	line := func(value string) string { return "content of file \"/v/k\": " + value + "\n" }
	want := ""
	for _, step := range []struct {
		value string
		err   error
		told  string
	}{
		{"", nil, strings.Repeat(absent, 3)},
		{"one", nil, strings.Repeat(line("one"), 3)},
		{"two", errors.New("away"), strings.Repeat(line("one"), 3)},
		{"two", nil, strings.Repeat(line("two"), 3)},
		{"", nil, strings.Repeat(absent, 3)},
	} {
		w.now = w.now.Add(6 * time.Second)
		source.value, source.err = step.value, step.err
		want += step.told
		if _, got := w.get(t, "/containerLogs/default/loop/c"); got != want {
			t.Fatalf("with %q, %v:\n%swant:\n%s", step.value, step.err, got, want)
		}
	}
	before := asked
	if _, got := w.get(t, "/containerLogs/default/loop/c?tailLines=1"); got != absent || asked != before {
		t.Errorf("a second look tells %q, and reads %d times", got, asked-before)
	}
	w.conf.Pods.Remove(pod)
	if len(w.seen.pods) != 0 {
		t.Error("a pod that has gone is remembered")
	}
}

func TestMounttestSaysWhatTheKubeletHasMade(t *testing.T) {
	asked := 0
	source := &changing{objects: objects{&asked}, value: "v"}
	w := newWorld(t, func(c *Config) { c.Source = func(*corev1.Pod) Source { return source } })
	looks := agnhost("mounttest", "--file_content=/v/k", "--file_mode=/v/k", "--fs_type=/v")
	w.conf.Pods.Set(newPod("one", nil, mounts, looks, func(p *corev1.Pod) {
		p.Spec.Volumes[0].ConfigMap.DefaultMode = new(int32(0o400))
	}))
	w.now = began.Add(time.Minute)
	want := "mount type of \"/v\": 1481003842\nmode of file \"/v/k\": -r--------\ncontent of file \"/v/k\": v\n"
	if _, got := w.get(t, "/containerLogs/default/one/c"); got != want {
		t.Errorf("got %q", got)
	}
}

func TestAgnhostWithoutArgumentsPauses(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("quiet", nil, agnhost()))
	if _, got := w.get(t, "/containerLogs/default/quiet/c"); got != "Paused\nSignals registered\n" {
		t.Errorf("got %q", got)
	}
}
