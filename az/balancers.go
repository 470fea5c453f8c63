package az

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"

	"tripod/az/balancing"
	"tripod/az/gateway"
	"tripod/az/plan"
	"tripod/internal/process"
	"tripod/nodes/network"
)

// startBalancing lets clients come to the zone's load-balancer nodes, which carry nothing until the zone's loops run.
func (z *Zone) startBalancing() error {
	client, _ := netip.ParseAddr(z.config.ClientAddress) // empty: clients have their own
	z.balances = balancing.New(balancing.Options{Zone: z.config.Zone, State: z.voter, Dial: z.dialWithin, Admit: z.vpc.admitClient,
		Cross:  z.gateway.CrossFromClients,
		Client: client, OnChange: z.changed, RealPace: z.config.RealPace, LogDir: filepath.Join(z.config.Dir, "load-balancer-logs"),
		Clusters: func() (ids []string) {
			for _, c := range z.routed() {
				ids = append(ids, c.ID)
			}
			return ids
		}, Now: z.now, Logger: z.logger.With("component", "load-balancers")})
	listener, err := process.ListenUnix(plan.BalancersSocket(z.config.RunDir()))
	if err != nil {
		return err
	}
	z.wait.Go(func() {
		if err := z.balances.Serve(listener); err != nil {
			z.logger.Error("load balancers take no clients any more", "error", err)
		}
	})
	z.closes = append(z.closes, z.balances.Close, func() { listener.Close() })
	return nil
}

// dialWithin connects to an address of a cluster's node or pod, in whatever zone it is.
func (z *Zone) dialWithin(ctx context.Context, clusterID string, from network.Source, to netip.AddrPort) (net.Conn, error) {
	conn, err := z.gateway.DialWithin(ctx, clusterID, from, to)
	if errors.Is(err, gateway.ErrDenied) {
		err = network.ErrNoAddress // it is in no subnet of the cluster's nodes
	}
	return conn, err
}
