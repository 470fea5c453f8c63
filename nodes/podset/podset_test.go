package podset

import (
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func pod(name, uid, node, ip string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: name, UID: types.UID(uid)},
		Spec:       corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c"}}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, HostIP: "10.0.0.1"},
	}
	for _, c := range change {
		c(p)
	}
	return p
}

func ports(ports ...corev1.ContainerPort) func(*corev1.Pod) {
	return func(p *corev1.Pod) { p.Spec.Containers[0].Ports = ports }
}

func hostNetwork(p *corev1.Pod) { p.Spec.HostNetwork = true }

func names(pods []*corev1.Pod) string {
	var list []string
	for _, p := range pods {
		list = append(list, p.Name)
	}
	return strings.Join(list, " ")
}

func TestPodsAreFoundByNodeNameAndAddress(t *testing.T) {
	s := New()
	var told []string
	s.OnChange(func(old, current *corev1.Pod) {
		uid := func(p *corev1.Pod) types.UID {
			if p == nil {
				return "-"
			}
			return p.UID
		}
		told = append(told, fmt.Sprintf("%s>%s", uid(old), uid(current)))
	})
	first := pod("b", "1", "n1", "")
	s.Set(first)
	s.Set(pod("a", "2", "n1", "10.0.0.21"))
	s.Set(pod("b", "1", "n1", "10.0.0.20"))
	s.Set(pod("c", "3", "n2", "10.0.0.22"))
	if got := names(s.OfNode("n1")); got != "a b" {
		t.Errorf("pods of n1: %q", got)
	}
	if got := names(s.At("10.0.0.20")); got != "b" {
		t.Errorf("pods at 10.0.0.20: %q", got)
	}
	if s.Pod("default", "b").Status.PodIP == "" || s.Pod("other", "b") != nil || !s.Has(first) {
		t.Error("pod b is not found by its name")
	}
	s.Set(pod("b", "4", "n2", "10.0.0.23")) // its predecessor's deletion was not seen
	s.Remove(first)                         // and comes too late
	if got := names(s.OfNode("n2")) + "; " + names(s.At("10.0.0.20")); got != "b c; " {
		t.Errorf("after b was replaced: %q", got)
	}
	s.Set(pod("a", "2", "n1", "10.0.0.21", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }))
	if got := names(s.At("10.0.0.21")); got != "" {
		t.Errorf("%q answers at the address of a pod that has ended", got)
	}
	s.Remove(pod("a", "2", "n1", ""))
	if got := names(s.OfNode("n1")); got != "" || len(s.byNode) != 1 || len(s.byAddr) != 2 {
		t.Errorf("n1 still has %q; %d nodes, %d addresses", got, len(s.byNode), len(s.byAddr))
	}
	want := "->1 ->2 1>1 ->3 1>- ->4 2>2 2>-"
	if got := strings.Join(told, " "); got != want {
		t.Errorf("told %s, want %s", got, want)
	}
}

func TestPortsOfANodesAddressBelongToWhoDeclaresThem(t *testing.T) {
	s := New()
	s.Set(pod("agent", "1", "n1", "10.0.0.1", hostNetwork, ports(corev1.ContainerPort{ContainerPort: 9100})))
	s.Set(pod("one", "2", "n1", "10.0.0.1", hostNetwork, ports(corev1.ContainerPort{ContainerPort: 7000})))
	s.Set(pod("two", "3", "n1", "10.0.0.1", hostNetwork, ports(corev1.ContainerPort{ContainerPort: 7000})))
	s.Set(pod("web", "4", "n1", "10.0.0.20", ports(corev1.ContainerPort{ContainerPort: 8080, HostPort: 80},
		corev1.ContainerPort{ContainerPort: 53, HostPort: 9100, Protocol: corev1.ProtocolUDP})))
	tests := []struct {
		address string
		port    int
		want    string
	}{
		{"10.0.0.1", 9100, "agent:9100"},
		{"10.0.0.1", 80, "web:8080"},
		{"10.0.0.20", 80, "web:80"},
		{"10.0.0.1", 7000, "pods default/one and default/two both claim the port"},
		{"10.0.0.1", 443, "it is a node's address, and no pod of the host's network there"},
		{"10.0.0.9", 443, ""},
	}
	for _, test := range tests {
		p, port, err := s.Holder(test.address, test.port)
		got := ""
		if err != nil {
			got = err.Error()
		} else if p != nil {
			got = fmt.Sprintf("%s:%d", p.Name, port)
		}
		if !strings.HasPrefix(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s:%d: got %q, want %q", test.address, test.port, got, test.want)
		}
	}
}

func TestContainersRunAsTheirPodSays(t *testing.T) {
	ordinary := &corev1.Pod{Spec: corev1.PodSpec{SecurityContext: &corev1.PodSecurityContext{RunAsUser: new(int64(1000)),
		RunAsGroup: new(int64(2000)), FSGroup: new(int64(3)), SupplementalGroups: []int64{4}}}}
	for _, c := range []struct {
		pod       *corev1.Pod
		container corev1.Container
		want      string
	}{
		{&corev1.Pod{}, corev1.Container{}, "0 0 []"},
		{ordinary, corev1.Container{}, "1000 2000 [4 3]"},
		{ordinary, corev1.Container{SecurityContext: &corev1.SecurityContext{RunAsUser: new(int64(7))}}, "7 2000 [4 3]"},
	} {
		uid, gid, groups := User(c.pod, &c.container)
		if got := fmt.Sprint(uid, gid, groups); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

func TestHostnamesAreAsKubeletsMakeThem(t *testing.T) {
	for want, spec := range map[string]corev1.PodSpec{
		"web":                                 {Subdomain: "shops"},
		"front":                               {Hostname: "front"},
		"web.shops.default.svc.cluster.local": {Subdomain: "shops", SetHostnameAsFQDN: new(true)},
		"over.example":                        {Subdomain: "shops", Hostname: "front", HostnameOverride: new("over.example")},
		"node-1":                              {HostNetwork: true, NodeName: "node-1", Subdomain: "shops", SetHostnameAsFQDN: new(true)},
	} {
		pod := &corev1.Pod{Spec: spec}
		pod.Name, pod.Namespace = "web", "default"
		if got := Hostname(pod); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
