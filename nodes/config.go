package nodes

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"tripod/nodes/machine"
)

// Config says which nodes a Simulator has, and how it reaches the cluster.
type Config struct {
	Zone        string // "us-east-1a"
	ZoneID      string // "use1-az1"
	Region      string // "us-east-1"
	AccountID   string // 12 digits
	ClusterName string
	ClusterID   string // everything that is derived (addresses, instance ids) is keyed by it, not by the name

	// Subnet is the zone's subnet in the cluster's VPC, e.g. 10.0.0.0/19. Nodes and pods have their addresses in it,
	// except for its first and last 16, which are left to network interfaces of the control plane.
	Subnet netip.Prefix

	Count             int    // of nodes; 0 is none
	InstanceType      string // empty means m5.large; a type that is not known has m5.large's size
	KubernetesVersion string // what the kubelets report, e.g. "v1.36.2-eks-3025e55"

	Server string // https URL of the cluster's endpoint
	// Dial connects to it; nil is by TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	CA   []byte // PEM, of Server
	// Token is the bearer token of the kubelet of the instance with that id: good for tokenLife at least.
	Token func(ctx context.Context, instanceID string) (string, error)
	// CloudCert and CloudKey, in PEM, are of a user who may label nodes and read pods, services and endpoint slices: what
	// in EKS the cloud's controllers and its network do.
	CloudCert, CloudKey []byte

	ServingCert tls.Certificate // of the kubelets' HTTPS server
	ClientCAs   *x509.CertPool  // who may speak to the kubelets: the API servers

	// LocalPort says why a pod's address may not lead to that port of this machine, and nil where it may. Without it none
	// may.
	LocalPort func(port int) error

	Logger *slog.Logger // nil discards
}

// withDefaults fills in what may be empty.
func (c Config) withDefaults() Config {
	if c.Dial == nil {
		c.Dial = (&net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	}
	if c.InstanceType == "" {
		c.InstanceType = machine.DefaultType
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
	switch {
	case c.Zone == "" || c.Region == "" || c.ClusterID == "":
		return errors.New("zone, region and cluster id are needed")
	case !c.Subnet.IsValid() || !c.Subnet.Addr().Is4():
		return fmt.Errorf("subnet %v is not an IPv4 prefix", c.Subnet)
	case c.Count < 0:
		return fmt.Errorf("a zone cannot have %d nodes", c.Count)
	case machine.Usable(c.Subnet) < c.Count*minAddressesPerNode:
		return fmt.Errorf("subnet %v is too small for %d nodes", c.Subnet, c.Count)
	}
	return nil
}

// minAddressesPerNode keeps a subnet from being full with nodes alone.
const minAddressesPerNode = 4

// Instances are the ids of the zone's instances, and by them their private DNS names.
func (c Config) Instances() map[string]string {
	names := map[string]string{}
	for _, n := range nodesAt(c, machine.Addresses(c.Subnet, c.ClusterID, c.Zone, c.Count)) {
		names[n.instanceID] = n.name
	}
	return names
}
