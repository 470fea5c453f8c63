package az

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"tripod/api"
	"tripod/awsapi"
	"tripod/awsapi/eks"
	"tripod/awsapi/history"
	"tripod/awsapi/upstream"
	"tripod/az/controlplane"
	"tripod/az/gateway"
	"tripod/az/plan"
	"tripod/internal/pki"
	"tripod/internal/process"
	"tripod/internal/version"
	"tripod/region"
	"tripod/state"
)

func (z *Zone) startGateway(registerer prometheus.Registerer) error {
	router := &gateway.Router{Zone: z.config, Clusters: z.routed, OnRefusedPort: func(cluster string, err error) {
		z.event(api.Event{Cluster: cluster, Type: api.LocalPortRefused, Message: err.Error()})
	}}
	z.gateway = gateway.New(gateway.Config{
		Zone: z.config.Zone, Secret: z.config.GatewaySecret, Route: router.Route, OnRefusedPort: router.TellOnce,
		Admit: z.vpc.admit, OnFiltered: z.vpc.filtered,
		Logger: z.logger, Registerer: registerer,
	})
	z.gateway.SetLinks(z.config.Links)
	z.closes = append(z.closes, z.gateway.Stop)
	local, err := process.ListenUnix(z.config.Socket("gateway"))
	if err != nil {
		return err
	}
	z.gateway.Serve(local)
	proxy, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", z.config.GatewayPort))
	if err != nil {
		return err
	}
	z.gateway.ServeProxy(proxy)
	return nil
}

func (z *Zone) startVoter(ctx context.Context, registerer prometheus.Registerer) error {
	authority, err := os.ReadFile(filepath.Join(z.config.PKI, "ca.crt"))
	if err != nil {
		return err
	}
	pair, err := pki.ReadPair(z.config.PKI, "zone")
	if err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return err
	}
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM(authority)
	self := z.config.Peers[z.config.Index()]
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", self.RaftPort))
	if err != nil {
		return err
	}
	var peers []state.Peer
	for _, peer := range z.config.Peers {
		peers = append(peers, state.Peer{Zone: peer.Zone,
			Address: fmt.Sprintf("%s:%d", plan.RaftName(peer.Zone), peer.RaftPort)})
	}
	z.voter = state.NewVoter(state.Config{
		Zone: z.config.Zone, Schema: region.Schema, Dir: filepath.Join(z.config.Dir, "state"), Listener: listener,
		Peers: peers,
		Dial:  z.gateway.Dial,
		Gone:  gateway.Gone,
		ServerTLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, ClientCAs: trusted,
			ClientAuth: tls.RequireAndVerifyClientCert},
		ClientTLS: &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{cert}, RootCAs: trusted},
		Logger:    z.logger.With("component", "regional-state"), Registerer: registerer,
		OnLeader: z.leaderChanged, Disk: z.disk.meet, OnDown: z.voterDown,
		Timing: state.Timing{Heartbeat: z.config.RaftHeartbeat()},
	})
	if err := z.voter.Start(ctx); err != nil {
		listener.Close()
		return err
	}
	z.voter.CatchUp(ctx)
	z.closes = append(z.closes, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if err := z.voter.Stop(ctx); err != nil {
			z.logger.Warn("stop regional state", "error", err)
		}
	})
	return nil
}

func (z *Zone) startFront(ctx context.Context, registerer prometheus.Registerer) error {
	pair, err := pki.ReadPair(z.config.PKI, "front")
	if err != nil {
		return err
	}
	cert, err := pair.TLS()
	if err != nil {
		return err
	}
	listener, err := process.ListenUnix(plan.FrontSocket(z.config.RunDir()))
	if err != nil {
		return err
	}
	calls, err := history.Open(history.Config{Path: filepath.Join(z.config.Dir, history.FileName), Zone: z.config.Zone,
		Logger: z.logger, Registerer: registerer})
	if err != nil {
		listener.Close()
		return err
	}
	z.history = calls
	front := &awsapi.Front{
		Backend: z.backend(),
		Zone:    z.config.Zone, Lags: z.voter.Lags, Fresh: z.voter.Fresh, History: calls, ClientAddress: z.config.ClientAddress,
		Throttle: z.config.Throttle, AllowRemoteUpstream: z.config.RemoteUpstream,
		Logger: z.logger.With("component", "aws-front"), Registerer: registerer,
	}
	if z.config.Upstream != "" {
		if front.Upstream, err = upstream.ParseUpstream(z.config.Upstream, z.config.RemoteUpstream); err != nil {
			listener.Close()
			return err
		}
	}
	handler := front.Handler()
	serving, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		settings := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
		if err := awsapi.Serve(serving, listener, handler, settings, z.logger); err != nil {
			z.logger.Error("AWS front ended", "error", err)
		}
	}()
	z.closes = append(z.closes, func() {
		cancel()
		<-done
		if err := calls.Close(); err != nil {
			z.logger.Warn("close the history", "error", err)
		}
	})
	return nil
}

// backend is what the AWS services work on.
func (z *Zone) backend() awsapi.Backend {
	b := awsapi.Backend{
		Region: z.config.Region, AccountID: z.config.AccountID, State: z.voter, LogEvents: z.logEvents, Metrics: z.metrics,
		Background: z.background, Carried: true,
		Quotas: z.config.Quotas, LenientReferences: z.config.LenientReferences, IssuerHosts: z.config.OIDCIssuers,
		ControlPlane: eks.ControlPlane{
			FirstPort: z.config.ClusterPorts, PortsPerCluster: plan.PortsPerCluster, MostClusters: z.config.MostClusters,
			AWSPort: z.config.AWSPort, PortsFree: plan.PortsFree, AvailableMemory: process.AvailableMemory,
			Versions: version.KubernetesBuilds(), DefaultVersion: version.DefaultKubernetes,
			NewSecrets: controlplane.NewSecrets, NewAuthority: controlplane.NewAuthority,
		},
	}
	if z.config.RealPace {
		b.RealPace, b.ControlPlane.Pace = true, eks.RealPace
	}
	for _, peer := range z.config.Peers {
		b.Zones = append(b.Zones, peer.Zone)
	}
	return b
}

func (z *Zone) startControl() error {
	listener, err := process.ListenUnix(plan.ControlSocket(z.config.RunDir()))
	if err != nil {
		return err
	}
	server := &http.Server{Handler: z.controlHandler(), ReadHeaderTimeout: 5 * time.Second}
	z.wait.Go(func() { server.Serve(listener) })
	z.closes = append(z.closes, func() { server.Close() })
	return nil
}
