// Package controlplane is a zone's part of a cluster: an API server, an etcd member and controllers, and what they
// stand on.
package controlplane

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"tripod/api"
	"tripod/awsapi/cloudwatch/metricdata"
	"tripod/awsapi/eks"
	"tripod/az/machines"
	"tripod/az/plan"
	"tripod/internal/diskfault"
	"tripod/internal/loss"
	"tripod/logs/logstore"
	"tripod/nodes/efsvolume"
	"tripod/nodes/ipam"
	"tripod/nodes/network"
	"tripod/region"
	"tripod/state"
)

// Host is the zone that parts of clusters are in, as they need it.
type Host struct {
	Plan plan.Zone
	// State is the zone's copy of the regional state.
	State State
	// LogEvents is the zone's copy of CloudWatch Logs' events.
	LogEvents *logstore.Store
	// Metrics is the zone's copy of CloudWatch's data; nil: nothing is written there.
	Metrics *metricdata.Store
	// Dial connects to names of the region, by the zone's gateway, and ServeGateway lets the processes of a cluster do so,
	// until the listener is closed.
	Dial         func(ctx context.Context, address string) (net.Conn, error)
	ServeGateway func(listener net.Listener, clusterID string)
	// DialWithin connects to an address of a cluster's nodes and pods, and Admit says who it is to see, or that the VPC's rules
	// do not let it pass.
	DialWithin func(ctx context.Context, clusterID string, from network.Source, to netip.AddrPort) (net.Conn, error)
	Admit      func(clusterID string, from network.Source, to netip.AddrPort) (seen netip.AddrPort, err error)
	Parts
	// Clusters is EKS.
	Clusters *eks.Service
	// Mount says why a node of the zone cannot mount a file system; nil: none is asked.
	Mount func(efsvolume.Handle) (output string, err error)
	// Machines has the zone's instances, the cluster's nodes among them, and Pools have the addresses of these nodes' pods.
	Machines *machines.Host
	Pools    *ipam.Pools
	Event    func(api.Event)
	// OnLoss is told of a process that is gone, or answers nobody. OnChange is told that a state changed.
	OnLoss   func(loss.Loss)
	OnChange func()
	Logger   *slog.Logger
	Timing   Timing
	Now      func() time.Time
	// Disk is what is wrong with the disk of a cluster, by its name; nil: nothing ever is.
	Disk func(cluster string) diskfault.Fault
}

// State is the regional state, by its voter of the zone.
type State interface {
	state.Updater
	Watch() (<-chan struct{}, func())
	Leader() string
	// Fresh returns when the copy has what was acknowledged anywhere by now.
	Fresh(ctx context.Context) error
}

// Parts are those of a zone that link Kubernetes' client libraries, and are injected for that.
type Parts struct {
	// Workers makes the simulator of the zone's nodes; nil leaves the zone without.
	Workers func(WorkersConfig) (Workers, error)
	// Addons puts what a fresh EKS cluster shows into a cluster; nil does not.
	Addons func(context.Context, WorkersConfig, region.Cluster) error
	// Shift makes a cluster as it has to be while traffic is moved away from zones; nil does nothing.
	Shift func(ctx context.Context, c WorkersConfig, zones []string) error
	// NodeManager makes what manages a cluster's nodes; nil leaves node groups as they are recorded.
	NodeManager func(WorkersConfig) (NodeManager, error)
	// PodIdentity makes the webhook that gives pods their AWS identity; nil leaves the zone without.
	PodIdentity func(PodIdentityConfig) (PodIdentity, error)
	// Fargate is what Fargate needs; the zero value leaves profiles as they are recorded.
	Fargate FargateParts
	// ResourceMetrics makes the API metrics.k8s.io of what zones answer to "nodes?..." and "pods?..." about their nodes; nil: there
	// is none.
	ResourceMetrics func(zones []AskZone, logger *slog.Logger) http.Handler
	// Extensions makes what keeps the objects by which API servers find what zones add to their API; nil leaves it unknown to them.
	Extensions func(WorkersConfig, netip.AddrPort) (Extensions, error)
	// Storage makes the CSI driver of an installed add-on; nil leaves storage add-ons as they are recorded.
	Storage func(StorageConfig) (Storage, error)
}

// Timing is how long a part waits for others.
type Timing struct {
	// Patience is how long a new process may take until it is ready. A laptop under load is slow; one that does not
	// come up at all shows itself by dying again and again, and that is not told from slowness here.
	Patience time.Duration
	// Precedence is how long the first zone's API server has the processors for itself.
	Precedence time.Duration
}

// DefaultTiming is that of real processes.
var DefaultTiming = Timing{Patience: 3 * time.Minute, Precedence: 1500 * time.Millisecond}

// Cluster is what never changes of a cluster. All else is read from its record when it is needed: a copy of it would be
// read long after it was true.
type Cluster struct {
	ID, Name     string
	EndpointPort int    // others' ports follow from it
	ServiceCIDR  string // 10.100.0.0/16
	Issuer       string // of service accounts' tokens
	CreatedAt    time.Time
	Nodes        int // in all zones
}

func clusterOf(record region.Cluster) Cluster {
	return Cluster{
		ID: record.ID, Name: record.Name, EndpointPort: record.EndpointPort, ServiceCIDR: record.ServiceCIDR,
		Issuer:    record.Issuer,
		CreatedAt: record.CreatedAt, Nodes: record.Nodes,
	}
}
