package controlplane

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

// PodIdentity is the webhook that gives a cluster's pods their AWS identity: podidentity.Webhook.
type PodIdentity interface {
	http.Handler
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
}

// PodIdentityConfig says which cluster the webhook is for.
type PodIdentityConfig struct {
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

// podIdentity is the webhook of one cluster in the zone, and what it stands on.
type podIdentity struct {
	webhook PodIdentity
	server  *http.Server
}

// startPodIdentity serves the webhook over TLS, as API servers ask for it, on a unix socket behind the gateway, and that of
// Fargate beside it.
func (c *Part) startPodIdentity(ctx context.Context) error {
	if c.host.PodIdentity == nil {
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
	listener, err := process.ListenUnix(c.host.Plan.PodIdentitySocket(c.cluster.ID))
	if err != nil {
		return err
	}
	if err := webhook.Start(ctx); err != nil {
		listener.Close()
		return err
	}
	i := &podIdentity{webhook: webhook}
	paths := http.NewServeMux()
	paths.Handle("/", webhook)
	if admission := c.fargateAdmission(); admission != nil {
		paths.Handle(fargatePath, admission)
	}
	i.server = &http.Server{Handler: paths, ReadHeaderTimeout: 5 * time.Second,
		TLSConfig: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}},
		ErrorLog:  slog.NewLogLogger(c.host.Logger.Handler(), slog.LevelDebug)}
	go i.server.ServeTLS(listener, "", "") // ends with Close
	c.podIdentity = i
	return nil
}

func (c *Part) newWebhook() (PodIdentity, error) {
	admin, err := pki.ReadPair(filepath.Join(c.dir, "pki"), launch.Administrator)
	if err != nil {
		return nil, err
	}
	clusterID := c.cluster.ID
	return c.host.PodIdentity(PodIdentityConfig{
		Region: c.host.Plan.Region,
		Server: fmt.Sprintf("https://127.0.0.1:%d", plan.APIServerPort(c.cluster.EndpointPort, c.index)),
		Dial:   c.leash.dial, CA: c.trust.Load().bundle, Client: admin,
		URL: "https://" + launch.PodIdentityHost(clusterID) + "/mutate",
		Associated: func(namespace, serviceAccount string) bool {
			return associated(c.host.State, clusterID, namespace, serviceAccount)
		},
		Logger: c.host.Logger.With("component", "pod-identity-webhook", "cluster", c.cluster.Name),
	})
}

// associated says whether a service account of the cluster has an association. Each new pod asks.
func associated(store state.Viewer, clusterID, namespace, serviceAccount string) (found bool) {
	err := store.View(func(tx *state.Txn) error {
		found = !region.AssociationsByServiceAccount.Of(region.ServiceAccountOf(clusterID, namespace,
			serviceAccount)).Empty(tx)
		return nil
	})
	return err == nil && found
}

// stop ends it; of a zone that has none it does nothing.
func (i *podIdentity) stop(ctx context.Context) error {
	if i == nil {
		return nil
	}
	return errors.Join(i.server.Close(), i.webhook.Stop(ctx))
}
