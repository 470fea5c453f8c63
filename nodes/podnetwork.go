package nodes

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/kubeproxy"
	"tripod/nodes/network"
	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

// podNetwork is the network as a pod of the zone sees it.
type podNetwork struct {
	zone *zone
	pod  *corev1.Pod
}

// The ports that Linux gives to clients: net.ipv4.ip_local_port_range.
const firstEphemeral, lastEphemeral = 32768, 60999

func (n podNetwork) asker() (kubeproxy.Asker, error) {
	at, err := netip.ParseAddr(n.pod.Status.PodIP)
	if err != nil {
		return kubeproxy.Asker{}, fmt.Errorf("pod %s has no address yet", key(n.pod))
	}
	port := firstEphemeral + rand.IntN(lastEphemeral-firstEphemeral+1)
	return kubeproxy.Asker{From: netip.AddrPortFrom(at, uint16(port)), Node: n.pod.Spec.NodeName, Zone: n.zone.conf.Zone}, nil
}

// Dial connects to an address from the pod: to an endpoint where it is a Service's.
func (n podNetwork) Dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	who, err := n.asker()
	if err != nil {
		return nil, err
	}
	if to.Addr().IsLoopback() {
		return n.dialSelf(ctx, who, to)
	}
	z := n.zone
	targets := []netip.AddrPort{to}
	if z.services != nil {
		endpoints, err := z.services.ClusterIP(ctx, who, to)
		switch {
		case err == nil:
			targets = endpoints
		case errors.Is(err, kubeproxy.ErrNoEndpoint): // kube-proxy rejects the connection
			return nil, podcmd.ErrRefused
		case !errors.Is(err, kubeproxy.ErrNoService):
			return nil, err
		}
	}
	conn, err := z.links.dial(ctx, n.pod, int(to.Port()), func(ctx context.Context) (net.Conn, error) {
		return z.connect(ctx, who.From, targets)
	})
	if errors.Is(err, network.ErrRefused) {
		return nil, podcmd.ErrRefused
	}
	return conn, err
}

// dialSelf connects to what listens in the pod itself, or for one of the node's network in all of that.
func (n podNetwork) dialSelf(ctx context.Context, who kubeproxy.Asker, to netip.AddrPort) (net.Conn, error) {
	pod, port, err := n.zone.pods.Holder(who.From.Addr().String(), int(to.Port()))
	if own := kubeproxy.Own(int(to.Port())); (pod == nil || err != nil) && own != nil && n.pod.Spec.HostNetwork {
		near, far := network.Pipe()
		go answerHTTP(own)(far) // belongs to who has answered
		return near, nil
	}
	if pod == nil || err != nil {
		return nil, podcmd.ErrRefused
	}
	conn, err := n.zone.http.Dial(ctx, pod, port, netip.AddrPortFrom(to.Addr(), who.From.Port()))
	if errors.Is(err, network.ErrRefused) {
		err = podcmd.ErrRefused
	}
	return conn, err
}

// Lookup is what the pod's /etc/hosts and the cluster's DNS say of a name.
func (n podNetwork) Lookup(ctx context.Context, name string, search bool) (podcmd.Record, error) {
	z, short := n.zone, strings.TrimSuffix(strings.ToLower(name), ".")
	if at, known := n.hosts(short); known && search {
		return podcmd.Record{Name: short, Addresses: []netip.Addr{at}}, nil
	}
	if !z.links.looksUp(n.pod) {
		return podcmd.Record{}, podcmd.ErrNoServer
	}
	if strings.HasSuffix(short, ".internal") { // EC2's names of instances are those of nodes
		at, _, err := z.objectAddress(ctx, "node/"+short)
		if err != nil {
			return podcmd.Record{}, errors.Join(podcmd.ErrNoName, err)
		}
		return podcmd.Record{Name: short, Addresses: []netip.Addr{at}}, nil
	}
	if z.services == nil || !search && !strings.HasSuffix(short, "."+kubeproxy.ClusterDomain) {
		return podcmd.Record{}, podcmd.ErrNoName
	}
	found, err := z.services.Record(ctx, name, n.pod.Namespace)
	if err != nil {
		return podcmd.Record{}, errors.Join(podcmd.ErrNoName, err)
	}
	return podcmd.Record{Name: found.Name, Aliases: found.Aliases, Addresses: found.Addresses}, nil
}

// hosts is what the pod's /etc/hosts has for a name.
func (n podNetwork) hosts(name string) (netip.Addr, bool) {
	text := ""
	switch own, domain := podset.HostAndDomain(n.pod); {
	case name == "localhost":
		text = "127.0.0.1"
	case name == own || domain != "" && name == own+"."+domain:
		text = n.pod.Status.PodIP
	}
	for _, alias := range n.pod.Spec.HostAliases {
		if slices.Contains(alias.Hostnames, name) && text == "" {
			text = alias.IP
		}
	}
	at, err := netip.ParseAddr(text)
	return at, err == nil
}
