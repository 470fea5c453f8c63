package main

import (
	"context"
	"net/http"
	"net/url"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"tripod/az/controlplane"
	"tripod/incluster/zonalshift"
)

// shiftTimeout bounds each call of a zonal shift: an API server may have gone silent, which is what shifts are for.
const shiftTimeout = 5 * time.Second

func shiftZones(ctx context.Context, c controlplane.WorkersConfig, zones []string) error {
	config := administrator(c)
	config.Timeout = shiftTimeout
	// and so the connections are the client's own, to be closed with it
	config.Proxy = func(*http.Request) (*url.URL, error) { return nil, nil }
	connections, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	defer connections.CloseIdleConnections()
	client, err := kubernetes.NewForConfigAndClient(config, connections)
	if err != nil {
		return err
	}
	return zonalshift.Apply(ctx, client, zones)
}
