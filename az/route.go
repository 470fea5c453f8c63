package az

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sort"
	"strings"

	"tripod/api"
	"tripod/apiserver/launch"
	"tripod/az/plan"
)

// route says where a name or an address leads. What it does not know is denied.
func (z *Zone) route(ctx context.Context, host string, port int) (destination, error) {
	to, err := z.routeInside(ctx, host, port)
	if errors.Is(err, errDenied) && !inside(host) { // a provider can be no part of the region
		return z.routeProvider(host, port)
	}
	return to, err
}

// inside says whether a name is one of the region's, known or not: nobody else is asked about it, least of all the machine's DNS.
func inside(host string) bool {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	return name == plan.Domain || strings.HasSuffix(name, "."+plan.Domain)
}

// routeInside knows the region's own names and the addresses of the VPC: 10.x is Tripod's own here, and must never reach the user's LAN or VPN.
func (z *Zone) routeInside(ctx context.Context, host string, port int) (destination, error) {
	if address, err := netip.ParseAddr(host); err == nil {
		return z.routeAddress(ctx, address, port)
	}
	name, ok := strings.CutSuffix(host, "."+plan.Domain)
	if !ok {
		return destination{}, errDenied
	}
	if letter, ok := strings.CutPrefix(name, "raft-"); ok {
		for _, peer := range z.config.Peers {
			if plan.Letter(peer.Zone) == letter && peer.RaftPort == port {
				return destination{zone: peer.Zone, network: "tcp", address: fmt.Sprintf("127.0.0.1:%d", port)}, nil
			}
		}
		return destination{}, errDenied
	}
	member, id, _ := strings.Cut(name, ".")
	z.mu.Lock()
	cluster := z.clusters[strings.ToUpper(id)]
	z.mu.Unlock()
	if cluster == nil {
		return destination{}, errDenied
	}
	if host == launch.AuthenticatorHost(id) {
		return destination{zone: z.config.Zone, network: "unix", address: cluster.authenticatorSocket()}, nil
	}
	if host == launch.PodIdentityHost(id) {
		return destination{zone: z.config.Zone, network: "unix", address: cluster.identitySocket()}, nil
	}
	letter, ok := strings.CutPrefix(member, "etcd-")
	if !ok {
		return destination{}, errDenied
	}
	for i, peer := range z.config.Peers {
		if plan.Letter(peer.Zone) != letter {
			continue
		}
		to := destination{zone: peer.Zone, target: "etcd/" + letter, network: "tcp"}
		switch port {
		case 2379:
			to.address = fmt.Sprintf("127.0.0.1:%d", plan.EtcdClientPort(cluster.record.EndpointPort, i))
			return to, nil
		case 2380:
			to.address = fmt.Sprintf("127.0.0.1:%d", plan.EtcdPeerPort(cluster.record.EndpointPort, i))
			return to, nil
		}
	}
	return destination{}, errDenied
}

// kubeletPort is where API servers expect a node's kubelet.
const kubeletPort = 10250

func (z *Zone) routeAddress(ctx context.Context, address netip.Addr, port int) (destination, error) {
	z.mu.Lock()
	clusters := make([]*clusterZone, 0, len(z.clusters))
	for _, id := range sortedKeys(z.clusters) {
		clusters = append(clusters, z.clusters[id])
	}
	z.mu.Unlock()
	for i, peer := range z.config.Peers {
		if !plan.Subnet(i).Contains(address) {
			continue
		}
		for _, c := range clusters {
			if port == kubeletPort {
				return destination{zone: peer.Zone, network: "unix", address: peer.RunDir + "/kubelet-" + c.record.ID[:8] + ".sock"}, nil
			}
			workers := c.nodes()
			if workers == nil {
				continue
			}
			local, err := workers.LocalAddress(ctx, address.String(), port)
			if err != nil {
				if errors.Is(err, plan.ErrLocalPort) {
					z.tellOnce(api.Event{Cluster: c.record.Name, Type: api.LocalPortRefused, Message: err.Error()})
				}
				return destination{}, err
			}
			return destination{zone: peer.Zone, network: "tcp", address: local}, nil
		}
	}
	return destination{}, errDenied
}

// mostTold bounds what is told once: others than the operator choose how much that could be.
const mostTold = 100

// tellOnce makes an event that would come again with every connection.
func (z *Zone) tellOnce(e api.Event) {
	z.mu.Lock()
	known := z.once[e.Message] || len(z.once) >= mostTold
	if !known {
		if z.once == nil {
			z.once = map[string]bool{}
		}
		z.once[e.Message] = true
	}
	z.mu.Unlock()
	if !known {
		z.event(e)
	}
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}
