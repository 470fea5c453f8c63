package kubeletapi

import (
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podhttp"
	"tripod/nodes/podlogs"
)

// loggedWorld is a world whose node n1 has log files, with the bubble's clock.
type loggedWorld struct {
	*world
	dir  string
	stop func() // as when the zone is killed: what is written is written
}

func newLoggedWorld(t *testing.T, dir string, limits podlogs.Limits) *loggedWorld {
	t.Helper()
	files := podlogs.NewNode(dir, limits, nil)
	w := &loggedWorld{dir: dir, world: newWorld(t, func(c *Config) {
		c.Now = time.Now
		c.LogFiles = func(node string) *podlogs.Node {
			if node == "n1" {
				return files
			}
			return nil
		}
	})}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.WriteLogs(ctx) }()
	w.stop = func() { cancel(); <-ended }
	t.Cleanup(w.stop)
	return w
}

// runningPod has a container c that runs since now.
func runningPod(name string, annotations map[string]string, change ...func(*corev1.Pod)) *corev1.Pod {
	return newPod(name, annotations, append([]func(*corev1.Pod){func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State.Running.StartedAt = metav1.NewTime(time.Now())
	}}, change...)...)
}

// text is what all log files of a pod have, in the order of its lines.
func (w *loggedWorld) text(t *testing.T, pod string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.dir, podlogs.PodsDir, "default_"+pod+"_*", "*", "*.log*"))
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(paths, func(a, b string) int { // 0.log is written now, and 0.log.20000101-000000 before
		return strings.Compare(strings.TrimSuffix(a, ".log")+"~", strings.TrimSuffix(b, ".log")+"~")
	})
	var all strings.Builder
	for _, path := range paths {
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		from := io.Reader(file)
		if strings.HasSuffix(path, ".gz") {
			if from, err = gzip.NewReader(file); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := io.Copy(&all, from); err != nil {
			t.Fatal(err)
		}
		file.Close()
	}
	return all.String()
}

// plainLines are what kubectl logs --timestamps shows of a file's text.
func plainLines(text string) string {
	return strings.NewReplacer(" stdout F ", " ", " stderr F ", " ").Replace(text)
}

func TestLogFilesHaveWhatPodsSay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLoggedWorld(t, t.TempDir(), podlogs.DefaultLimits)
		w.conf.Pods.Set(runningPod("talks", map[string]string{LogsAnnotation: "first\nsecond", LogsGenerateAnnotation: "2/s json"},
			command("sh", "-c", `echo "from $(hostname)" >&2; sleep 3; echo later`)))
		w.conf.Pods.Set(runningPod("silent", nil))
		w.conf.Pods.Set(runningPod("elsewhere", map[string]string{LogsAnnotation: "x"}, func(p *corev1.Pod) { p.Spec.NodeName = "n2" }))
		time.Sleep(5*time.Second + time.Millisecond)
		w.answer("talks", "GET /answered")
		time.Sleep(time.Second)
		synctest.Wait()
		got := w.text(t, "talks")
		for _, want := range []string{" stderr F from talks\n", " stdout F first\n", " stdout F second\n", " stdout F later\n", "GET /answered"} {
			if strings.Count(got, want) != 1 {
				t.Errorf("%d times %q in\n%s", strings.Count(got, want), want, got)
			}
		}
		if n := strings.Count(got, `"seq":`); n != 13 {
			t.Errorf("%d lines made up in 6 s", n)
		}
		if !slices.IsSorted(strings.Split(strings.TrimSpace(got), "\n")) {
			t.Errorf("not by time:\n%s", got)
		}
		if entries, err := os.ReadDir(filepath.Join(w.dir, podlogs.PodsDir)); err != nil || len(entries) != 1 {
			t.Errorf("pods that say nothing have files: %v %v", entries, err)
		}
	})
}

// answer has a pod answer a request.
func (w *loggedWorld) answer(pod, text string) {
	w.files.answered(types.UID("uid-"+pod), podhttp.Line{Container: "c", Text: text, At: time.Now()})
}

// What kubectl tells is what the files have, whatever is asked for.
func TestKubectlTellsWhatTheFilesHave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLoggedWorld(t, t.TempDir(), podlogs.DefaultLimits)
		start := time.Now()
		w.conf.Pods.Set(runningPod("web", map[string]string{LogsGenerateAnnotation: "20/s"}))
		ctx, cancel := context.WithCancel(t.Context())
		followed, ended := httptest.NewRecorder(), make(chan struct{})
		go func() {
			defer close(ended)
			w.Handler().ServeHTTP(followed, httptest.NewRequestWithContext(ctx, http.MethodGet,
				"https://n1/containerLogs/default/web/c?follow=true&timestamps=true", nil))
		}()
		for i := range 30 {
			time.Sleep(333 * time.Millisecond)
			w.answer("web", fmt.Sprint("request ", i))
		}
		_, all := w.get(t, "/containerLogs/default/web/c?timestamps=true")
		file := plainLines(w.text(t, "web"))
		if all != file || strings.Count(all, "\n") < 229 {
			t.Errorf("kubectl tells %d bytes, the file has %d", len(all), len(file))
		}
		lines := strings.SplitAfter(strings.TrimSuffix(file, "\n"), "\n")
		_, last := w.get(t, "/containerLogs/default/web/c?timestamps=true&tailLines=7")
		if want := strings.Join(lines[len(lines)-7:], "") + "\n"; last != want {
			t.Errorf("the last lines are\n%s, not\n%s", last, want)
		}
		since := start.Add(4 * time.Second)
		_, late := w.get(t, "/containerLogs/default/web/c?timestamps=true&sinceTime="+since.UTC().Format(time.RFC3339))
		at := slices.IndexFunc(lines, func(line string) bool { return line >= since.UTC().Format(podlogs.Stamp) })
		if want := strings.Join(lines[at:], "") + "\n"; late != want {
			t.Errorf("since then are %d bytes, not %d", len(late), len(want))
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if file := plainLines(w.text(t, "web")); followed.Body.String() != file {
			t.Errorf("followed are %d bytes, the file has %d", followed.Body.Len(), len(file))
		}
		cancel()
		<-ended
	})
}

func TestRestartsHaveFilesOfTheirOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newLoggedWorld(t, t.TempDir(), podlogs.DefaultLimits)
		first := time.Now()
		w.conf.Pods.Set(runningPod("web", map[string]string{LogsGenerateAnnotation: "1/s"}))
		time.Sleep(3*time.Second + 500*time.Millisecond)
		w.answer("web", "the last answer")
		w.conf.Pods.Set(runningPod("web", map[string]string{LogsGenerateAnnotation: "1/s"}, func(p *corev1.Pod) {
			s := &p.Status.ContainerStatuses[0]
			s.RestartCount, s.ContainerID = 1, "containerd://second"
			s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{StartedAt: metav1.NewTime(first),
				FinishedAt: metav1.NewTime(first.Add(3 * time.Second)), ContainerID: "containerd://c"}
		}))
		time.Sleep(2*time.Second + 100*time.Millisecond)
		_, before := w.get(t, "/containerLogs/default/web/c?previous=true")
		if strings.Count(before, "\n") != 5 || !strings.HasSuffix(before, "the last answer\n") {
			t.Errorf("the run before:\n%s", before)
		}
		if _, now := w.get(t, "/containerLogs/default/web/c"); strings.Count(now, "\n") != 3 {
			t.Errorf("the run of now:\n%s", now)
		}
		for link, want := range map[string]string{"web_default_c-c.log": "0.log", "web_default_c-second.log": "1.log"} {
			to, err := os.Readlink(filepath.Join(w.dir, podlogs.ContainersDir, link))
			if err != nil || filepath.Base(to) != want {
				t.Errorf("%s leads to %q (%v)", link, to, err)
			}
		}
		w.conf.Pods.Remove(w.conf.Pods.Pod("default", "web"))
		w.RemoveLogs("n1", "uid-web")
		synctest.Wait()
		if got := w.LoggedPods("n1"); len(got) > 0 {
			t.Errorf("the pod has gone, and there are logs of %v", got)
		}
	})
}

// A zone that is killed and comes back goes on where it was: each line is there once.
func TestLogFilesGoOnAfterAKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		pod := runningPod("web", map[string]string{LogsGenerateAnnotation: "1000/s"})
		limits := podlogs.Limits{Size: 1 << 20, Files: 100, Budget: 1 << 30}
		for range 5 {
			w := newLoggedWorld(t, dir, limits)
			w.conf.Pods.Set(pod)
			time.Sleep(5 * time.Second)
			w.stop()
			time.Sleep(7 * time.Second)
		}
		w := newLoggedWorld(t, dir, limits)
		w.conf.Pods.Set(pod)
		w.answer("web", "now")
		_, body := w.get(t, "/containerLogs/default/web/c?tailLines=1")
		seen := 0
		for line := range strings.Lines(w.text(t, "web")) {
			if want := fmt.Sprintf(" seq=%d ", seen); strings.Contains(line, " seq=") {
				if !strings.Contains(line, want) {
					t.Fatalf("after %d lines comes %s", seen, line)
				}
				seen++
			}
		}
		if seen < 60_000 {
			t.Errorf("of a minute there are %d lines; the last is %s", seen, body)
		}
	})
}
