package controlplane

import (
	"context"
	"fmt"
	"time"

	"tripod/api"
	"tripod/internal/cronjobs"
)

// CronJobs tells how the cluster's CronJobs do, by this zone's API server.
func (c *Part) CronJobs(ctx context.Context) ([]api.CronJob, error) {
	clients, done, err := c.stateClients()
	if err != nil {
		return nil, err
	}
	defer done()
	told, err := cronjobs.Read(ctx, clients.Objects, time.Now())
	if err != nil {
		return nil, fmt.Errorf("zone %s: %w", c.host.Plan.Zone, err)
	}
	return told, nil
}
