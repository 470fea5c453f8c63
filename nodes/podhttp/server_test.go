package podhttp

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/network"
	"tripod/nodes/podfiles"
	"tripod/nodes/podset"
)

var client = netip.MustParseAddrPort("10.0.0.20:40000")

// newPod is a running, ready pod whose container web listens on 8080.
func newPod(name string, annotations map[string]string, change ...func(*corev1.Pod)) *corev1.Pod {
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID("uid-" + name), Annotations: annotations},
		Spec: corev1.PodSpec{NodeName: "ip-10-0-0-40.ec2.internal", Containers: []corev1.Container{{Name: "web", Image: "app:1",
			Ports: []corev1.ContainerPort{{ContainerPort: 8080}}}}},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, PodIP: "10.0.0.50", HostIP: "10.0.0.40",
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
			ContainerStatuses: []corev1.ContainerStatus{{Name: "web", Ready: true,
				State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}},
		},
	}
	for _, c := range change {
		c(pod)
	}
	return pod
}

// serve answers for pods until the test's end.
func serve(t *testing.T, c Config, pods ...*corev1.Pod) *Server {
	t.Helper()
	c.Zone, c.Pods, c.Logger = "us-east-1a", podset.New(), slog.New(slog.DiscardHandler)
	for _, pod := range pods {
		c.Pods.Set(pod)
	}
	s := New(c)
	c.Pods.OnChange(func(old, current *corev1.Pod) {
		if current == nil {
			s.Forget(old.UID)
		}
	})
	t.Cleanup(s.Close)
	return s
}

// get asks a pod's port.
func get(t *testing.T, s *Server, pod *corev1.Pod, port int, path string, header ...string) (*http.Response, string, error) {
	t.Helper()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return s.Dial(ctx, pod, port, client)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://web.example"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		request.Header.Set(name, value)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 5 * time.Second}).Do(request)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body), nil
}

func TestPodSaysWhoHasAnswered(t *testing.T) {
	pod := newPod("web-1", nil)
	s := serve(t, Config{}, pod)
	resp, body, err := get(t, s, pod, 8080, "/shop?item=1", "X-Shop: yes")
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("X-Pod") != "default/web-1" || resp.Header.Get("X-Zone") != "us-east-1a" {
		t.Errorf("got %v", resp)
	}
	for _, part := range []string{"Hostname: web-1\n", "Namespace: default\n", "Node: ip-10-0-0-40.ec2.internal\n",
		"Zone: us-east-1a\n", "IP: 10.0.0.50\n", "Address: 10.0.0.50:8080\n", "RemoteAddr: 10.0.0.20:40000\n",
		"GET /shop?item=1 HTTP/1.1\nHost: web.example\n", "X-Shop: yes\n"} {
		if !strings.Contains(body, part) {
			t.Errorf("no %q in\n%s", part, body)
		}
	}
	for path, header := range map[string]string{"/api": "A: b", "/?format=json": "A: b", "/": "Accept: application/json"} {
		_, body, err := get(t, s, pod, 8080, path, header)
		var p page
		if err != nil || json.Unmarshal([]byte(body), &p) != nil || p.Pod != "web-1" || p.Headers.Get("User-Agent") == "" {
			t.Errorf("%s with %s: %v, %q", path, header, err, body)
		}
	}
	resp, body, err = get(t, s, pod, 8080, "/<script>", "Accept: text/html,*/*")
	if err != nil || !strings.HasPrefix(body, "<!DOCTYPE html>") || strings.Contains(body, "<script>") ||
		resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("HTML: %v, %v, %s", err, resp.Header, body)
	}
}

func TestAnnotationsSayHowAPodAnswers(t *testing.T) {
	tests := []struct {
		name        string
		annotations map[string]string
		status      int // 0: the connection is reset
		body        string
	}{
		{"status", map[string]string{StatusAnnotation: "503"}, 503, "Hostname: "},
		{"of the port", map[string]string{StatusAnnotation: "503", StatusAnnotation + ".8080": "201"}, 201, "Hostname: "},
		{"of another port", map[string]string{StatusAnnotation + ".81": "503"}, 200, "Hostname: "},
		{"body", map[string]string{BodyAnnotation: `{"a":1}`}, 200, `{"a":1}`},
		{"empty body", map[string]string{BodyAnnotation: "", StatusAnnotation: "204"}, 204, ""},
		{"fails", map[string]string{FailAnnotation: "100%"}, 500, "tripod: this request fails"},
		{"fails with", map[string]string{FailAnnotation: "100% 429"}, 429, "tripod: this request fails"},
		{"never fails", map[string]string{FailAnnotation: "0"}, 200, "Hostname: "},
		{"reset", map[string]string{FailAnnotation: "100% reset"}, 0, ""},
		{"latency", map[string]string{LatencyAnnotation: "1ms-2ms"}, 200, "Hostname: "},
		{"wrong status", map[string]string{StatusAnnotation: "99"}, 500,
			`tripod: pod default/web: annotation tripod.internal/http-status must be an HTTP status from 200 to 599, not "99"`},
		{"wrong latency", map[string]string{LatencyAnnotation: "2h"}, 500, "tripod: pod default/web: annotation"},
		{"wrong range", map[string]string{LatencyAnnotation: "2s-1s"}, 500, "tripod: pod default/web: annotation"},
		{"wrong share", map[string]string{FailAnnotation + ".8080": "NaN"}, 500,
			"tripod: pod default/web: annotation tripod.internal/http-fail.8080"},
	}
	for _, test := range tests {
		pod := newPod("web", test.annotations)
		resp, body, err := get(t, serve(t, Config{}, pod), pod, 8080, "/")
		if test.status == 0 {
			if err == nil {
				t.Errorf("%s: got %v, want a reset", test.name, resp.Status)
			}
			continue
		}
		if err != nil || resp.StatusCode != test.status || !strings.HasPrefix(body, test.body) {
			t.Errorf("%s: got %v, %v, %q, want %d, %q", test.name, err, resp, body, test.status, test.body)
		}
	}
}

func TestHealthFollowsThePodsReadiness(t *testing.T) {
	pod := newPod("web", map[string]string{StatusAnnotation: "500"})
	s := serve(t, Config{}, pod)
	if resp, body, err := get(t, s, pod, 8080, "/healthz"); err != nil || resp.StatusCode != 200 || body != "ok\n" {
		t.Errorf("ready: %v, %v, %q", err, resp, body)
	}
	gated := newPod("web", nil, func(p *corev1.Pod) { p.Status.Conditions = nil })
	s.config.Pods.Set(gated)
	if resp, _, err := get(t, s, gated, 8080, "/readyz"); err != nil || resp.StatusCode != 503 {
		t.Errorf("not ready: %v, %v", err, resp)
	}
}

func TestNothingListensWhereNoReadyContainerDoes(t *testing.T) {
	image := func(image string) func(*corev1.Pod) {
		return func(p *corev1.Pod) { p.Spec.Containers[0].Image, p.Spec.Containers[0].Ports = image, nil }
	}
	tests := []struct {
		name   string
		pod    *corev1.Pod
		port   int
		refuse string
	}{
		{"undeclared", newPod("web", nil), 81, "connection refused: pod default/web listens on 8080, not on 81"},
		{"by annotation", newPod("web", map[string]string{PortsAnnotation: "81, 82"}), 82, ""},
		{"UDP", newPod("web", nil, func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].Protocol = corev1.ProtocolUDP }), 8080,
			"connection refused: pod default/web declares no TCP port"},
		{"waits", newPod("web", nil, func(p *corev1.Pod) { p.Status.ContainerStatuses[0].State = corev1.ContainerState{} }), 8080,
			"connection refused: container web of pod default/web is not running"},
		{"not ready", newPod("web", nil, func(p *corev1.Pod) { p.Status.ContainerStatuses[0].Ready = false }), 8080,
			"connection refused: container web of pod default/web is not ready"},
		{"nginx's image", newPod("web", nil, image("docker.io/library/nginx:1.27@sha256:0")), 80, ""},
		{"nginx at ECR", newPod("web", nil, image("public.ecr.aws/nginx/nginx:latest")), 80, ""},
		{"another image", newPod("web", nil, image("nginx-exporter")), 80, "connection refused"},
		{"probed", newPod("web", nil, func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = nil
			p.Spec.Containers[0].ReadinessProbe = &corev1.Probe{}
			p.Spec.Containers[0].ReadinessProbe.TCPSocket = &corev1.TCPSocketAction{}
			p.Spec.Containers[0].ReadinessProbe.TCPSocket.Port.IntVal = 5432
		}), 5432, ""},
	}
	for _, test := range tests {
		conn, err := serve(t, Config{}, test.pod).Dial(t.Context(), test.pod, test.port, client)
		if conn != nil {
			conn.Close()
		}
		if test.refuse == "" && err != nil || test.refuse != "" && (err == nil || !strings.HasPrefix(err.Error(), test.refuse)) {
			t.Errorf("%s: got %v, want %q", test.name, err, test.refuse)
		}
	}
}

func TestConnectionsEndWithTheirPodAndTheServer(t *testing.T) {
	pod, other := newPod("web", nil), newPod("other", nil)
	s := serve(t, Config{}, pod, other)
	dial := func(p *corev1.Pod) net.Conn {
		conn, err := s.Dial(t.Context(), p, 8080, client)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(5 * time.Second))
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1), nil); err != nil || resp.StatusCode != 200 {
			t.Fatalf("got %v, %v", resp, err)
		}
		return conn
	}
	first, second := dial(pod), dial(other)
	s.config.Pods.Remove(pod)
	if _, err := io.ReadAll(first); err != nil && isTimeout(err) {
		t.Error("the connection outlived its pod")
	}
	if lines := s.requests.Lines(pod.UID, "web"); len(lines) > 0 || s.requests.Traffic(pod.UID, time.Now()).Requests > 0 {
		t.Errorf("the pod's requests are kept: %v", lines)
	}
	s.Close()
	if _, err := io.ReadAll(second); err != nil && isTimeout(err) {
		t.Error("the connection outlived the server")
	}
	if _, err := s.Dial(t.Context(), other, 8080, client); !errors.Is(err, errClosed) {
		t.Errorf("Dial after Close: %v", err)
	}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

func TestConnectionsAreBounded(t *testing.T) {
	pod, other, third := newPod("web", nil), newPod("other", nil), newPod("third", nil)
	s := serve(t, Config{MaxConnections: 3, MaxPerPod: 2}, pod, other, third)
	dial := func(p *corev1.Pod) error {
		conn, err := s.Dial(t.Context(), p, 8080, client)
		if err == nil {
			t.Cleanup(func() { conn.Close() })
		}
		return err
	}
	for _, p := range []*corev1.Pod{pod, pod, other} {
		if err := dial(p); err != nil {
			t.Fatal(err)
		}
	}
	if err := dial(third); err == nil || err.Error() != "the zone's pods have 3 connections already" {
		t.Errorf("got %v", err)
	}
	s.config.Pods.Remove(other)
	if err := dial(pod); err == nil || err.Error() != "pod default/web has 2 connections already" {
		t.Errorf("got %v", err)
	}
	if err := dial(third); err != nil {
		t.Error(err)
	}
}

func TestLocalAddressComesBeforeThePodsOwnAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "local") }))
	port := l.Addr().(*net.TCPAddr).Port
	errOther := errors.New("not allowed")
	pod := newPod("hook", map[string]string{LocalAddressAnnotation: l.Addr().String(), LocalAddressAnnotation + ".22": "127.0.0.1:22"})
	s := serve(t, Config{LocalPort: func(p int) error {
		if p != port {
			return errOther
		}
		return nil
	}}, pod)
	if _, body, err := get(t, s, pod, 443, "/"); err != nil || body != "local" {
		t.Errorf("got %q, %v", body, err)
	}
	if _, err := s.Dial(t.Context(), pod, 22, client); !errors.Is(err, errOther) || !errors.Is(err, network.ErrNotAllowed) {
		t.Errorf("got %v, want the operator's refusal", err)
	}
	answer, err := s.Answer(t.Context(), pod, 443, client)
	if err != nil {
		t.Fatal(err)
	}
	near, far := net.Pipe()
	go answer(far)
	near.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(near, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	if got, _ := io.ReadAll(near); !strings.HasSuffix(string(got), "local") {
		t.Errorf("got %q", got)
	}
	near.Close()
}

func TestRequestsAreKeptWithinBounds(t *testing.T) {
	r := NewRequests()
	at := time.Unix(1000, 0)
	for i := range 3 * mostLines {
		r.now = func() time.Time { return at.Add(time.Duration(i) * 100 * time.Millisecond) }
		r.add("a", Line{Container: "web", Text: fmt.Sprint(i, strings.Repeat("x", 2*mostLine))}, 10, 20)
	}
	lines := r.Lines("a", "web")
	if len(lines) != mostLines || len(lines[0].Text) != mostLine || !strings.HasPrefix(lines[0].Text, "200x") {
		t.Errorf("got %d lines, the first %q", len(lines), lines[0].Text)
	}
	now := at.Add(30 * time.Second)
	if got := r.Traffic("a", now); got.Requests != 300 || got.In != 3000 || got.Out != 6000 || got.PerSecond != 10 {
		t.Errorf("got %+v", got)
	}
	if got := r.Traffic("a", now.Add(time.Minute)); got.PerSecond != 0 {
		t.Errorf("a minute later: %+v", got)
	}
	for i := range 3 * mostBytes / (mostLines * mostLine) {
		for range mostLines {
			r.add(types.UID(fmt.Sprint(i)), Line{Container: "web", Text: strings.Repeat("x", mostLine)}, 0, 0)
		}
	}
	if r.bytes > mostBytes || r.bytes < mostBytes/2 {
		t.Errorf("%d bytes are kept", r.bytes)
	}
	if lines := r.Lines("a", "web"); len(lines) > 0 || r.Traffic("a", now).Requests != 300 {
		t.Error("of the pod that answered first the lines should be dropped, and the numbers kept")
	}
	for uid := range r.pods {
		r.Forget(uid)
	}
	if r.bytes != 0 || r.byUse.Len() != 0 {
		t.Errorf("%d bytes, %d pods remain", r.bytes, r.byUse.Len())
	}
}

func TestAgnhostServesItsHostname(t *testing.T) {
	for name, change := range map[string]func(*corev1.Container){
		"by its image": func(c *corev1.Container) {
			c.Image, c.Args = "registry.k8s.io/e2e-test-images/agnhost:2.56", []string{"serve-hostname"}
		},
		"by its path": func(c *corev1.Container) { c.Command = []string{"/agnhost", "serve-hostname", "--port=8080"} },
	} {
		pod := newPod("web", nil, func(p *corev1.Pod) { change(&p.Spec.Containers[0]) })
		if _, body, err := get(t, serve(t, Config{}, pod), pod, 8080, "/"); err != nil || body != "web" {
			t.Errorf("%s: got %q, %v", name, body, err)
		}
	}
}

func TestAgnhostListensWhereItsOptionsSay(t *testing.T) {
	pod := newPod("web", nil, func(p *corev1.Pod) {
		c := &p.Spec.Containers[0]
		c.Image, c.Args, c.Ports = "registry.k8s.io/e2e-test-images/agnhost:2.66", []string{"netexec", "--http-port", "8083"}, nil
	})
	s := serve(t, Config{}, pod)
	if resp, _, err := get(t, s, pod, 8083, "/echo?msg=x"); err != nil || resp.StatusCode != http.StatusOK {
		t.Errorf("got %v, %v", resp, err)
	}
	if _, _, err := get(t, s, pod, 8080, "/"); err == nil {
		t.Error("it listens where it does not")
	}
}

func TestPagesOfKnownImagesAreServedUntilTheyAreMovedAway(t *testing.T) {
	pod := newPod("web", nil, func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.k8s.io/e2e-test-images/nautilus:1.7" })
	moves := &podfiles.Moves{}
	s := serve(t, Config{Moves: moves}, pod)
	resp, body, err := get(t, s, pod, 8080, "/data.json")
	if err != nil || resp.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"image": "nautilus.jpg"`) {
		t.Errorf("got %v, %q, %v", resp, body, err)
	}
	if _, err := moves.Move(pod, "web", "/data.json", "/tmp/"); err != nil {
		t.Fatal(err)
	}
	if resp, _, err := get(t, s, pod, 8080, "/data.json"); err != nil || resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %v, %v", resp, err)
	}
}

func TestFollowersAreToldOfTheirOwnPodsRequests(t *testing.T) {
	r := NewRequests()
	next, end := r.Follow("a")
	_, endSecond := r.Follow("a")
	told := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	before := next()
	r.add("b", Line{}, 0, 0)
	if told(before) {
		t.Error("a follower was told of another pod's request")
	}
	r.add("a", Line{}, 0, 0)
	if !told(before) || told(next()) {
		t.Error("a request was not told to its follower, or one was that is still to come")
	}
	end()
	if len(r.followers) != 1 {
		t.Error("the second follower was forgotten with the first")
	}
	if endSecond(); len(r.followers) != 0 {
		t.Error("followers that have gone are remembered")
	}
}

func TestARequestIsLoggedAsWebServersDo(t *testing.T) {
	pod := newPod("web", map[string]string{BodyAnnotation: "hello"})
	s := serve(t, Config{}, pod)
	if _, _, err := get(t, s, pod, 8080, "/a%22b", "User-Agent: curl/8.5.0"); err != nil {
		t.Fatal(err)
	}
	next, end := s.requests.Follow(pod.UID)
	defer end()
	deadline := time.Now().Add(5 * time.Second)
	for {
		answered := next()
		lines := s.requests.Lines(pod.UID, "web")
		if len(lines) == 1 {
			want := `"GET /a%22b HTTP/1.1" 200 5 "-" "curl/8.5.0"`
			if got := lines[0].Text; !strings.HasPrefix(got, "10.0.0.20 - - [") || !strings.HasSuffix(got, want) {
				t.Errorf("got %s", got)
			}
			return
		}
		select {
		case <-answered:
		case <-time.After(time.Until(deadline)):
			t.Fatal("no line within 5 s")
		}
	}
}

func TestLocalAddressesAreLoopbacksThatAreAllowed(t *testing.T) {
	errOther := errors.New("the operator has not allowed it")
	allowed := func(port int) error {
		if port != 9443 && port != 8081 {
			return errOther
		}
		return nil
	}
	pod := newPod("hook", map[string]string{LocalAddressAnnotation: "127.0.0.1:9443", LocalAddressAnnotation + ".8080": "localhost:8081",
		LocalAddressAnnotation + ".22": "192.168.1.1:22", LocalAddressAnnotation + ".5432": "127.0.0.1:5432",
		LocalAddressAnnotation + ".1": "127.0.0.1", LocalAddressAnnotation + ".2": "127.0.0.1:0"})
	tests := []struct {
		port int
		want string // or a part of the error, after "!"
	}{
		{443, "127.0.0.1:9443"},
		{8080, "127.0.0.1:8081"},
		{22, "!pod default/hook: annotation tripod.internal/local-address.22 must be a loopback address with a port like"},
		{5432, "!pod default/hook: annotation tripod.internal/local-address.5432: the operator has not allowed it"},
		{1, "!must be a loopback address"},
		{2, "!must be a loopback address"},
	}
	for _, test := range tests {
		got, err := LocalAddress(pod, test.port, allowed)
		if part, fails := strings.CutPrefix(test.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("port %d: got %q, %v, want an error with %q", test.port, got, err, part)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("port %d: got %q, %v, want %q", test.port, got, err, test.want)
		}
	}
	if _, err := LocalAddress(newPod("plain", nil), 80, allowed); err == nil ||
		!strings.Contains(err.Error(), "has no annotation tripod.internal/local-address") {
		t.Errorf("got %v", err)
	}
}
