package nodes

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"time"

	corev1 "k8s.io/api/core/v1"

	"tripod/nodes/kubeproxy"
	"tripod/nodes/network"
)

// Serve answers on l for every address of the zone's nodes and pods: whoever dials it says by network.Connect which one
// is meant. At a node's port 10250 is its kubelet, at a pod's ports what listens there. It returns nil after Stop, and
// l's error when l fails; l is closed then.
func (s *Simulator) Serve(l net.Listener) error {
	kubelets := kubeletFeed{network.NewFeed(l.Addr()), l}
	s.kubelets.Store(&kubelets)
	ended := make(chan error, 1)
	go func() { ended <- s.ServeKubelet(kubelets) }()
	err := network.Serve(l, func(ctx context.Context, from, to netip.AddrPort) (network.Answer, error) {
		return s.answer(ctx, kubelets, from, to)
	})
	l.Close()
	kubelets.Close()
	if kubeletErr := <-ended; err == nil {
		err = kubeletErr
	}
	return err
}

// Answer says who answers at an address of the zone's nodes and pods, as Serve does, for clients in this process: a socket would cost
// them most of what they do.
func (s *Simulator) Answer(ctx context.Context, from, to netip.AddrPort) (network.Answer, error) {
	kubelets := s.kubelets.Load()
	if kubelets == nil {
		return nil, errStopped
	}
	return s.answer(ctx, *kubelets, from, to)
}

// kubeletFeed is that of the kubelets' server, which closes the listener behind it, too.
type kubeletFeed struct {
	*network.Feed
	from net.Listener
}

func (f kubeletFeed) Close() error {
	f.Feed.Close()
	return f.from.Close()
}

// answer says who answers at an address.
func (s *Simulator) answer(ctx context.Context, kubelets kubeletFeed, from, to netip.AddrPort) (network.Answer, error) {
	z := s.current()
	if z == nil {
		return nil, errStopped
	}
	n, isNode := z.roster.at(to.Addr())
	if isNode && to.Port() == kubeletPort {
		return func(conn net.Conn) {
			kubelets.Hand(network.At(conn, net.TCPAddrFromAddrPort(from), net.TCPAddrFromAddrPort(to)))
		}, nil
	}
	pod, port, err := z.pods.Holder(to.Addr().String(), int(to.Port()))
	switch {
	case pod != nil:
		return z.answerPod(ctx, pod, port, from, to)
	case isNode:
		return s.answerNode(ctx, z, n, from, to)
	case err != nil:
		return nil, fmt.Errorf("%s leads nowhere: %w", to, err)
	}
	return nil, fmt.Errorf("%s leads nowhere: %w", to, network.ErrNoAddress)
}

// answerPod has a pod answer, where NetworkPolicies let the connection come to it.
func (z *zone) answerPod(ctx context.Context, pod *corev1.Pod, port int, from, to netip.AddrPort) (network.Answer, error) {
	if z.policies != nil && from.IsValid() && !pod.Spec.HostNetwork {
		decisions, err := z.policies.Decide(ctx, from.Addr(), to)
		if err != nil {
			return nil, err
		}
		if err := refusalOf(decisions, from.Addr(), to); err != nil {
			return nil, err
		}
	}
	take, err := z.links.of(pod, podPort{port: port}).Open(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := z.http.Answer(ctx, pod, port, from)
	if err != nil {
		return nil, err
	}
	return func(conn net.Conn) { answer(take(conn)) }, nil
}

// answerNode says who answers at a node's port that is no pod's: what kube-proxy leads on, or checks.
func (s *Simulator) answerNode(ctx context.Context, z *zone, n node, from, to netip.AddrPort) (network.Answer, error) {
	if own := kubeproxy.Own(int(to.Port())); own != nil && n.machine.Fargate == nil {
		return answerHTTP(own), nil
	}
	if to.Port() == routerPort {
		if metrics := z.routerMetrics(n.name); metrics != nil {
			return answerHTTP(metrics), nil
		}
	}
	if z.services == nil {
		return nil, network.Refused("connection refused: nothing listens on port %d of node %s", to.Port(), n.name)
	}
	endpoints, seesClient, err := z.services.NodePort(ctx, kubeproxy.Asker{Node: n.name, From: from, Own: from.Addr() == to.Addr()},
		int(to.Port()))
	if errors.Is(err, kubeproxy.ErrNoService) {
		if check := z.services.HealthCheck(ctx, n.name, int(to.Port())); check != nil {
			return answerHTTP(check), nil
		}
		return nil, network.Refused("connection refused: nothing listens on port %d of node %s", to.Port(), n.name)
	}
	source := network.Source{Address: from, Node: to.Addr()}
	if !seesClient { // the node's address takes the client's place, so that answers come back by it
		source.Address = netip.AddrPortFrom(to.Addr(), from.Port())
	}
	for _, at := range endpoints {
		var answer network.Answer
		if answer, err = s.answerEndpoint(ctx, z, source, at); err == nil || errors.Is(err, network.ErrFiltered) {
			return answer, err
		}
	}
	return nil, fmt.Errorf("connection refused: port %d of node %s: %w", to.Port(), n.name, err)
}

// answerEndpoint says who answers for an endpoint of a Service, in this zone or another.
func (s *Simulator) answerEndpoint(ctx context.Context, z *zone, from network.Source, at netip.AddrPort) (network.Answer, error) {
	pod, port, err := z.pods.Holder(at.Addr().String(), int(at.Port()))
	if pod != nil {
		if err := s.conf.Admit(from, at); err != nil {
			return nil, err
		}
		return z.answerPod(ctx, pod, port, from.Address, at)
	}
	if _, own := z.roster.at(at.Addr()); own || err != nil { // a node's port again would lead round and round
		return nil, fmt.Errorf("no pod listens at %s", at)
	}
	far, err := s.conf.DialWithin(ctx, from, at)
	if err != nil {
		return nil, err
	}
	return func(near net.Conn) {
		defer near.Close()
		defer far.Close()
		network.Join(near, far)
	}, nil
}

// answerHTTP has a handler answer the requests of one connection.
func answerHTTP(handler http.Handler) network.Answer {
	return func(conn net.Conn) {
		feed := network.NewFeed(conn.LocalAddr())
		server := &http.Server{Handler: handler, ReadHeaderTimeout: checkTime, IdleTimeout: checkTime,
			ConnState: func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed || state == http.StateHijacked {
					feed.Close()
				}
			}}
		go feed.Hand(conn)
		server.Serve(feed) // until the connection ends
	}
}

// checkTime is how long who checks may take to ask.
const checkTime = 10 * time.Second
