package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"time"

	"k8s.io/client-go/rest"

	"tripod/az"
	"tripod/az/controlplane"
	"tripod/incluster/addons"
	"tripod/incluster/fargate"
	"tripod/incluster/nodegroups"
	"tripod/internal/pki"
	"tripod/nodes"
	"tripod/nodes/object"
	"tripod/nodes/podlife"
	"tripod/pods/podidentity"
	"tripod/region"
)

// zone runs a zone's agent with what links Kubernetes' client libraries.
func zone(ctx context.Context, args []string) error {
	return az.Run(ctx, args, controlplane.Parts{
		Workers: newWorkers, Addons: installAddons, Shift: shiftZones, PodIdentity: newPodIdentity,
		NodeManager: newNodeManager, Fargate: controlplane.FargateParts{Admission: newFargateAdmission, Cluster: newFargateCluster},
		Storage: newStorage, ResourceMetrics: newResourceMetrics, Extensions: newExtensions,
	})
}

func newWorkers(c controlplane.WorkersConfig) (controlplane.Workers, error) {
	config := nodes.Config{
		Zone: c.Zone, ZoneID: c.ZoneID, Region: c.Region,
		ClusterID: c.Cluster.ID, Machines: c.Machines, Pools: c.Pools, Report: c.Report,
	}
	config.Server, config.CA, config.CloudCert, config.CloudKey = c.Server, c.CA, c.Client.Cert, c.Client.Key
	config.Mount, config.NodeDir, config.NodeLogs, config.LogOutputs = c.Mount, c.NodeDir, c.NodeLogs, logOutputs(c)
	config.FargateLogs = fargateLogs(c)
	config.Dial, config.Token, config.LocalPort, config.DialWithin, config.Admit, config.NetworkPolicies = c.Dial, c.Token, c.LocalPort,
		c.DialWithin, c.Admit, c.NetworkPolicies
	if services, err := netip.ParsePrefix(c.Cluster.ServiceCIDR); err == nil {
		config.ClusterDNS = addons.DNSAddress(services).String()
	}
	if c.RealPace {
		config.Pods = podlife.DefaultSettings()
		config.Pods.Pull, config.Pods.Start, config.Pods.Run = 4*time.Second, 700*time.Millisecond, 5*time.Second
	}
	config.ClientCAs = x509.NewCertPool()
	config.ClientCAs.AppendCertsFromPEM(c.CA)
	config.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil)).With("az", c.Zone, "cluster", c.Cluster.Name,
		"component", "nodes")
	config.ServingCert = func(addresses []netip.Addr) (tls.Certificate, error) {
		leaf := pki.Leaf{CommonName: "system:node:" + c.Zone, Organizations: []string{"system:nodes"}, Server: true}
		for _, address := range addresses {
			leaf.IPs = append(leaf.IPs, net.IP(address.AsSlice()))
		}
		pair, err := c.Authority.Issue(leaf)
		if err != nil {
			return tls.Certificate{}, err
		}
		return pair.TLS()
	}
	return nodes.New(config), nil
}

// administrator is how a zone reaches its cluster as its administrator.
func administrator(c controlplane.WorkersConfig) *rest.Config {
	return &rest.Config{Host: c.Server, Dial: c.Dial, QPS: -1,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.CA, CertData: c.Client.Cert, KeyData: c.Client.Key}}
}

func installAddons(ctx context.Context, c controlplane.WorkersConfig, record region.Cluster) error {
	options := addons.Options{
		ClusterName: c.Cluster.Name, ClusterID: c.Cluster.ID, Region: c.Region, AccountID: c.AccountID,
		Version: record.Version, Bare: record.Bare,
	}
	var err error
	if options.ServiceCIDR, err = netip.ParsePrefix(c.Cluster.ServiceCIDR); err != nil {
		return err
	}
	if record.NodeRole != "" {
		options.NodeRoleARN = "arn:aws:iam::" + c.AccountID + ":role/" + record.NodeRole
	}
	return addons.Apply(ctx, administrator(c), options)
}

func newNodeManager(c controlplane.WorkersConfig) (controlplane.NodeManager, error) {
	return nodegroups.New(administrator(c))
}

func newFargateCluster(c controlplane.WorkersConfig, webhook string) (controlplane.FargateCluster, error) {
	return fargate.New(administrator(c), webhook, c.CA, fargate.Logging{Region: c.Region, Keep: c.KeepFargateLogging})
}

func newFargateAdmission(profiles func() []object.FargateProfile, logger *slog.Logger) http.Handler {
	return &fargate.Admission{Profiles: profiles, Logger: logger}
}

func newPodIdentity(c controlplane.PodIdentityConfig) (controlplane.PodIdentity, error) {
	return podidentity.New(podidentity.Config{
		Region: c.Region, Server: c.Server, Dial: c.Dial, CA: c.CA, ClientCert: c.Client.Cert, ClientKey: c.Client.Key,
		URL: c.URL, Associated: c.Associated, Logger: c.Logger,
	})
}
