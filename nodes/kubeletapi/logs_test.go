package kubeletapi

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func command(argv ...string) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Command = argv }
}

func TestLogsFollowFromSpecAndTime(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("job", map[string]string{LogsAnnotation: "first\nsecond"}, command("sh", "-c",
		`echo "$(GREETING) from $(hostname)" >&2; sleep 20; echo done`), func(p *corev1.Pod) {
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "GREETING", Value: "hello"}}
	}))
	w.conf.Pods.Set(newPod("loop", nil, command("sh", "-c", `i=0; while true; do echo "$i"; i=$((i+1)); sleep 10; done`)))
	w.conf.Pods.Set(newPod("many", map[string]string{LogsGenerateAnnotation: "10/s", LogsGenerateAnnotation + ".other": "x"}))
	w.conf.Pods.Set(newPod("wrong", map[string]string{LogsGenerateAnnotation: "often"}))
	w.now = began.Add(time.Minute)
	all := "hello from job\nfirst\nsecond\ndone\n"
	tests := []struct{ path, want string }{
		{"job/c", all},
		{"job/c?tailLines=2", "second\ndone\n"},
		{"job/c?tailLines=0", ""},
		{"job/c?tail=all", all},
		{"job/c?sinceSeconds=45", "done\n"},
		{"job/c?sinceTime=2026-11-29T08:00:01Z", "done\n"},
		{"job/c?limitBytes=8", "hello fr"},
		{"job/c?stream=Stderr", "hello from job\n"},
		{"job/c?stream=Stdout&tailLines=1&timestamps=true", "2026-11-29T08:00:20.000000000Z done\n"},
		{"loop/c?tailLines=2&timestamps=true", "2026-11-29T08:00:40.000000000Z 4\n2026-11-29T08:00:50.000000000Z 5\n"},
		{"wrong/c", `tripod: annotation tripod.internal/logs-generate must be a rate of at most 1000/s and a format like "10/s json" ` +
			"or \"30/m text\", not \"often\"\n"},
	}
	for _, test := range tests {
		if status, body := w.get(t, "/containerLogs/default/"+test.path); status != 200 || body != test.want {
			t.Errorf("%s: got %d %q, want %q", test.path, status, body, test.want)
		}
	}
	_, body := w.get(t, "/containerLogs/default/many/c")
	if n := strings.Count(body, "\n"); n != 600 || !strings.Contains(body, "seq=599 ") {
		t.Errorf("%d generated lines, the last %s", n, body[strings.LastIndex(body[:len(body)-1], "\n"):])
	}
	if _, again := w.get(t, "/containerLogs/default/many/c"); again != body {
		t.Error("generated lines differ from one reading to the next")
	}
	w.now = began.Add(30 * 24 * time.Hour)
	if _, body := w.get(t, "/containerLogs/default/many/c"); strings.Count(body, "\n") != mostEntries {
		t.Errorf("after a month %d lines", strings.Count(body, "\n"))
	}
}

func TestGeneratedLinesAreJSONIfAsked(t *testing.T) {
	g, err := newGenerator("30/m json", began, "seed")
	if err != nil {
		t.Fatal(err)
	}
	entries, next := g.read(began, began.Add(5*time.Second), 100)
	if len(entries) != 3 || !next.Equal(began.Add(6*time.Second)) {
		t.Fatalf("got %v, next %v", entries, next)
	}
	for i, e := range entries {
		var line struct {
			Time  string
			Level string
			Seq   int
		}
		if err := json.Unmarshal([]byte(e.text), &line); err != nil || line.Seq != i || line.Time != e.at.Format("2006-01-02T15:04:05.000Z") {
			t.Errorf("%v: %s", err, e.text)
		}
	}
	for _, wrong := range []string{"", "0/s", "-1/s", "2000/s", "1/d", "1/s xml", "NaN/s", "1e-300/h"} {
		if _, err := newGenerator(wrong, began, ""); err == nil {
			t.Errorf("%q is accepted", wrong)
		}
	}
}

func terminated(from, to time.Duration, id string) *corev1.ContainerStateTerminated {
	return &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(began.Add(from)), FinishedAt: metav1.NewTime(began.Add(to)),
		ContainerID: id}
}

func TestLogsAreOfTheRunThatIsAskedFor(t *testing.T) {
	waiting := func(reason string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason}}
	}
	ran := corev1.ContainerState{Terminated: terminated(0, 5*time.Second, "containerd://1")}
	tests := []struct {
		name   string
		status corev1.ContainerStatus
		query  string
		code   int
		want   string
	}{
		{"waits", corev1.ContainerStatus{State: waiting("ContainerCreating")}, "", 400,
			`container "c" in pod "web" is waiting to start: ContainerCreating`},
		{"no image", corev1.ContainerStatus{State: waiting("ErrImagePull")}, "", 400,
			`container "c" in pod "web" is waiting to start: image can't be pulled`},
		{"no image again", corev1.ContainerStatus{State: waiting("ImagePullBackOff")}, "", 400,
			`container "c" in pod "web" is waiting to start: trying and failing to pull image`},
		{"nothing", corev1.ContainerStatus{}, "", 400, `container "c" in pod "web" is waiting to start - no logs yet`},
		{"no other status", corev1.ContainerStatus{Name: "d"}, "", 400, `container "c" in pod "web" is not available`},
		{"never ran", corev1.ContainerStatus{State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}, "", 400,
			`container "c" in pod "web" is terminated`},
		{"not before", running("c", began), "previous=true", 400, `previous terminated container "c" in pod "web" not found`},
		{"ended", corev1.ContainerStatus{State: ran}, "", 200, "run 0\n"},
		{"ended, followed", corev1.ContainerStatus{State: ran}, "follow=true", 200, "run 0\n"},
		{"crashes", corev1.ContainerStatus{State: waiting("CrashLoopBackOff"), LastTerminationState: ran, RestartCount: 1}, "", 200,
			"run 0\n"},
		{"before", corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{
			StartedAt: metav1.NewTime(began.Add(7 * time.Second))}}, LastTerminationState: ran, RestartCount: 1}, "previous=1", 200, "run 0\n"},
		{"after", corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{
			StartedAt: metav1.NewTime(began.Add(7 * time.Second))}}, LastTerminationState: ran, RestartCount: 1}, "", 200,
			"run 7\nrun 17\n"},
	}
	for _, test := range tests {
		w := newWorld(t)
		w.conf.Pods.Set(newPod("web", nil, command("sh", "-c", `while true; do echo "run $(( $(date +%S) ))"; sleep 10; done`),
			func(p *corev1.Pod) {
				p.Spec.Containers[0].Command[2] = `while true; do echo "run $(date +%S)"; sleep 10; done`
				if test.status.Name == "" {
					test.status.Name = "c"
				}
				p.Status.ContainerStatuses = []corev1.ContainerStatus{test.status}
			}))
		w.now = began.Add(20 * time.Second)
		status, body := w.get(t, "/containerLogs/default/web/c?"+test.query)
		body = strings.ReplaceAll(strings.ReplaceAll(body, "run 00", "run 0"), "run 07", "run 7")
		if status != test.code || strings.TrimSpace(body) != strings.TrimSpace(test.want) {
			t.Errorf("%s: got %d %q, want %d %q", test.name, status, body, test.code, test.want)
		}
	}
}

// Followed lines come when they are written, and end with the container.
func TestFollowedLogsEndWithTheContainer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *Config) { c.Now = time.Now })
		start := time.Now()
		pod := func(change ...func(*corev1.Pod)) *corev1.Pod {
			return newPod("web", map[string]string{LogsGenerateAnnotation: "1/s"}, append(change, func(p *corev1.Pod) {
				if s := &p.Status.ContainerStatuses[0]; s.State.Running != nil {
					s.State.Running.StartedAt = metav1.NewTime(start)
				}
			})...)
		}
		w.conf.Pods.Set(pod())
		recorder := httptest.NewRecorder()
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			w.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet,
				"https://n1/containerLogs/default/web/c?follow=true&sinceSeconds=0&timestamps=true", nil))
		}()
		time.Sleep(3500 * time.Millisecond)
		synctest.Wait()
		if got := strings.Count(recorder.Body.String(), "\n"); got != 4 {
			t.Errorf("after 3.5 s %d lines:\n%s", got, recorder.Body)
		}
		w.conf.Pods.Set(pod(func(p *corev1.Pod) {
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				StartedAt: metav1.NewTime(start), FinishedAt: metav1.NewTime(start.Add(3 * time.Second)), ContainerID: "containerd://c"}}
		}))
		<-ended
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it was followed for %v", took)
		}
		if got := strings.Count(recorder.Body.String(), "\n"); got != 4 {
			t.Errorf("in the end %d lines:\n%s", got, recorder.Body)
		}
	})
}

func TestEnvironmentIsAsAKubeletMakesIt(t *testing.T) {
	w := newWorld(t)
	field := func(path string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: path}}
	}
	resourceField := func(name string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: name}}
	}
	secret := func(name string) *corev1.EnvVarSource {
		return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
			LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
	}
	pod := newPod("web", nil, requests("500m", "256Mi"), func(p *corev1.Pod) {
		p.Labels = map[string]string{"app": "shop"}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "A", Value: "1"}, {Name: "B", Value: "$(A)$(NONE)$$(A)"},
			{Name: "IP", ValueFrom: field("status.podIP")}, {Name: "APP", ValueFrom: field("metadata.labels['app']")},
			{Name: "NODE", ValueFrom: field("spec.nodeName")}, {Name: "CPU", ValueFrom: resourceField("requests.cpu")},
			{Name: "MEMORY", ValueFrom: resourceField("requests.memory")}, {Name: "LIMIT", ValueFrom: resourceField("limits.cpu")},
			{Name: "SECRET", ValueFrom: secret("other")}}
	})
	n, _ := w.conf.Node("n1")
	got := w.view(t.Context(), n, pod, &pod.Spec.Containers[0]).env
	for _, want := range []string{"HOSTNAME=web", "A=1", "B=1$(NONE)$(A)", "IP=10.0.0.20", "APP=shop", "NODE=n1", "CPU=1",
		"MEMORY=268435456", "LIMIT=2", "KUBERNETES_SERVICE_HOST=10.100.0.1"} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	if strings.Contains(strings.Join(got, " "), "SECRET") {
		t.Errorf("a secret that nobody has asked for has a value: %q", got)
	}
}
