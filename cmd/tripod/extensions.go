package main

import (
	"log/slog"
	"net/http"
	"net/netip"

	"tripod/az/controlplane"
	"tripod/incluster/extensions"
	"tripod/nodes/resourcemetrics"
)

func newExtensions(c controlplane.WorkersConfig, at netip.AddrPort) (controlplane.Extensions, error) {
	return extensions.New(administrator(c), at)
}

func newResourceMetrics(zones []controlplane.AskZone, logger *slog.Logger) http.Handler {
	api := &resourcemetrics.API{Logger: logger}
	for _, zone := range zones {
		api.Zones = append(api.Zones, zone)
	}
	return api
}
