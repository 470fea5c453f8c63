package nodes

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"tripod/nodes/network"
)

// Serve answers on l for every address of the zone's nodes and pods: whoever dials it says by network.Connect which one
// is meant. At a node's port 10250 is its kubelet, at a pod's ports what listens there. It returns nil after Stop, and
// l's error when l fails; l is closed then.
func (s *Simulator) Serve(l net.Listener) error {
	kubelets := kubeletFeed{network.NewFeed(l.Addr()), l}
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
	case err != nil:
		return nil, fmt.Errorf("%s leads nowhere: %w", to, err)
	case pod != nil:
		return z.http.Answer(ctx, pod, port, from)
	case isNode:
		return nil, fmt.Errorf("connection refused: nothing listens on port %d of node %s", to.Port(), n.name)
	}
	return nil, fmt.Errorf("%s leads nowhere: %w", to, network.ErrNoAddress)
}
