package nodes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"tripod/nodes/efsvolume"
	"tripod/nodes/ipam"
	"tripod/nodes/logrouter"
	"tripod/nodes/machine"
	"tripod/nodes/network"
	"tripod/nodes/podlife"
)

// Config says which nodes a Simulator has at first, and how it reaches the cluster.
type Config struct {
	Zone      string // "us-east-1a"
	ZoneID    string // "use1-az1"
	Region    string // "us-east-1"
	ClusterID string

	// Machines are those that there are at the start: Set says which there are later.
	Machines []machine.Machine
	// Pods says how pods live; nil: everything that takes no time by itself is done at once.
	Pods *podlife.Settings
	// Pools have the addresses of the nodes' pods, which the zone's host fills. Simulators of several clusters share them. nil: the
	// nodes share their subnets out by themselves.
	Pools *ipam.Pools

	Server string // https URL of the cluster's endpoint
	// Dial connects to it; nil is by TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	CA   []byte // PEM, of Server
	// Token is the bearer token of the kubelet of the instance with that id: good for tokenLife at least.
	Token func(ctx context.Context, instanceID string) (string, error)
	// CloudCert and CloudKey, in PEM, are of a user who may watch Services, their endpoints, and KWOK's stages with their
	// definition, as no kubelet may.
	CloudCert, CloudKey []byte
	// DialWithin connects to an address of the cluster's nodes and pods, in whatever zone; nil: those of this zone alone can
	// be connected to. Admit is what the VPC's rules say of a connection that stays in the zone, as a network.ErrFiltered; nil:
	// all pass.
	DialWithin func(ctx context.Context, from network.Source, to netip.AddrPort) (net.Conn, error)
	Admit      func(from network.Source, to netip.AddrPort) error
	// NetworkPolicies says that the VPC CNI's add-on is configured to hold them; nil: it is not.
	NetworkPolicies func() bool
	// Report is told that an instance's kubelet has registered (trouble is empty), or in the words of its log why it
	// could not: each once, until it changes. nil: nobody is told.
	Report func(instanceID, trouble string)

	// ServingCert makes the certificate of the kubelets' HTTPS server for all nodes' addresses.
	ServingCert func(addresses []netip.Addr) (tls.Certificate, error)
	ClientCAs   *x509.CertPool // of those who speak to the kubelets by a certificate, as the API servers do

	// LocalPort says why a pod's address may not lead to that port of this machine, and nil where it may. Without it none
	// may.
	LocalPort func(port int) error
	// Mount says why a file system of EFS cannot be mounted in this zone, as mount.efs prints it; an empty text: it can. nil: all can.
	Mount func(volume efsvolume.Handle) (output string, err error)
	// NodeDir is the directory of what the node with that instance holds on this machine; nil: there are none.
	NodeDir func(instanceID string) string
	// NodeLogs says that containers' logs are files below NodeDir, as a node has them in /var/log.
	NodeLogs bool
	// LogOutputs are where the log router of a node sends these, by names that stay; nil: it has none.
	LogOutputs func(instanceID, node string) map[string]logrouter.Output
	// FargateLogs says what the machine of Fargate's with that id does with the logs of its pod, which has logging; nil: that is not
	// known yet, and why. Without it no log router runs there.
	FargateLogs func(instanceID, namespace, pod string) (*logrouter.Machine, error)
	// ClusterDNS is the address of the cluster's DNS service; empty: 10.100.0.10.
	ClusterDNS string

	Logger *slog.Logger // nil discards
}

// withDefaults fills in what may be empty.
func (c Config) withDefaults() Config {
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if c.Report == nil {
		c.Report = func(string, string) {}
	}
	if c.DialWithin == nil {
		c.DialWithin = func(context.Context, network.Source, netip.AddrPort) (net.Conn, error) {
			return nil, network.ErrNoAddress
		}
	}
	if c.NetworkPolicies == nil {
		c.NetworkPolicies = func() bool { return false }
	}
	if c.Admit == nil {
		c.Admit = func(network.Source, netip.AddrPort) error { return nil }
	}
	if c.LocalPort == nil {
		c.LocalPort = func(int) error { return errors.New("no port of this machine may be led to") }
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// validate says what makes it impossible to start.
func (c Config) validate() error {
	if c.Zone == "" || c.Region == "" || c.ClusterID == "" {
		return errors.New("zone, region and cluster id are needed")
	}
	for _, m := range c.Machines {
		if err := m.Validate(); err != nil {
			return err
		}
	}
	return nil
}
