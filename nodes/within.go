package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"tripod/internal/reachability"
	"tripod/nodes/kubeproxy"
	"tripod/nodes/netpolicy"
	"tripod/nodes/network"
)

var errNoClient = errors.New("the cluster's Services and pods are not known here")

// Connect connects to a name or an address of the cluster's network: of a Service, a pod or a node. as is whose place the client
// takes, pod/NAMESPACE/NAME or node/NAME; empty: the control plane's.
func (s *Simulator) Connect(ctx context.Context, as, host string, port int) (net.Conn, error) {
	who, err := s.asker(ctx, as)
	if err != nil {
		return nil, err
	}
	targets, err := s.resolve(ctx, who, as, host, port)
	if err != nil {
		return nil, err
	}
	z := s.current()
	if z == nil {
		return nil, errStopped
	}
	connect := func(ctx context.Context) (net.Conn, error) { return z.connect(ctx, who.From, targets) }
	if pod := z.podNamed(as); pod != nil {
		return z.links.dial(ctx, pod, port, connect)
	}
	return connect(ctx)
}

// podNamed is the pod that pod/NAMESPACE/NAME, or pod/NAME, means; nil: it is none of the zone's.
func (z *zone) podNamed(as string) *corev1.Pod {
	kind, rest, _ := strings.Cut(as, "/")
	if kind != "pod" {
		return nil
	}
	return z.pods.Pod(namespaced(rest))
}

// namespaced reads NAMESPACE/NAME, or NAME alone.
func namespaced(rest string) (namespace, name string) {
	if namespace, name, both := strings.Cut(rest, "/"); both {
		return namespace, name
	}
	return metav1.NamespaceDefault, rest
}

// connect connects to the first of some endpoints that answers.
func (z *zone) connect(ctx context.Context, from netip.AddrPort, targets []netip.AddrPort) (conn net.Conn, err error) {
	for _, at := range targets {
		if err = z.leaves(ctx, from, at); err != nil {
			return nil, err
		}
		conn, err = z.conf.DialWithin(ctx, network.Source{Address: from}, at)
		if err == nil || errors.Is(err, network.ErrFiltered) { // kube-proxy knows nothing of rules, and tries no other
			return conn, err
		}
	}
	return nil, err
}

// leaves holds the NetworkPolicies for egress of a pod against a connection that begins there: not all that it may go to are pods,
// which hold them again.
func (z *zone) leaves(ctx context.Context, from, to netip.AddrPort) error {
	if !from.IsValid() || z.policies == nil {
		return nil
	}
	decisions, err := z.policies.Decide(ctx, from.Addr(), to)
	if err != nil {
		return err
	}
	return refusalOf(decisions, from.Addr(), to)
}

func refusalOf(decisions []netpolicy.Decision, from netip.Addr, to netip.AddrPort) error {
	for _, d := range decisions {
		if !d.Allowed {
			return network.Filtered(fmt.Sprintf("%s does not come to %s: %s", from, to, d))
		}
	}
	return nil
}

func (s *Simulator) decide(ctx context.Context, from netip.Addr, to netip.AddrPort) ([]netpolicy.Decision, error) {
	z := s.current()
	if z == nil {
		return nil, errStopped
	}
	if z.policies == nil {
		return nil, nil
	}
	return z.policies.Decide(ctx, from, to)
}

// asker is who stands in a place.
func (s *Simulator) asker(ctx context.Context, as string) (who kubeproxy.Asker, err error) {
	if as == "" {
		return who, nil
	}
	z := s.current()
	if z == nil {
		return who, errStopped
	}
	at, node, err := z.objectAddress(ctx, as)
	if err != nil {
		return who, err
	}
	who = kubeproxy.Asker{From: netip.AddrPortFrom(at, ephemeral), Node: node}
	if node != "" {
		found, err := z.clients.administrator.CoreV1().Nodes().Get(ctx, node, metav1.GetOptions{})
		if err != nil {
			return who, fmt.Errorf("%s: %w", as, err)
		}
		who.Zone = found.Labels[corev1.LabelTopologyZone]
	}
	return who, nil
}

// ephemeral is the port of a client that nobody asks for its own.
const ephemeral = 40000

// Place is the address of pod/NAMESPACE/NAME or node/NAME; the zero value for the empty name.
func (s *Simulator) Place(ctx context.Context, name string) (netip.AddrPort, error) {
	if name == "" {
		return netip.AddrPort{}, nil
	}
	z := s.current()
	if z == nil {
		return netip.AddrPort{}, errStopped
	}
	at, _, err := z.objectAddress(ctx, name)
	return netip.AddrPortFrom(at, ephemeral), err
}

// objectAddress is that of a pod or a node by TYPE/NAME, and the name of the node that has it.
func (z *zone) objectAddress(ctx context.Context, name string) (at netip.Addr, node string, err error) {
	if z.clients.administrator == nil {
		return at, "", errNoClient
	}
	kind, rest, _ := strings.Cut(name, "/")
	text, why := "", "it has no address yet"
	switch {
	case kind == "pod" && rest != "":
		namespace, pod := namespaced(rest)
		found, err := z.clients.administrator.CoreV1().Pods(namespace).Get(ctx, pod, metav1.GetOptions{})
		if err != nil {
			return at, "", fmt.Errorf("%s: %w", name, err)
		}
		node = found.Spec.NodeName
		if text = found.Status.PodIP; found.Status.Phase == corev1.PodSucceeded || found.Status.Phase == corev1.PodFailed {
			text, why = "", "it has ended"
		}
	case kind == "node" && rest != "" && !strings.Contains(rest, "/"):
		found, err := z.clients.administrator.CoreV1().Nodes().Get(ctx, rest, metav1.GetOptions{})
		if err != nil {
			return at, "", fmt.Errorf("%s: %w", name, err)
		}
		node = rest
		for _, a := range found.Status.Addresses {
			if a.Type == corev1.NodeInternalIP && text == "" {
				text = a.Address
			}
		}
	default:
		return at, "", fmt.Errorf("%q is neither pod/NAMESPACE/NAME nor node/NAME", name)
	}
	if at, err = netip.ParseAddr(text); err != nil {
		return at, "", fmt.Errorf("%s cannot be connected to: %s", name, why)
	}
	return at, node, nil
}

// Resolve are all pods, nodes or other addresses that a connection to a name or an address may go to: a Service's endpoints, others
// are themselves. as is who asks, whose namespace short names are in.
func (s *Simulator) Resolve(ctx context.Context, as, host string, port int) ([]netip.AddrPort, error) {
	who := kubeproxy.Asker{}
	if kind, _, _ := strings.Cut(as, "/"); kind == "pod" || kind == "node" {
		var err error
		if who, err = s.asker(ctx, as); err != nil {
			return nil, err
		}
	}
	who.Every = true
	return s.resolve(ctx, who, as, host, port)
}

func (s *Simulator) resolve(ctx context.Context, who kubeproxy.Asker, as, host string, port int) ([]netip.AddrPort, error) {
	z := s.current()
	if z == nil {
		return nil, errStopped
	}
	if z.services == nil {
		return nil, errNoClient
	}
	addresses, err := z.addressesOf(ctx, as, host)
	if err != nil {
		return nil, err
	}
	var targets []netip.AddrPort
	for _, a := range addresses {
		at := netip.AddrPortFrom(a, uint16(port))
		endpoints, err := z.services.ClusterIP(ctx, who, at)
		switch {
		case errors.Is(err, kubeproxy.ErrNoService):
			targets = append(targets, at)
		case err != nil:
			return nil, fmt.Errorf("%s port %d: %w", host, port, err)
		}
		targets = append(targets, endpoints...)
	}
	return targets, nil
}

func (z *zone) addressesOf(ctx context.Context, as, host string) ([]netip.Addr, error) {
	if at, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{at}, nil
	}
	kind, rest, isObject := strings.Cut(host, "/")
	if isObject && (kind == "svc" || kind == "service") {
		namespace, name := namespaced(rest)
		return z.services.Lookup(ctx, name+"."+namespace, "")
	}
	if isObject {
		at, _, err := z.objectAddress(ctx, host)
		return []netip.Addr{at}, err
	}
	if strings.HasSuffix(strings.TrimSuffix(host, "."), ".internal") { // EC2's names of instances are those of nodes
		at, _, err := z.objectAddress(ctx, "node/"+strings.TrimSuffix(host, "."))
		return []netip.Addr{at}, err
	}
	namespace := metav1.NamespaceDefault
	if parts := strings.Split(as, "/"); len(parts) == 3 && parts[0] == "pod" {
		namespace = parts[1]
	}
	return z.services.Lookup(ctx, host, namespace)
}

// codePolicies is Tripod's own: Reachability Analyzer knows nothing of NetworkPolicies.
const codePolicies = "NETWORK_POLICY_RESTRICTION"

// Policies are what the cluster's NetworkPolicies say of a connection, a step for each direction; none where they are switched
// off or say nothing.
func (s *Simulator) Policies(ctx context.Context, from netip.Addr, to netip.AddrPort) (said []reachability.Step, err error) {
	all, err := s.decide(ctx, from, to)
	for _, d := range all {
		step := reachability.Step{Component: "network-policy", ID: d.Pod, Rule: d.By, Passes: d.Allowed, Sentence: d.String()}
		if !d.Allowed {
			step.Code = codePolicies
		}
		said = append(said, step)
	}
	return said, err
}
