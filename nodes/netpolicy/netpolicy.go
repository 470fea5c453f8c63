// Package netpolicy holds Kubernetes' NetworkPolicies against connections between pods, as the VPC CNI's agent does on each node
// where its switch is on.
package netpolicy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"tripod/nodes/lazywatch"
)

// The ConfigMap in which the VPC CNI has its switch, see
// https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html.
const (
	switchNamespace = "kube-system"
	switchName      = "amazon-vpc-cni"
	switchKey       = "enable-network-policy-controller"
)

// Holder holds a cluster's policies against connections. It watches objects only while somebody connects to pods.
type Holder struct {
	isOn    func() bool
	onoff   *lazywatch.Watch
	objects *lazywatch.Watch

	mu     sync.Mutex
	failed time.Time // when the switch could not be read last
}

// knownWithin is for how long a connection waits until policies are known, and retryAfter when that is tried again. Until then
// all pass, as in the standard mode of the CNI's agent: a control plane that is away does not stop what pods do.
const (
	knownWithin = 3 * time.Second
	retryAfter  = 10 * time.Second
)

// byAddress is the index of pods by their addresses.
const byAddress = "address"

// New returns a Holder that watches nothing yet. isOn says that the add-on's own configuration switches policies on. The client may
// list and watch the ConfigMap, NetworkPolicies, Namespaces and Pods.
func New(client kubernetes.Interface, isOn func() bool) *Holder {
	maps := client.CoreV1().ConfigMaps(switchNamespace)
	one := func(o *metav1.ListOptions) {
		o.FieldSelector = fields.OneTermEqualSelector("metadata.name", switchName).String()
	}
	policies, namespaces, pods := client.NetworkingV1().NetworkPolicies(""), client.CoreV1().Namespaces(), client.CoreV1().Pods("")
	return &Holder{isOn: isOn,
		onoff: lazywatch.New("settings of the VPC CNI", lazywatch.Source{Object: &corev1.ConfigMap{}, Watcher: lazywatch.Watcher(client,
			func(ctx context.Context, o metav1.ListOptions) (*corev1.ConfigMapList, error) {
				one(&o)
				return maps.List(ctx, o)
			},
			func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				one(&o)
				return maps.Watch(ctx, o)
			})}),
		objects: lazywatch.New("NetworkPolicies",
			lazywatch.Source{Object: &networkingv1.NetworkPolicy{}, Watcher: lazywatch.Watcher(client, policies.List, policies.Watch)},
			lazywatch.Source{Object: &corev1.Namespace{}, Watcher: lazywatch.Watcher(client, namespaces.List, namespaces.Watch)},
			lazywatch.Source{Object: &corev1.Pod{}, Watcher: lazywatch.Watcher(client, pods.List, pods.Watch), Trim: trimPod,
				Indexers: cache.Indexers{byAddress: addressesOf}})}
}

// Close ends what is watched.
func (h *Holder) Close() {
	h.onoff.Close()
	h.objects.Close()
}

// trimPod keeps what policies look at.
func trimPod(obj any) (any, error) {
	p, ok := obj.(*corev1.Pod)
	if !ok {
		return obj, nil
	}
	small := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID, Labels: p.Labels,
		ResourceVersion: p.ResourceVersion}}
	small.Spec.HostNetwork, small.Spec.NodeName = p.Spec.HostNetwork, p.Spec.NodeName
	for _, c := range slices.Concat(p.Spec.InitContainers, p.Spec.Containers) {
		if len(c.Ports) > 0 {
			small.Spec.Containers = append(small.Spec.Containers, corev1.Container{Ports: c.Ports})
		}
	}
	small.Status.Phase, small.Status.PodIPs, small.Status.HostIP = p.Status.Phase, p.Status.PodIPs, p.Status.HostIP
	return small, nil
}

func addressesOf(obj any) (all []string, err error) {
	p := obj.(*corev1.Pod)
	if p.Spec.HostNetwork || p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed {
		return nil, nil // its address is a node's, or another pod's by now
	}
	for _, ip := range p.Status.PodIPs {
		all = append(all, ip.IP)
	}
	return all, nil
}

// Decision is what policies say about one direction of a connection.
type Decision struct {
	Direction networkingv1.PolicyType
	// Pod is NAMESPACE/NAME of the pod that is selected, and Policies are the names of the policies that select it; none: it is
	// not isolated in that direction.
	Pod      string
	Policies []string
	Allowed  bool
	// By is the policy that allows it, and why it does; empty: none does.
	By string
}

func (d Decision) String() string {
	way := "egress from"
	if d.Direction == networkingv1.PolicyTypeIngress {
		way = "ingress to"
	}
	switch {
	case len(d.Policies) == 0:
		return fmt.Sprintf("no NetworkPolicy selects pod %s for %s it", d.Pod, way)
	case d.Allowed:
		return fmt.Sprintf("NetworkPolicy %s allows %s pod %s", d.By, way, d.Pod)
	}
	return fmt.Sprintf("NetworkPolicies select pod %s and none allows this %s it: %v", d.Pod, way, d.Policies)
}

// Decide says what the policies say of a connection; none where they are switched off. from is what the packets' source is when
// they come to the pod.
func (h *Holder) Decide(ctx context.Context, from netip.Addr, to netip.AddrPort) ([]Decision, error) {
	on, err := h.on(ctx)
	if err != nil || !on {
		return nil, err
	}
	stores, err := h.known(ctx, h.objects)
	if err != nil || stores == nil {
		return nil, err
	}
	w := world{policies: stores[0], namespaces: stores[1]}
	source, target := podAt(stores[2], from), podAt(stores[2], to.Addr())
	var all []Decision
	if source != nil && target != nil && source.Namespace == target.Namespace && source.Name == target.Name {
		return nil, nil // a pod cannot be kept from itself
	}
	if source != nil {
		all = append(all, w.decide(networkingv1.PolicyTypeEgress, source, peer{to.Addr(), target}, target, to.Port()))
	}
	if target != nil && !isOwnNode(target, from) {
		all = append(all, w.decide(networkingv1.PolicyTypeIngress, target, peer{from, source}, target, to.Port()))
	}
	return all, nil
}

func (h *Holder) on(ctx context.Context) (bool, error) {
	if h.isOn() {
		return true, nil
	}
	stores, err := h.known(ctx, h.onoff)
	if err != nil || stores == nil {
		return false, err
	}
	for _, obj := range stores[0].List() {
		if obj.(*corev1.ConfigMap).Data[switchKey] == "true" {
			return true, nil
		}
	}
	return false, nil
}

// known are a watch's objects; nil where they are not known in time.
func (h *Holder) known(ctx context.Context, w *lazywatch.Watch) ([]cache.Indexer, error) {
	wait := knownWithin
	h.mu.Lock()
	if time.Since(h.failed) < retryAfter {
		wait = 0
	}
	h.mu.Unlock()
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	stores, err := w.Stores(waiting)
	switch {
	case err == nil:
		return stores, nil
	case ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded):
		return nil, err
	}
	h.mu.Lock()
	h.failed = time.Now()
	h.mu.Unlock()
	return nil, nil
}

func podAt(pods cache.Indexer, address netip.Addr) *corev1.Pod {
	found, _ := pods.ByIndex(byAddress, address.String())
	if len(found) == 0 {
		return nil
	}
	return found[0].(*corev1.Pod)
}

// isOwnNode says that the packets come from the pod's node, which always may: its kubelet probes the pod.
func isOwnNode(p *corev1.Pod, from netip.Addr) bool { return p.Status.HostIP == from.String() }

// world are the objects that decide.
type world struct{ policies, namespaces cache.Indexer }

// peer is the other end of a connection; pod is nil where it is none of the cluster's.
type peer struct {
	address netip.Addr
	pod     *corev1.Pod
}

// decide asks all policies that select the pod for a direction. target is the pod that is connected to, if any.
func (w world) decide(direction networkingv1.PolicyType, pod *corev1.Pod, other peer, target *corev1.Pod, port uint16) Decision {
	d := Decision{Direction: direction, Pod: pod.Namespace + "/" + pod.Name, Allowed: true}
	for _, obj := range w.policies.List() {
		p := obj.(*networkingv1.NetworkPolicy)
		if p.Namespace != pod.Namespace || !matches(&p.Spec.PodSelector, pod.Labels) || !covers(p, direction) {
			continue
		}
		d.Policies = append(d.Policies, p.Name)
		if d.By == "" && w.allows(p, direction, other, target, port) {
			d.By = p.Namespace + "/" + p.Name
		}
	}
	slices.Sort(d.Policies)
	d.Allowed = len(d.Policies) == 0 || d.By != ""
	return d
}

// covers says whether a policy is about a direction: where it does not say so itself, egress is only if it has rules of it.
func covers(p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType) bool {
	if len(p.Spec.PolicyTypes) > 0 {
		return slices.Contains(p.Spec.PolicyTypes, direction)
	}
	return direction == networkingv1.PolicyTypeIngress || len(p.Spec.Egress) > 0
}

func (w world) allows(p *networkingv1.NetworkPolicy, direction networkingv1.PolicyType, other peer, target *corev1.Pod, port uint16) bool {
	rule := func(ports []networkingv1.NetworkPolicyPort, peers []networkingv1.NetworkPolicyPeer) bool {
		return hasPort(ports, target, port) && (len(peers) == 0 ||
			slices.ContainsFunc(peers, func(one networkingv1.NetworkPolicyPeer) bool { return w.isPeer(p.Namespace, one, other) }))
	}
	if direction == networkingv1.PolicyTypeIngress {
		return slices.ContainsFunc(p.Spec.Ingress, func(r networkingv1.NetworkPolicyIngressRule) bool { return rule(r.Ports, r.From) })
	}
	return slices.ContainsFunc(p.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool { return rule(r.Ports, r.To) })
}

func (w world) isPeer(namespace string, one networkingv1.NetworkPolicyPeer, other peer) bool {
	if one.IPBlock != nil {
		return inBlock(one.IPBlock, other.address)
	}
	if other.pod == nil {
		return false
	}
	if one.NamespaceSelector == nil {
		return other.pod.Namespace == namespace && matches(one.PodSelector, other.pod.Labels)
	}
	obj, found, _ := w.namespaces.GetByKey(other.pod.Namespace)
	return found && matches(one.NamespaceSelector, obj.(*corev1.Namespace).Labels) &&
		(one.PodSelector == nil || matches(one.PodSelector, other.pod.Labels))
}

func inBlock(b *networkingv1.IPBlock, address netip.Addr) bool {
	within := func(text string) bool {
		block, err := netip.ParsePrefix(text)
		return err == nil && block.Contains(address.Unmap())
	}
	return within(b.CIDR) && !slices.ContainsFunc(b.Except, within)
}

func matches(selector *metav1.LabelSelector, set map[string]string) bool {
	s, err := metav1.LabelSelectorAsSelector(selector)
	return err == nil && s.Matches(labels.Set(set))
}

// hasPort says whether a rule's ports have that of a connection; names are those of the pod that is connected to.
func hasPort(ports []networkingv1.NetworkPolicyPort, target *corev1.Pod, port uint16) bool {
	if len(ports) == 0 {
		return true
	}
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		if p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP {
			return false
		}
		switch {
		case p.Port == nil:
			return true
		case p.Port.StrVal != "":
			return target != nil && slices.ContainsFunc(target.Spec.Containers, func(c corev1.Container) bool {
				return slices.ContainsFunc(c.Ports, func(named corev1.ContainerPort) bool {
					return named.Name == p.Port.StrVal && named.ContainerPort == int32(port) &&
						(named.Protocol == "" || named.Protocol == corev1.ProtocolTCP)
				})
			})
		case p.EndPort != nil:
			return int32(port) >= p.Port.IntVal && int32(port) <= *p.EndPort
		}
		return p.Port.IntVal == int32(port)
	})
}
