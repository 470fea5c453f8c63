package nodes

import (
	"context"
	"errors"
	"net"
	"reflect"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/internal/link"
	"tripod/nodes/podcmd"
	"tripod/nodes/podlife"
)

func podWithFault(fault string) *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "web", UID: "1"}}
	if fault != "" {
		pod.Annotations = map[string]string{podlife.AnnotationFault: fault}
	}
	return pod
}

func TestAPodsNetworkHasTheFaultsOfItsAnnotation(t *testing.T) {
	late := link.Effects{{Latency: 200 * time.Millisecond, Jitter: 10 * time.Millisecond}}
	hole := link.Pair{Out: link.Effects{{Drop: true}}, In: link.Effects{{Drop: true}}}
	for fault, want := range map[string]map[podPort]link.Pair{
		"":                           {{port: 80}: {}, {leaves: true, port: 80}: {}},
		"crash-loop":                 {{port: 80}: {}},
		"latency=200ms,jitter=10ms":  {{port: 80}: {Out: late}, {leaves: true, port: 443}: {Out: late}},
		"crash-loop, loss=7":         {{port: 80}: {Out: link.Effects{{Loss: 0.07}}}},
		"latency=1s,latency=nothing": {{port: 80}: {Out: link.Effects{{Latency: time.Second}}}},
		"black-hole=80":              {{port: 80}: hole, {port: 81}: {}, {leaves: true, port: 80}: {}},
		"black-hole-to=443":          {{port: 443}: {}, {leaves: true, port: 443}: hole, {leaves: true, port: 80}: {}},
		"no-dns":                     {{port: 80}: {}},
	} {
		l := newPodLinks()
		l.of(podWithFault(""), podPort{port: 80}) // there before the fault
		l.changed(nil, podWithFault(""))
		l.changed(podWithFault(""), podWithFault(fault))
		for at, pair := range want {
			if got := l.of(podWithFault(""), at).Pair(); !reflect.DeepEqual(got, pair) {
				t.Errorf("%q at %+v: got %+v, want %+v", fault, at, got, pair)
			}
		}
		if got, want := l.looksUp(podWithFault("")), fault != "no-dns"; got != want {
			t.Errorf("%q: names are found: %t", fault, got)
		}
		l.changed(podWithFault(fault), podWithFault(""))
		for at := range want {
			if got := l.of(podWithFault(""), at).Pair(); !got.None() {
				t.Errorf("%q, taken back, leaves %+v at %+v", fault, got, at)
			}
		}
	}
}

func TestABlackHoleLetsNobodyIn(t *testing.T) {
	l := newPodLinks()
	pod := podWithFault("black-hole=80,black-hole-to=443")
	l.changed(nil, pod)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.of(pod, podPort{port: 80}).Open(ctx); !errors.Is(err, link.ErrFault) {
		t.Errorf("a connection to it: %v", err)
	}
	open := func(context.Context) (net.Conn, error) { near, _ := net.Pipe(); return near, nil }
	if _, err := l.dial(ctx, pod, 443, open); !errors.Is(err, link.ErrFault) {
		t.Errorf("a connection from it: %v", err)
	}
	conn, err := l.dial(t.Context(), pod, 80, open)
	if err != nil {
		t.Fatal(err)
	}
	l.changed(pod, nil)
	if _, err := conn.Write([]byte("x")); err == nil {
		t.Error("a connection of a pod that has gone is open")
	}
	if len(l.links) != 0 || len(l.faults) != 0 {
		t.Errorf("a pod that has gone leaves %v and %v", l.links, l.faults)
	}
}

func TestAPodHasFewLinks(t *testing.T) {
	l, pod := newPodLinks(), podWithFault("")
	for port := range 10 * mostPodLinks {
		l.of(pod, podPort{leaves: true, port: port + 1})
	}
	if got := len(l.links[pod.UID]); got > mostPodLinks+2 {
		t.Errorf("there are %d links", got)
	}
	pod.Spec.HostNetwork = true
	if l.of(pod, podPort{port: 80}) != nil {
		t.Error("a pod of the node's network has a link of its own")
	}
}

// TestAPodWithoutDNSFindsNoInstanceEither: EC2's names are asked of the same server.
func TestAPodWithoutDNSFindsNoInstanceEither(t *testing.T) {
	z := &zone{links: newPodLinks()}
	pod := podWithFault("no-dns")
	z.links.changed(nil, pod)
	if _, err := (podNetwork{zone: z, pod: pod}).Lookup(t.Context(), "ip-192-168-0-1.ec2.internal", true); !errors.Is(err,
		podcmd.ErrNoServer) {
		t.Errorf("got %v", err)
	}
}
