package controlplane

import (
	"context"
	"time"

	"tripod/internal/reconcile"
)

// loops are what is kept true of the cluster. The next one is one more of these.
func (c *Part) loops() []reconcile.Loop {
	loops := []reconcile.Loop{
		c.settling(),
		{Key: "change the control plane", Watch: c.host.State.Watch, Do: c.keepControlPlane,
			Pauses: reconcile.Pauses{First: time.Second, Most: time.Second}},
		{Key: "follow the ConfigMap aws-auth", Do: c.awsAuth.follow, Logger: c.awsAuth.logger,
			Pauses: reconcile.Pauses{First: awsAuthRetry, Most: awsAuthRetry}},
		{Key: "write the identity provider's file", Watch: c.host.State.Watch, Do: c.keepProvider},
		{Key: "have the API server's faults", Watch: c.host.State.Watch,
			Do: func(ctx context.Context) (time.Duration, error) { return 0, c.FollowFaults(ctx) }},
		c.shifting(),
		c.joining(),
		c.managing(),
		c.fargating(),
		c.storing(),
		c.extendingAPI(),
		{Key: "read the API server's counts of deprecated calls", Watch: c.host.State.Watch, Do: c.keepReading},
		{Key: "write EKS's metrics to CloudWatch", Watch: c.host.State.Watch, Do: c.keepVended},
	}
	for i := range loops {
		if loops[i].Logger == nil {
			loops[i].Logger = c.host.Logger.With("cluster", c.cluster.Name)
		}
	}
	return loops
}
