package nodes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/network"
	"tripod/nodes/podlife"
)

// hookTimeout bounds a request of a lifecycle hook: the step of its pod waits for it.
const hookTimeout = 2 * time.Second

// request makes a hook's request, as the pod's kubelet does. A pod of this zone's answers; what is elsewhere is not asked, and
// the hook counts as done. So does one of the container's start: whether its own pod would answer then, nobody knows.
func (p *player) request(ctx context.Context, pod *corev1.Pod, status *corev1.PodStatus, r podlife.Request) {
	host := r.HTTP.Host
	if host == "" {
		host = pod.Status.PodIP
		if status != nil {
			host = status.PodIP
		}
	}
	err := p.get(ctx, pod, host, r)
	if err == nil || errors.Is(err, network.ErrNoAddress) || ctx.Err() != nil || !r.PreStop {
		return
	}
	p.events.aboutPod(pod, []podlife.Event{{Type: corev1.EventTypeWarning, Reason: "FailedPreStopHook", Message: "PreStopHook failed",
		Field: fmt.Sprintf("spec.containers{%s}", r.Container)}})
}

// get asks by HTTP whatever the scheme: a kubelet falls back to it where a server does not speak TLS, and pods here do not.
func (p *player) get(ctx context.Context, pod *corev1.Pod, host string, r podlife.Request) error {
	node := p.nodeNamed(pod.Spec.NodeName)
	transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return p.dial(ctx, hostIP(node), host, r.Port)
	}}
	ctx, cancel := context.WithTimeout(ctx, hookTimeout)
	defer cancel()
	address := "http://" + net.JoinHostPort(host, strconv.Itoa(r.Port)) + "/" + strings.TrimPrefix(r.HTTP.Path, "/")
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "*/*")
	if node != nil {
		request.Header.Set("User-Agent", "kube-lifecycle/"+minor(node.Status.NodeInfo.KubeletVersion))
	}
	for _, h := range r.HTTP.HTTPHeaders {
		request.Header.Set(h.Name, h.Value)
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(answer.Body, 10<<10))
	return err
}

// minor is a version without what comes after its second part: v1.36.3-eks-1 is 1.36.
func minor(version string) string {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// dialPod connects from a node's address to an address of the zone's pods.
func (z *zone) dialPod(ctx context.Context, from, address string, port int) (net.Conn, error) {
	pod, at, err := z.pods.Holder(address, port)
	if err != nil {
		return nil, err
	}
	if pod == nil {
		return nil, network.ErrNoAddress
	}
	client, _ := netip.ParseAddr(from)
	return z.links.of(pod, podPort{port: at}).Dial(ctx, func(ctx context.Context) (net.Conn, error) {
		return z.http.Dial(ctx, pod, at, netip.AddrPortFrom(client, 0))
	})
}
