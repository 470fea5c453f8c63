package podhttp

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/podcmd"
)

func agnhost(args ...string) func(*corev1.Pod) {
	return func(pod *corev1.Pod) {
		c := &pod.Spec.Containers[0]
		c.Image, c.Args, c.Ports = "registry.k8s.io/e2e-test-images/agnhost:2.66.1", args, nil
	}
}

// reaches is a network where one pod is.
type reaches struct {
	server *Server
	pod    *corev1.Pod
}

func (r reaches) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	return r.server.Dial(ctx, r.pod, int(to.Port()), client)
}

func (r reaches) Lookup(_ context.Context, name string, _ bool) (podcmd.Record, error) {
	if name != "web" {
		return podcmd.Record{}, podcmd.ErrNoName
	}
	return podcmd.Record{Addresses: []netip.Addr{netip.MustParseAddr(r.pod.Status.PodIP)}}, nil
}

func TestNetexecAnswersAsAgnhostDoes(t *testing.T) {
	pod := newPod("netexec", nil, agnhost("netexec", "--http-port=8083"))
	var s *Server
	s = serve(t, Config{Env: func(*corev1.Pod, *corev1.Container) []string { return []string{"NODE_NAME=n1"} },
		Network: func(*corev1.Pod) Network { return reaches{s, pod} }}, pod)
	for path, want := range map[string]string{
		"/hostname":                                "netexec",
		"/hostName":                                "netexec",
		"/clientip":                                client.String(),
		"/serverport":                              "8083",
		"/echo?msg=hello":                          "hello",
		"/header?key=User-Agent":                   "Go-http-client/1.1",
		"/envvar?var=NODE_NAME":                    "n1",
		"/redirect?location=/echo":                 "",
		"/dial?request=hostName":                   "host and/or port param are invalid. strconv.ParseUint: parsing \"\": invalid syntax\n",
		"/dial?host=web&port=80":                   "request parameter not specified. <nil>\n",
		"/dial?host=no&port=8083&request=hostName": "host and/or port param are invalid. lookup no: no such host\n",
		"/dial?host=web&port=8083&request=hostName&protocol=http&tries=2": `{"responses":["netexec","netexec"]}`,
		"/dial?host=10.0.0.50&port=8083&request=echo?msg=x&protocol=http": `{"responses":["x"]}`,
		"/dial?host=web&port=8083&request=hostName&protocol=udp":          "unsupported protocol. udp\n",
		"/shell?cmd=ls": "tripod: pod default/netexec is on a simulated node, which runs no process\n",
	} {
		_, body, err := get(t, s, pod, 8083, path)
		if err != nil || body != want {
			t.Errorf("%s: %v, %q", path, err, body)
		}
	}
	response, _, err := get(t, s, pod, 8083, "/echo?msg=busy&code=503")
	if err != nil || response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a code: %v, %v", response, err)
	}
}

func TestServeHostnameByTCPWritesItsNameAndEnds(t *testing.T) {
	pod := newPod("named", nil, agnhost("serve-hostname", "--http=false", "--tcp"))
	s := serve(t, Config{}, pod)
	conn, err := s.Dial(t.Context(), pod, 9376, client)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if said, err := io.ReadAll(conn); err != nil || string(said) != "named" {
		t.Errorf("got %q, %v", said, err)
	}
}
