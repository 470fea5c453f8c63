package kubeproxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func ptr[T any](v T) *T { return &v }

// endpoint is one that is ready, on a node; zones are those that it is hinted to.
func endpoint(address, node string, zones ...string) discoveryv1.Endpoint {
	e := discoveryv1.Endpoint{Addresses: []string{address}, NodeName: &node,
		Conditions: discoveryv1.EndpointConditions{Ready: ptr(true), Serving: ptr(true), Terminating: ptr(false)}}
	if len(zones) > 0 {
		e.Hints = &discoveryv1.EndpointHints{}
		for _, z := range zones {
			e.Hints.ForZones = append(e.Hints.ForZones, discoveryv1.ForZone{Name: z})
		}
	}
	return e
}

func proxy(t *testing.T, change func(*corev1.Service), endpoints ...discoveryv1.Endpoint) *Proxy {
	t.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: corev1.ServiceSpec{
		ClusterIP: "10.100.0.20", ClusterIPs: []string{"10.100.0.20"}, Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080}}}}
	if change != nil {
		change(s)
	}
	slice := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web-1",
		Labels: map[string]string{discoveryv1.LabelServiceName: "web"}}, Endpoints: endpoints,
		Ports: []discoveryv1.EndpointPort{{Name: ptr("http"), Port: ptr[int32](8080)}}}
	p := New(fake.NewClientset(s, slice), "us-east-1a")
	t.Cleanup(p.Close)
	return p
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// reached are the endpoints that 50 connections to the node's port go to.
func reached(t *testing.T, p *Proxy, who Asker) map[string]bool {
	t.Helper()
	got := map[string]bool{}
	for range 50 {
		at, _, err := p.NodePort(within(t), who, 30080)
		if err != nil {
			t.Fatal(err)
		}
		got[at[0].String()] = true
	}
	return got
}

func TestNodePortLeadsToAllReadyEndpoints(t *testing.T) {
	ended := endpoint("10.0.0.3", "a")
	ended.Conditions = discoveryv1.EndpointConditions{Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true)}
	p := proxy(t, nil, endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b"), ended)
	if got := reached(t, p, Asker{Node: "a"}); len(got) != 2 || !got["10.0.0.1:8080"] || !got["10.0.0.2:8080"] {
		t.Errorf("got %v", got)
	}
	if at, err := p.ClusterIP(within(t), Asker{}, netip.MustParseAddrPort("10.100.0.20:80")); err != nil || at[0].Port() != 8080 {
		t.Errorf("got %v, %v", at, err)
	}
	if _, _, err := p.NodePort(within(t), Asker{}, 30081); !errors.Is(err, ErrNoService) {
		t.Errorf("another port: %v", err)
	}
	if _, err := p.ClusterIP(within(t), Asker{}, netip.MustParseAddrPort("10.100.0.20:81")); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("another port of a Service: %v", err)
	}
}

func TestEndingEndpointsAreTheLastResort(t *testing.T) {
	ended := endpoint("10.0.0.3", "a")
	ended.Conditions = discoveryv1.EndpointConditions{Ready: ptr(false), Serving: ptr(true), Terminating: ptr(true)}
	if got := reached(t, proxy(t, nil, ended), Asker{}); !got["10.0.0.3:8080"] {
		t.Errorf("got %v", got)
	}
	ended.Conditions.Serving = ptr(false)
	if _, _, err := proxy(t, nil, ended).NodePort(within(t), Asker{}, 30080); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("got %v", err)
	}
}

func TestLocalTrafficStaysOnItsNode(t *testing.T) {
	p := proxy(t, func(s *corev1.Service) {
		s.Spec.ExternalTrafficPolicy, s.Spec.HealthCheckNodePort = corev1.ServiceExternalTrafficPolicyLocal, 31000
	}, endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b"))
	if got := reached(t, p, Asker{Node: "b"}); len(got) != 1 || !got["10.0.0.2:8080"] {
		t.Errorf("got %v", got)
	}
	if _, _, err := p.NodePort(within(t), Asker{Node: "c"}, 30080); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("a node without endpoints: %v", err)
	}
	for node, want := range map[string]int{"a": http.StatusOK, "c": http.StatusServiceUnavailable} {
		w := httptest.NewRecorder()
		p.HealthCheck(within(t), node, 31000).ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
		if w.Code != want {
			t.Errorf("node %s: got %d %s", node, w.Code, w.Body)
		}
	}
	if p.HealthCheck(within(t), "a", 30080) != nil {
		t.Error("a port that checks nothing answers")
	}
}

func TestHintsKeepTrafficInItsZone(t *testing.T) {
	p := proxy(t, nil, endpoint("10.0.0.1", "a", "us-east-1a"), endpoint("10.0.0.2", "b", "us-east-1b"))
	if got := reached(t, p, Asker{}); len(got) != 1 || !got["10.0.0.1:8080"] {
		t.Errorf("got %v", got)
	}
	p = proxy(t, nil, endpoint("10.0.0.1", "a", "us-east-1a"), endpoint("10.0.0.2", "b"))
	if got := reached(t, p, Asker{}); len(got) != 2 {
		t.Errorf("hints of some only: got %v", got)
	}
}

func TestClientsStayWithTheirEndpoint(t *testing.T) {
	p := proxy(t, func(s *corev1.Service) { s.Spec.SessionAffinity = corev1.ServiceAffinityClientIP },
		endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b"))
	if got := reached(t, p, Asker{From: netip.MustParseAddrPort("203.0.113.9:1")}); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}

// TestNamesAreThoseOfTheClustersDNS: as a pod of the namespace default asks.
func TestNamesAreThoseOfTheClustersDNS(t *testing.T) {
	named := endpoint("10.0.0.1", "a")
	named.Hostname = ptr("web-0")
	headless := proxy(t, func(s *corev1.Service) { s.Spec.ClusterIP, s.Spec.ClusterIPs = corev1.ClusterIPNone, nil }, named,
		endpoint("10.0.0.2", "b"))
	plain := proxy(t, nil, named)
	for name, c := range map[string]struct {
		proxy *Proxy
		want  string
	}{
		"web": {plain, "[10.100.0.20]"}, "web.default": {plain, "[10.100.0.20]"}, "WEB.default.svc.cluster.local.": {plain, "[10.100.0.20]"},
		"web.default.svc": {headless, "[10.0.0.1 10.0.0.2]"}, "web-0.web.default.svc": {headless, "[10.0.0.1]"},
		"web-0.web":                {headless, "[10.0.0.1]"},
		"10-0-0-2.web.default.svc": {headless, "[10.0.0.2]"}, "10-0-0-7.default.pod": {plain, "[10.0.0.7]"},
		"shop": {plain, ""}, "shop.default.svc": {plain, ""}, "a.b.c.d.e": {plain, ""}, "x.default.pod": {plain, ""}, "": {plain, ""},
	} {
		got, err := c.proxy.Lookup(within(t), name, "default")
		var none *NoNameError
		switch {
		case c.want == "" && !errors.As(err, &none):
			t.Errorf("%s: got %v, %v", name, got, err)
		case c.want != "" && fmt.Sprint(got) != c.want:
			t.Errorf("%s: got %v, %v, want %s", name, got, err, c.want)
		}
	}
	outside := proxy(t, func(s *corev1.Service) {
		s.Spec.Type, s.Spec.ExternalName = corev1.ServiceTypeExternalName, "example.com"
	})
	if got, err := outside.Lookup(within(t), "web", "default"); err == nil {
		t.Errorf("a name of outside: got %v", got)
	}
}

func TestAllEndpointsAreToldToWhoAsksForThem(t *testing.T) {
	p := proxy(t, nil, endpoint("10.0.0.1", "a"), endpoint("10.0.0.2", "b"), endpoint("10.0.0.3", "c"), endpoint("10.0.0.4", "d"))
	to := netip.MustParseAddrPort("10.100.0.20:80")
	if got, err := p.ClusterIP(within(t), Asker{Every: true}, to); err != nil || len(got) != 4 {
		t.Errorf("got %v, %v", got, err)
	}
	if got, err := p.ClusterIP(within(t), Asker{}, to); err != nil || len(got) != mostTried {
		t.Errorf("to try: got %v, %v", got, err)
	}
}

func TestServicesOfOtherProxiesAreNotSeen(t *testing.T) {
	for _, label := range []string{"service.kubernetes.io/service-proxy-name", corev1.IsHeadlessService} {
		p := proxy(t, func(s *corev1.Service) { s.Labels = map[string]string{label: ""} }, endpoint("10.0.0.1", "a"))
		if at, err := p.ClusterIP(within(t), Asker{}, netip.MustParseAddrPort("10.100.0.20:80")); !errors.Is(err, ErrNoService) {
			t.Errorf("%s: its address leads to %v, %v", label, at, err)
		}
		if at, _, err := p.NodePort(within(t), Asker{}, 30080); !errors.Is(err, ErrNoService) {
			t.Errorf("%s: its port leads to %v, %v", label, at, err)
		}
	}
}

func TestAnExternalNameOfTheClusterIsFollowed(t *testing.T) {
	p := New(fake.NewClientset(
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web"}, Spec: corev1.ServiceSpec{ClusterIP: "10.100.0.20"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "alias"}, Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "web.default.svc.cluster.local"}},
		&corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "loop"}, Spec: corev1.ServiceSpec{
			Type: corev1.ServiceTypeExternalName, ExternalName: "loop.default.svc.cluster.local"}}), "us-east-1a")
	t.Cleanup(p.Close)
	got, err := p.Record(within(t), "alias", "default")
	if err != nil || got.Name != "alias.default.svc.cluster.local" || len(got.Aliases) != 1 || len(got.Addresses) != 1 ||
		got.Addresses[0].String() != "10.100.0.20" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := p.Record(within(t), "loop", "default"); err == nil {
		t.Errorf("a name that stands for itself is %+v", got)
	}
}

func TestKubeProxyTellsItsHealthAndMode(t *testing.T) {
	for address, want := range map[string]string{"10256/healthz": `"nodeEligible":true`, "10256/livez": `"healthy":true`,
		"10249/healthz": "ok", "10249/proxyMode": "iptables"} {
		port, path := 0, ""
		fmt.Sscanf(address, "%d%s", &port, &path)
		answer := httptest.NewRecorder()
		Own(port).ServeHTTP(answer, httptest.NewRequest(http.MethodGet, path, nil))
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%s: %d %s", address, answer.Code, answer.Body)
		}
	}
	if Own(80) != nil {
		t.Error("port 80 is kube-proxy's")
	}
}

func TestWhatBeginsOnTheNodeGoesEverywhereThroughItsPort(t *testing.T) {
	p := proxy(t, func(s *corev1.Service) { s.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal },
		endpoint("10.0.0.1", "b"))
	if at, _, err := p.NodePort(within(t), Asker{Node: "a"}, 30080); !errors.Is(err, ErrNoEndpoint) {
		t.Errorf("from outside: %v, %v", at, err)
	}
	if at, sees, err := p.NodePort(within(t), Asker{Node: "a", Own: true}, 30080); err != nil || len(at) != 1 || sees {
		t.Errorf("from the node: %v, %v, %v", at, sees, err)
	}
}
