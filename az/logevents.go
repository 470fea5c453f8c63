package az

import (
	"context"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"tripod/awsapi"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/logs"
	"tripod/logs/logstore"
)

// startLogEvents opens the zone's copy of all log events, takes what other zones bring, and brings them what they lack.
func (z *Zone) startLogEvents(ctx context.Context) error {
	var zones []string
	for _, peer := range z.config.Peers {
		zones = append(zones, peer.Zone)
	}
	logger := z.logger.With("component", "log-events")
	store, err := logstore.Open(logstore.Config{
		Dir: filepath.Join(z.config.Dir, "log-events"), Zone: z.config.Zone, Zones: zones, Logger: logger,
		Exists: func(stream string) bool { return isMetrics(stream) || logs.Exists(z.voter, stream) },
	})
	if err != nil {
		return err
	}
	z.logEvents, z.metrics = store, &metricdata.Store{Log: store}
	server := &http.Server{Handler: store.Handler(), ReadHeaderTimeout: 5 * time.Second}
	z.wait.Go(func() { server.Serve(z.voter.Bulk()) })
	z.closes = append(z.closes, func() { server.Close() })
	for _, zone := range zones {
		if zone == z.config.Zone {
			continue
		}
		z.wait.Go(func() {
			store.Replicate(ctx, zone, func(ctx context.Context) (net.Conn, error) { return z.voter.DialBulk(ctx, zone) })
		})
	}
	keeper := &logs.Keeper{Zone: z.config.Zone, Zones: zones, State: z.voter, Events: store, Logger: logger}
	z.wait.Go(func() { keeper.Run(ctx) })
	filters := &logs.MetricFilters{State: z.voter, Events: store, Metrics: awsapi.FilteredMetrics{Store: z.metrics}, Logger: logger}
	z.wait.Go(func() { filters.Run(ctx) })
	return nil
}

// background runs what an AWS call has begun and what outlives it, until the zone ends.
func (z *Zone) background(do func(context.Context)) {
	z.wait.Go(func() { do(z.running) })
}
