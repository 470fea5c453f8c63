package nodes

import (
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

func annotated(ip string, annotations map[string]string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Annotations = annotations
		p.Status.PodIP, p.Status.Phase = ip, corev1.PodRunning
	}
}

// hostNetwork puts the pod into its node's network, with these ports.
func hostNetwork(ports ...int32) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		p.Spec.HostNetwork = true
		p.Spec.Containers = []corev1.Container{{Name: "app"}}
		for _, port := range ports {
			p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: port})
		}
	}
}

func TestLocalAddress(t *testing.T) {
	elsewhere := "ip-10-0-64-9.ec2.internal" // pods of other zones count too
	port, name, yes, no := int32(8443), "https", true, false
	endpoint := func(pod string, ready *bool) discoveryv1.Endpoint {
		return discoveryv1.Endpoint{
			TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: "default", Name: pod},
			Conditions: discoveryv1.EndpointConditions{Ready: ready},
		}
	}
	client := fake.NewClientset(
		newPod("hook", elsewhere, annotated("10.0.64.20", map[string]string{
			LocalAddressAnnotation: "127.0.0.1:9443", LocalAddressAnnotation + ".8080": "localhost:8081"})),
		newPod("plain", elsewhere, annotated("10.0.64.21", nil)),
		newPod("evil", elsewhere, annotated("10.0.64.22", map[string]string{LocalAddressAnnotation: "192.168.1.1:22"})),
		newPod("database", elsewhere, annotated("10.0.64.24", map[string]string{LocalAddressAnnotation: "127.0.0.1:5432"})),
		newPod("own", elsewhere, annotated("10.0.64.5", map[string]string{LocalAddressAnnotation: "127.0.0.1:9443"}),
			hostNetwork(8443)),
		newPod("taker", elsewhere, annotated("10.0.64.5", map[string]string{LocalAddressAnnotation: "127.0.0.1:8081"}),
			hostNetwork(7443, 9999)),
		newPod("second", elsewhere, annotated("10.0.64.5", map[string]string{LocalAddressAnnotation: "127.0.0.1:8081"}),
			hostNetwork(9999)),
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "hook"},
			Spec: corev1.ServiceSpec{ClusterIP: "10.100.3.4", Ports: []corev1.ServicePort{
				{Name: "https", Port: 443}, {Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}}},
		},
		&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "empty"},
			Spec:       corev1.ServiceSpec{ClusterIP: "10.100.3.5", Ports: []corev1.ServicePort{{Port: 443}}},
		},
		&discoveryv1.EndpointSlice{
			ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "hook-1",
				Labels: map[string]string{discoveryv1.LabelServiceName: "hook"}},
			Ports: []discoveryv1.EndpointPort{{Name: &name, Port: &port}},
			Endpoints: []discoveryv1.Endpoint{endpoint("evil", &no), endpoint("gone", &yes), endpoint("plain", &yes),
				endpoint("hook", &yes)},
		},
	)
	config := testConfig(0)
	errOther := errors.New("the operator has not allowed it")
	config.LocalPort = func(port int) error {
		if port != 9443 && port != 8081 {
			return errOther
		}
		return nil
	}
	s := startFake(t, config, client)
	if _, err := s.LocalAddress(t.Context(), "10.0.64.24", 443); !errors.Is(err, errOther) {
		t.Errorf("got %v, want the operator's refusal", err)
	}
	tests := []struct {
		host string
		port int
		want string // or a part of the error, after "!"
	}{
		{"10.0.64.20", 443, "127.0.0.1:9443"},
		{"10.0.64.20", 8080, "127.0.0.1:8081"},
		{"10.0.64.21", 443, "!pod default/plain has no annotation"},
		{"10.0.64.24", 443, "!pod default/database: annotation tripod.internal/local-address: the operator has not " +
			"allowed it"},
		{"10.0.64.5", 8443, "127.0.0.1:9443"},
		{"10.0.64.5", 7443, "127.0.0.1:8081"},
		{"10.0.64.5", 9999, "!both claim the port"},
		{"10.0.64.5", 443, "!no pod of the host's network there"},
		{"10.0.64.22", 443, "!must be a loopback address"},
		{"10.0.64.23", 443, "!no pod and no service has this address"},
		{"10.100.3.4", 443, "127.0.0.1:9443"},
		{"hook.default.svc", 443, "127.0.0.1:9443"},
		{"hook.default.svc.cluster.local", 443, "127.0.0.1:9443"},
		{"10.100.3.4", 80, "!has no TCP port 80"},
		{"10.100.3.4", 53, "!has no TCP port 53"},
		{"10.100.3.5", 443, "!no ready endpoint"},
		{"none.default.svc", 443, "!there is no service default/none"},
		{"example.com", 443, "!neither an IP address nor a service"},
	}
	for _, test := range tests {
		got, err := s.LocalAddress(t.Context(), test.host, test.port)
		if part, fails := strings.CutPrefix(test.want, "!"); fails {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%s:%d: got %q, %v, want an error with %q", test.host, test.port, got, err, part)
			}
			continue
		}
		if err != nil || got != test.want {
			t.Errorf("%s:%d: got %q, %v, want %q", test.host, test.port, got, err, test.want)
		}
	}
}

func TestNoLocalPortIsAllowedUnlessSomebodySaysSo(t *testing.T) {
	client := fake.NewClientset(newPod("hook", "ip-10-0-64-9.ec2.internal",
		annotated("10.0.64.20", map[string]string{LocalAddressAnnotation: "127.0.0.1:9443"})))
	if got, err := startFake(t, testConfig(0), client).LocalAddress(t.Context(), "10.0.64.20", 443); err == nil {
		t.Errorf("got %s", got)
	}
}

func TestLocalAddressOfStoppedNodesFails(t *testing.T) {
	if got, err := New(testConfig(1)).LocalAddress(t.Context(), "10.0.0.20", 443); err == nil {
		t.Errorf("got %s", got)
	}
}
