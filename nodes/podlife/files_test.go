package podlife

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// What Kubernetes' own end-to-end tests of Jobs run (test/e2e/framework/job/fixtures.go).
const (
	failOnce = `
			if [[ -r /data/foo-$INDEX ]]
			then
				exit 0
			else
				touch /data/foo-$INDEX
				exit 42
			fi
		`
	waitOnce = `
			if [[ -r /data/foo-$INDEX ]]
			then
				exit 0
			else
				touch /data/foo-$INDEX
				sleep 1000000
			fi
		`
)

func marked(script string, source corev1.VolumeSource) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Annotations = map[string]string{"batch.kubernetes.io/job-completion-index": "3"}
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: source}}
		c := &p.Spec.Containers[0]
		c.Command, c.VolumeMounts = []string{"/bin/sh", "-c", script}, []corev1.VolumeMount{{Name: "data", MountPath: "/data"}}
		c.Env = []corev1.EnvVar{{Name: "INDEX", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{
			FieldPath: "metadata.annotations['batch.kubernetes.io/job-completion-index']"}}}}
		c.ReadinessProbe = &corev1.Probe{PeriodSeconds: 1, ProbeHandler: corev1.ProbeHandler{
			Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", "cat /data/foo-$INDEX"}}}}
	}
}

func TestFilesOfAnEmptyDirOutliveRestarts(t *testing.T) {
	w := newWorld(t, marked(failOnce, corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}), policy(corev1.RestartPolicyOnFailure))
	w.look()
	if end := w.status("c").State.Terminated; end == nil || end.ExitCode != 42 {
		t.Fatalf("status %+v", w.status("c"))
	}
	w.pass(2 * time.Second)
	if w.pod.Status.Phase != corev1.PodSucceeded || w.status("c").RestartCount != 1 {
		t.Errorf("status %+v", w.pod.Status)
	}
}

func TestFilesOfTheNodeOutlivePods(t *testing.T) {
	host := corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/tmp/job"}}
	files := map[string]HostFile{}
	first := newWorld(t, marked(waitOnce, host), policy(corev1.RestartPolicyNever))
	second := newWorld(t, marked(waitOnce, host), policy(corev1.RestartPolicyNever))
	second.pod.UID = "uid-2"
	for _, w := range []*world{first, second} {
		w.facts.HostFile = func(file string) (string, bool) { f := files[file]; return f.Maker, f.There }
	}
	for _, f := range first.look().HostFiles {
		files[f.Path] = f
	}
	if _, there := files["/tmp/job/foo-3"]; !there {
		t.Fatalf("files %v", files)
	}
	first.pass(time.Hour)
	if !first.ready() || first.pod.Status.Phase != corev1.PodRunning {
		t.Errorf("the first one's status %+v", first.pod.Status)
	}
	second.look()
	if second.pod.Status.Phase != corev1.PodSucceeded {
		t.Errorf("the second one's status %+v", second.pod.Status)
	}
}

func TestExecProbeTimesOut(t *testing.T) {
	w := newWorld(t, command("sleep", "600"), container(func(c *corev1.Container) {
		c.LivenessProbe = &corev1.Probe{PeriodSeconds: 5, FailureThreshold: 1, TimeoutSeconds: 1, InitialDelaySeconds: 15,
			ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"/bin/sh", "-c", "sleep 10"}}}}
	}))
	w.look()
	w.pass(20 * time.Second)
	w.wantSaid("Unhealthy", `Liveness probe failed: command timed out: "/bin/sh -c sleep 10" timed out after 1s`)
	if w.status("c").RestartCount == 0 {
		t.Error("not restarted")
	}
}
