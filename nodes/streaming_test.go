package nodes

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/transport/spdy"
	utilexec "k8s.io/client-go/util/exec"
)

// annotated gives a pod annotations, and has it run with that address.
func annotated(ip string, annotations map[string]string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Annotations = annotations
		p.Status.PodIP, p.Status.Phase = ip, corev1.PodRunning
	}
}

// pending is a pod that the simulator has not seen yet.
func pending(p *corev1.Pod) { p.Status = corev1.PodStatus{Phase: corev1.PodPending} }

// listens has the pod's container listen on a port.
func listens(port int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Ports = []corev1.ContainerPort{{ContainerPort: port}} }
}

// stream runs exec or attach for a container and returns what ends it.
func stream(ctx context.Context, t *testing.T, conf *rest.Config, request string, options remotecommand.StreamOptions) error {
	t.Helper()
	target, err := url.Parse(conf.Host + request)
	if err != nil {
		t.Fatal(err)
	}
	executor, err := remotecommand.NewSPDYExecutor(conf, http.MethodPost, target)
	if err != nil {
		t.Fatal(err)
	}
	return executor.StreamWithContext(ctx, options)
}

func TestExecDoesWhatPlainCommandsSay(t *testing.T) {
	_, _, conf := serveKubelet(t, newPod("web", firstNode(), func(p *corev1.Pod) {
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "COLOR", Value: "blue"},
			{Name: "ME", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "metadata.name"}}}}
	}))
	tests := []struct {
		argv      []string
		in        string
		out, errs string
		code      int
	}{
		{argv: []string{"echo", "hello"}, out: "hello\n"},
		{argv: []string{"printenv", "COLOR", "ME"}, out: "blue\nweb\n"},
		{argv: []string{"hostname"}, out: "web\n"},
		{argv: []string{"cat", "/etc/hostname"}, out: "web\n"},
		{argv: []string{"cat"}, in: "from outside", out: "from outside"},
		{argv: []string{"sh", "-c", "echo bad >&2; sleep 0.01; exit 3"}, errs: "bad\n", code: 3},
		{argv: []string{"sh", "-x", "-c", "mv -v /usr/share/nginx/html/index.html /tmp/ || true"},
			out: "'/usr/share/nginx/html/index.html' -> '/tmp/index.html'\n"},
		{argv: []string{"mv", "/usr/share/nginx/html/index.html", "/tmp/"}, code: 1,
			errs: "mv: can't rename '/usr/share/nginx/html/index.html': No such file or directory\n"},
		{argv: []string{"mv", "/etc/passwd", "/tmp/"}, code: 126, errs: "tripod: "},
		{argv: []string{"ls"}, code: 126, errs: "tripod: pod default/web is on a simulated node, which runs no process."},
	}
	for _, test := range tests {
		query := url.Values{"command": test.argv, "output": {"1"}, "error": {"1"}}
		options := remotecommand.StreamOptions{}
		var out, errs bytes.Buffer
		options.Stdout, options.Stderr = &out, &errs
		if test.in != "" {
			query.Set("input", "1")
			options.Stdin = strings.NewReader(test.in)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		err := stream(ctx, t, conf, "/exec/default/web/c?"+query.Encode(), options)
		cancel()
		var exit utilexec.ExitError
		if test.code == 0 && err != nil || test.code != 0 && (!errors.As(err, &exit) || exit.ExitStatus() != test.code) {
			t.Errorf("%q: got error %v, want exit code %d", test.argv, err, test.code)
		}
		if out.String() != test.out || !strings.HasPrefix(errs.String(), test.errs) {
			t.Errorf("%q: got %q, %q, want %q, %q", test.argv, out.String(), errs.String(), test.out, test.errs)
		}
	}
}

func TestExecInWhatDoesNotRunFails(t *testing.T) {
	_, server, conf := serveKubelet(t, newPod("web", firstNode()))
	for request, want := range map[string]string{
		"/exec/default/none/c?command=true&output=1": "pod does not exist",
		"/exec/default/web/d?command=true&output=1":  `container not found ("d")`,
		"/attach/default/web/other/c?output=1":       "pod does not exist",
		"/exec/default/web/c?command=true":           "you must specify at least 1 of stdin, stdout, stderr",
		"/containerLogs/default/none/c":              `pod "none" does not exist`,
		"/containerLogs/default/web/d":               `container "d" not found in pod "web"`,
		"/containerLogs/default/web/c?previous=true": `previous terminated container "c" in pod "web" not found`,
		"/containerLogs/default/web/c?tailLines=x":   "Unable to decode query",
	} {
		if status, body := get(t, conf, server+request); status < 400 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d %q, want %q", request, status, body, want)
		}
	}
}

// buffer is written to by one goroutine and read by another.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestAttachStreamsUntilTheContainerEnds(t *testing.T) {
	pod := newPod("web", firstNode(), annotated("", map[string]string{"tripod.internal/logs-generate": "200/s"}), pending)
	s, _, conf := serveKubelet(t, pod)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	out := &buffer{}
	ended := make(chan error, 1)
	go func() {
		ended <- stream(ctx, t, conf, "/attach/default/web/c?output=1&tty=1", remotecommand.StreamOptions{Stdout: out, Tty: true})
	}()
	eventually(t, "lines arrive", func() (string, bool) {
		return out.String(), strings.Count(out.String(), "method=") > 3 && strings.Contains(out.String(), "\r\n")
	})
	s.current().pods.Remove(pod)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestFollowedLogsTellOfRequestsAndEndWithTheirReader(t *testing.T) {
	s, server, conf := serveKubelet(t, newPod("web", firstNode(), listens(8080)))
	client, err := rest.HTTPClientFor(conf)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server+"/containerLogs/default/web/c?follow=true&timestamps=true", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ask(t, s, "web", 8080)
	line := make([]byte, 200)
	n, err := io.ReadAtLeast(resp.Body, line, 80)
	if _, text, _ := strings.Cut(string(line[:n]), " "); err != nil || !strings.HasPrefix(text, "0.0.0.0 - - [") {
		t.Errorf("got %q, %v", line[:n], err)
	}
	cancel()
	eventually(t, "the reader is gone", func() (string, bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for k := range s.servers {
			k.mu.Lock()
			open := len(k.conns)
			k.mu.Unlock()
			return fmt.Sprint(open), open == 0
		}
		return "no server", false
	})
}

// ask sends a request to a pod's port, by its name, and returns the answer.
func ask(t *testing.T, s *Simulator, name string, port int) string {
	t.Helper()
	z := s.current()
	conn, err := z.http.Dial(t.Context(), z.pods.Pod("default", name), port, noAddress)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func TestPortForwardLeadsToThePod(t *testing.T) {
	_, server, conf := serveKubelet(t, newPod("web", firstNode(), listens(8080)))
	transport, upgrader, err := spdy.RoundTripperFor(conf)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(server + "/portForward/default/web")
	if err != nil {
		t.Fatal(err)
	}
	stop, ready := make(chan struct{}), make(chan struct{})
	forward, err := portforward.New(spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target),
		[]string{"0:8080", "0:81"}, stop, ready, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- forward.ForwardPorts() }()
	<-ready
	ports, err := forward.GetPorts()
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[0].Local))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil || !strings.HasPrefix(string(body), "Hostname: web\n") {
		t.Errorf("got %q, %v", body, err)
	}
	if resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/", ports[1].Local)); err == nil {
		t.Errorf("an undeclared port answers %v", resp.Status)
	}
	close(stop)
	<-ended // the client gives its connection up once it was told that nothing listens
}
