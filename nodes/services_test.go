package nodes

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// endpointSlice is of a service's port "http" at 8080, with endpoints as "ADDRESS", "ADDRESS!" that is not ready,
// "ADDRESS~" that terminates and serves, and "ADDRESS@ZONE" with a hint.
func endpointSlice(service string, endpoints ...string) *discoveryv1.EndpointSlice {
	port, name, yes, no := int32(8080), "http", true, false
	slice := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: service + "-1",
			Labels: map[string]string{discoveryv1.LabelServiceName: service}},
		AddressType: discoveryv1.AddressTypeIPv4,
		Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
	}
	for _, text := range endpoints {
		address, zone, hinted := strings.Cut(text, "@")
		e := discoveryv1.Endpoint{Addresses: []string{strings.TrimRight(address, "!~")}}
		e.Conditions.Ready = &yes
		if address != e.Addresses[0] {
			e.Conditions.Ready = &no
		}
		if strings.HasSuffix(address, "~") {
			e.Conditions.Serving, e.Conditions.Terminating = &yes, &yes
		}
		if hinted {
			e.Hints = &discoveryv1.EndpointHints{ForZones: []discoveryv1.ForZone{{Name: zone}}}
		}
		slice.Endpoints = append(slice.Endpoints, e)
	}
	return slice
}

func service(name, ip string, nodePort int32) *corev1.Service {
	return &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name},
		Spec: corev1.ServiceSpec{ClusterIP: ip, Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: nodePort},
			{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}}}}
}

func TestServicesLeadToTheirEndpoints(t *testing.T) {
	client := fake.NewClientset(
		service("web", "10.100.3.4", 30080), endpointSlice("web", "10.0.0.20!", "10.0.64.21", "10.0.64.22"),
		service("empty", "10.100.3.5", 0), endpointSlice("empty", "10.0.0.30!"),
		service("last", "10.100.3.6", 0), endpointSlice("last", "10.0.0.40!", "10.0.0.41~"),
	)
	s := startFake(t, testConfig(0), client)
	tests := []struct {
		host string
		port int
		want string // addresses that may come, or the end of an error after "!"
	}{
		{"10.100.3.4", 80, "10.0.64.21:8080 10.0.64.22:8080"},
		{"web.default.svc.cluster.local", 80, "10.0.64.21:8080 10.0.64.22:8080"},
		{"10.0.0.99", 30080, "10.0.64.21:8080 10.0.64.22:8080"},
		{"10.100.3.6", 80, "10.0.0.41:8080"},
		{"10.100.3.5", 80, "!service default/empty has no ready endpoint"},
		{"10.100.3.4", 53, "!service default/web has no TCP port 53"},
		{"10.100.3.9", 80, "!no service has this address"},
		{"10.0.0.99", 30081, "!no service has the node port 30081"},
		{"none.default.svc", 80, "!there is no service default/none"},
		{"example.com", 80, "!neither an IP address nor a service's name"},
	}
	for _, test := range tests {
		seen := map[string]bool{}
		for range 60 {
			got, err := s.Resolve(t.Context(), test.host, test.port)
			if end, fails := strings.CutPrefix(test.want, "!"); fails {
				if err == nil || !strings.HasSuffix(err.Error(), end) {
					t.Errorf("%s:%d: got %v, %v, want an error with %q", test.host, test.port, got, err, end)
				}
				break
			}
			if err != nil || !strings.Contains(test.want, got.String()) {
				t.Fatalf("%s:%d: got %v, %v, want %s", test.host, test.port, got, err, test.want)
			}
			seen[got.String()] = true
		}
		if want := len(strings.Fields(test.want)); test.want[0] != '!' && len(seen) != want {
			t.Errorf("%s:%d: got %v of %s", test.host, test.port, seen, test.want)
		}
	}
}

func TestServicesPreferTheZoneOfTheirHints(t *testing.T) {
	tests := []struct {
		name      string
		endpoints []string
		want      string
	}{
		{"of the zone", []string{"10.0.0.1@us-east-1a", "10.0.0.2@us-east-1b", "10.0.0.3@us-east-1a"}, "10.0.0.1:8080 10.0.0.3:8080"},
		{"none of the zone", []string{"10.0.0.1@us-east-1c", "10.0.0.2@us-east-1b"}, "10.0.0.1:8080 10.0.0.2:8080"},
		{"one without", []string{"10.0.0.1@us-east-1a", "10.0.0.2"}, "10.0.0.1:8080 10.0.0.2:8080"},
		{"the zone's is not ready", []string{"10.0.0.1!@us-east-1a", "10.0.0.2@us-east-1b"}, "10.0.0.2:8080"},
	}
	for _, test := range tests {
		known := knownService{endpoints: endpointsOf([]discoveryv1.EndpointSlice{*endpointSlice("web", test.endpoints...)}, "http")}
		var got []string
		for i := range len(strings.Fields(test.want)) {
			address, err := choose(known, "us-east-1a", func(n int) int {
				if n != len(strings.Fields(test.want)) {
					t.Errorf("%s: one of %d, want one of %s", test.name, n, test.want)
				}
				return min(i, n-1)
			})
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, address.String())
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %v, want %s", test.name, got, test.want)
		}
	}
}

func TestServicesAreKnownWhileTheAPIServerIsAway(t *testing.T) {
	client := fake.NewClientset(service("web", "10.100.3.4", 0), endpointSlice("web", "10.0.64.21"))
	s := startFake(t, testConfig(0), client)
	if _, err := s.Resolve(t.Context(), "10.100.3.4", 80); err != nil {
		t.Fatal(err)
	}
	client.PrependReactor("list", "*", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("connection refused")
	})
	age := func(d time.Duration) {
		known := &s.current().services
		known.mu.Lock()
		defer known.mu.Unlock()
		for key, k := range known.known {
			k.at = time.Now().Add(-d)
			known.known[key] = k
		}
	}
	age(time.Minute)
	if got, err := s.Resolve(t.Context(), "10.100.3.4", 80); err != nil || got != netip.MustParseAddrPort("10.0.64.21:8080") {
		t.Errorf("after a minute: got %v, %v", got, err)
	}
	age(time.Hour)
	if got, err := s.Resolve(t.Context(), "10.100.3.4", 80); !errors.Is(err, errUnanswered) {
		t.Errorf("after an hour: got %v, %v", got, err)
	}
}
