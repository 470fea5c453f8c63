package kubeletapi

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubelet "k8s.io/kubelet/config/v1beta1"

	"tripod/nodes/podhttp"
	"tripod/nodes/podset"
)

var began = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

// world is an API with two nodes, n1 and n2, and a clock of its own.
type world struct {
	*API
	now time.Time
}

func newWorld(t testing.TB, change ...func(*Config)) *world {
	t.Helper()
	w := &world{now: began}
	log := slog.New(slog.DiscardHandler)
	pods := podset.New()
	server := podhttp.New(podhttp.Config{Zone: "us-east-1a", Pods: pods, Logger: log})
	t.Cleanup(server.Close)
	nodes := map[string]Node{}
	for name, address := range map[string]string{"n1": "10.0.0.1", "n2": "10.0.0.2"} {
		n := Node{Name: name, Address: netip.MustParseAddr(address), ProviderID: "aws:///us-east-1a/i-1", Version: "v1.36.2-eks-1",
			Since: began, Capacity: corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("7910184Ki"),
				"pods": resource.MustParse("29"), "ephemeral-storage": resource.MustParse("20Gi")},
			Allocatable: corev1.ResourceList{"cpu": resource.MustParse("1930m"), "memory": resource.MustParse("7220008Ki"),
				"pods": resource.MustParse("29")}}
		nodes[name], nodes[address] = n, n
	}
	conf := Config{
		Pods: pods, HTTP: server, Logger: log, Now: func() time.Time { return w.now },
		Node: func(name string) (Node, bool) { n, ok := nodes[name]; return n, ok },
		Only: func() (Node, bool) { return Node{}, false },
	}
	for _, c := range change {
		c(&conf)
	}
	w.API = New(conf)
	t.Cleanup(w.Close)
	return w
}

// get asks node n1.
func (w *world) get(t *testing.T, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "https://n1:10250"+path, nil)
	w.Handler().ServeHTTP(recorder, r)
	return recorder.Code, recorder.Body.String()
}

// newPod is a running, ready pod of n1 with one container c.
func newPod(name string, annotations map[string]string, change ...func(*corev1.Pod)) *corev1.Pod {
	start := metav1.NewTime(began)
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name), Annotations: annotations},
		Spec:       corev1.PodSpec{NodeName: "n1", Containers: []corev1.Container{{Name: "c", Image: "app:1"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.20", HostIP: "10.0.0.1", StartTime: &start,
			ContainerStatuses: []corev1.ContainerStatus{running("c", began)}},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func running(name string, since time.Time) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: name, Ready: true, ImageID: "app@sha256:0", ContainerID: "containerd://" + name,
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(since)}}}
}

func requests(cpu, memory string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.Containers[0].Resources.Requests = corev1.ResourceList{"cpu": resource.MustParse(cpu),
			"memory": resource.MustParse(memory)}
	}
}

func TestEachNodeAnswersForItself(t *testing.T) {
	w := newWorld(t)
	w.conf.Pods.Set(newPod("web", nil))
	w.conf.Pods.Set(newPod("other", nil, func(p *corev1.Pod) { p.Spec.NodeName = "n2" }))
	w.conf.Pods.Set(newPod("done", nil, func(p *corev1.Pod) {
		p.Status.ContainerStatuses[0].State = corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}
	}))
	names := func(path string) string {
		status, body := w.get(t, path)
		var list corev1.PodList
		if err := json.Unmarshal([]byte(body), &list); err != nil || status != 200 || list.Kind != "PodList" {
			t.Fatalf("%s: %d, %v, %s", path, status, err, body)
		}
		var all []string
		for _, p := range list.Items {
			all = append(all, p.Name)
		}
		return strings.Join(all, " ")
	}
	if got := names("/pods"); got != "done web" {
		t.Errorf("pods: %s", got)
	}
	if got := names("/runningpods/"); got != "web" {
		t.Errorf("running pods: %s", got)
	}
	for path, want := range map[string]string{
		"/healthz": "ok", "/healthz/ping": "ok", "/healthz/syncloop": "ok",
		"/healthz?verbose": "[+]ping ok\n[+]log ok\n[+]syncloop ok\nhealthz check passed\n",
		"/logs/":           "<!doctype html>\n<meta name=\"viewport\" content=\"width=device-width\">\n<pre>\n</pre>\n",
	} {
		if status, body := w.get(t, path); status != 200 || body != want {
			t.Errorf("%s: got %d %q, want %q", path, status, body, want)
		}
	}
	for path, want := range map[string]int{"/logs/passwd": 404, "/logs/?query=kubelet": 404, "/checkpoint/a/b/c": 404} {
		if status, body := w.get(t, path); status != want {
			t.Errorf("%s: got %d %q, want %d", path, status, body, want)
		}
	}
	recorder := httptest.NewRecorder()
	w.Handler().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "https://n9/pods", nil))
	if recorder.Code != 404 || !strings.Contains(recorder.Body.String(), "it is not known which node of the zone is meant") {
		t.Errorf("an unknown node: %d %s", recorder.Code, recorder.Body)
	}
}

func TestConfigurationIsAsNodeadmWritesIt(t *testing.T) {
	w := newWorld(t)
	_, body := w.get(t, "/configz")
	var got struct {
		Config kubelet.KubeletConfiguration `json:"kubeletconfig"`
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil {
		t.Fatal(err)
	}
	c := got.Config
	if c.MaxPods != 29 || c.ClusterDNS[0] != "10.100.0.10" || c.EvictionHard["memory.available"] != "100Mi" ||
		c.ProviderID != "aws:///us-east-1a/i-1" || c.CgroupDriver != "systemd" {
		t.Errorf("got %+v", c)
	}
	// 255 MiB and 11 MiB a pod; 6 % of the first core and 1 % of the second.
	if c.KubeReserved["memory"] != "574Mi" || c.KubeReserved["cpu"] != "70m" || c.KubeReserved["ephemeral-storage"] != "1Gi" {
		t.Errorf("reserved: %v", c.KubeReserved)
	}
}

func TestStreamsAreBounded(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.MaxStreams = 1 })
	w.conf.Pods.Set(newPod("web", nil))
	server := httptest.NewServer(w.Handler())
	defer server.Close()
	resp, err := http.Get(server.URL + "/containerLogs/default/web/c?follow=true")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	second, err := http.Get(server.URL + "/containerLogs/default/web/c")
	if err != nil {
		t.Fatal(err)
	}
	defer second.Body.Close()
	if body, _ := io.ReadAll(second.Body); second.StatusCode != 503 {
		t.Errorf("got %s %s", second.Status, body)
	}
	w.Close() // ends what is followed
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Error(err)
	}
}
