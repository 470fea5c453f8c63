package az

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/plan"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/region"
	"tripod/state"
)

// Identity is the webhook that gives a cluster's pods their AWS identity: podidentity.Webhook.
type Identity interface {
	http.Handler
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// IdentityConfig says which cluster the webhook is for.
type IdentityConfig struct {
	Region string
	Server string // the zone's own API server
	// Dial connects to it.
	Dial   func(ctx context.Context, network, address string) (net.Conn, error)
	CA     []byte // PEM
	Client pki.Pair
	URL    string // of the webhook, for API servers
	// Associated says whether a service account has a pod identity association.
	Associated func(namespace, serviceAccount string) bool
	Logger     *slog.Logger
}

// identity is the webhook of one cluster in the zone, and what it stands on.
type identity struct {
	webhook Identity
	server  *http.Server
}

// startIdentity serves the webhook over TLS, as API servers ask for it, on a unix socket behind the gateway.
func (c *clusterZone) startIdentity(ctx context.Context) error {
	if c.zone.Identity == nil {
		return nil
	}
	webhook, err := c.newWebhook()
	if err != nil {
		return err
	}
	serving, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.PodIdentity)
	if err != nil {
		return err
	}
	cert, err := serving.TLS()
	if err != nil {
		return err
	}
	listener, err := process.ListenUnix(c.zone.config.PodIdentitySocket(c.record.ID))
	if err != nil {
		return err
	}
	if err := webhook.Start(ctx); err != nil {
		listener.Close()
		return err
	}
	i := &identity{webhook: webhook}
	i.server = &http.Server{Handler: webhook, ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}},
		ErrorLog:  slog.NewLogLogger(c.zone.logger.Handler(), slog.LevelDebug)}
	go i.server.ServeTLS(listener, "", "") // ends with Close
	c.identity = i
	return nil
}

func (c *clusterZone) newWebhook() (Identity, error) {
	admin, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.Administrator)
	if err != nil {
		return nil, err
	}
	clusterID := c.record.ID
	return c.zone.Identity(IdentityConfig{
		Region: c.zone.config.Region, Server: fmt.Sprintf("https://127.0.0.1:%d", plan.APIServerPort(c.record.EndpointPort, c.index)),
		Dial: c.leash.dial, CA: c.trust.Load().bundle, Client: admin, URL: "https://" + launch.PodIdentityHost(clusterID) + "/mutate",
		Associated: func(namespace, serviceAccount string) bool {
			return associated(c.zone.voter, clusterID, namespace, serviceAccount)
		},
		Logger: c.zone.logger.With("component", "pod-identity-webhook", "cluster", c.record.Name),
	})
}

// associated says whether a service account of the cluster has an association. Each new pod asks.
func associated(store state.Viewer, clusterID, namespace, serviceAccount string) (found bool) {
	err := store.View(func(tx *state.Txn) error {
		found = !region.AssociationsByServiceAccount.Of(region.ServiceAccountOf(clusterID, namespace, serviceAccount)).Empty(tx)
		return nil
	})
	return err == nil && found
}

// stop ends it; of a zone that has none it does nothing.
func (i *identity) stop(ctx context.Context) error {
	if i == nil {
		return nil
	}
	return errors.Join(i.server.Close(), i.webhook.Stop(ctx))
}
