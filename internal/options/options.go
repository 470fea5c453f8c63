// Package options is what `tripod up` was asked for: one struct from the flags to the zones' agents.
package options

import (
	"log/slog"
	"time"

	"tripod/api"
	"tripod/awsapi/quota"
	"tripod/internal/ports"
)

// Up are the options of a region. Those of the cluster count when the region is made; later starts keep what is there.
type Up struct {
	DataDir string // absolute
	Region  string // us-east-1
	// Port of the AWS endpoint; 0 picks one. PortSet says that it was asked for and is not the default.
	Port    int
	PortSet bool
	// Cluster is the name of the first cluster; NoCluster makes none.
	Cluster           string
	KubernetesVersion string // "1.36"
	// AccountID is that of a new region; empty means iam.DefaultAccountID.
	AccountID string
	Nodes     int // simulated ones, over all zones
	// SleepAfter is how long nobody may speak with the region until it falls asleep; 0: it never does by itself.
	SleepAfter time.Duration
	// DownAfter is how long nobody may speak with the region until it stops; 0: it never does by itself.
	DownAfter time.Duration
	// Heal starts a zone again that was killed from outside.
	Heal bool
	// AWSHealthChecks has balancers know only what health checks find, with a Network Load Balancer's intervals and thresholds.
	AWSHealthChecks bool

	MetricsAddress string // host:port of a metrics endpoint; empty: only the control socket has it
	ControlAddress string // host:port of the control API, beside its socket; empty: only the socket has it
	Executable     string // the program whose `internal` commands the children are
	Logger         *slog.Logger
	LogLevel       *slog.LevelVar // the Logger's; nil: it cannot be changed
	// OnEvent is told of every event, and may be nil. It is called from one goroutine at a time.
	OnEvent func(api.Event)
	Agent
}

// NoCluster is the Cluster of a region that is made without one.
const NoCluster = "none"

// HasCluster says whether the region is to be founded with a cluster.
func (u Up) HasCluster() bool { return u.Cluster != NoCluster }

// Agent are the options that the zones' agents follow: a part of their configuration's JSON.
type Agent struct {
	// Throttle says that calls of the AWS endpoint are limited as in AWS.
	Throttle bool `json:"throttle,omitempty"`
	// Quotas are those of the account that differ from AWS's defaults, by their names in quota.
	Quotas quota.Quotas `json:"quotas,omitempty"`
	// LenientReferences takes EKS's calls that name roles, launch templates and the like that are not there, and notes it
	// in the history.
	LenientReferences bool `json:"lenientReferences,omitempty"`
	// Upstream is the URL of an emulator that answers what Tripod does not have; RemoteUpstream lets it be on another
	// machine.
	Upstream       string `json:"upstream,omitempty"`
	RemoteUpstream bool   `json:"remoteUpstream,omitempty"`
	// OIDCIssuers are the hosts on other machines, as host:port, that may be asked for OpenID Connect issuers' keys.
	OIDCIssuers []string `json:"oidcIssuers,omitempty"`
	// ClientAddress is the IP address that clients are said to have; empty means one that every publicAccessCidrs admits.
	ClientAddress string `json:"clientAddress,omitempty"`
	// LocalPorts are the ports of this machine to which pods may lead what is sent to their addresses, but for the
	// region's own: whoever may create pods writes where.
	LocalPorts ports.Ranges `json:"localPorts,omitempty"`
	// NodeLogs says that containers' logs are files of their nodes, for collectors.
	NodeLogs bool `json:"nodeLogs,omitempty"`
	// ShipLogs are where the nodes' log routers send them, beside that.
	ShipLogs []LogOutput `json:"shipLogs,omitempty"`
	// RealPace lets the states of clusters last as long as they do in EKS, but for the cluster that the region is founded
	// with.
	RealPace bool `json:"realPace,omitempty"`
	// FastTimers lets elections, leases and health checks guess at deaths after fractions of a second.
	FastTimers bool `json:"fastTimers,omitempty"`
}
