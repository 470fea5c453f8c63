package eks

import (
	"maps"
	"slices"

	"tripod/region"
	"tripod/state"
)

// ControlPlane is what a zone offers to those who make clusters.
type ControlPlane struct {
	// FirstPort is the loopback port of the first cluster's endpoint; each of at most MostClusters clusters has
	// PortsPerCluster.
	FirstPort, PortsPerCluster, MostClusters int
	// PortsFree says whether nobody listens on a cluster's ports, of which this is the first; nil looks at none.
	PortsFree func(first int) bool
	// AWSPort is the port of the AWS endpoint, where the clusters' OIDC issuers are.
	AWSPort int
	// Versions are the Kubernetes versions that run here, such as "1.36", with the full version that each shows.
	Versions map[string]string
	// DefaultVersion is whose a cluster is that asks for none.
	DefaultVersion string
	// NewSecrets makes a new cluster's authorities and keys.
	NewSecrets func(region.Cluster) (region.ClusterSecrets, error)
	// NewAuthority makes another certificate authority for a cluster, in PEM.
	NewAuthority func(region.Cluster) (cert, key string, err error)
	// Pace is how long states last at least.
	Pace Pace
	// AvailableMemory is how many bytes the machine has left; 0 when it cannot be told.
	AvailableMemory func() int64
}

// clusterMemory is what a cluster's control plane takes in bytes, with a margin: nine processes, measured at 290 MiB a
// zone.
const clusterMemory = 1 << 30

// hasMemory says whether another cluster has room beside those that are there, and those that are coming: they have not
// taken all of theirs yet.
func (p ControlPlane) hasMemory(tx *state.Txn) bool {
	if p.AvailableMemory == nil {
		return true
	}
	need := int64(clusterMemory)
	for _, c := range region.Clusters.List(tx) {
		if c.Status == region.ClusterCreating {
			need += clusterMemory
		}
	}
	available := p.AvailableMemory()
	return available == 0 || available >= need
}

// endpointPorts has one record, lastPort: the port that was given to a cluster last.
var endpointPorts = state.NewTable[int]("endpoint-port")

const lastPort = "last"

// takePort gives a new cluster its endpoint's port: the first free one after that which was given last, round and
// round, so that a client of a deleted cluster does not soon meet another one. It is 0 when none is free.
func (p ControlPlane) takePort(tx *state.Txn) int {
	used := map[int]bool{}
	last, given := endpointPorts.Get(tx, lastPort)
	for _, c := range region.Clusters.List(tx) {
		used[c.EndpointPort] = true
		if !given { // no cluster was made by a call yet
			last = max(last, c.EndpointPort)
		}
	}
	first := 0
	if last > 0 {
		first = (last-p.FirstPort)/p.PortsPerCluster + 1
	}
	for i := range p.MostClusters {
		slot := (first + i) % p.MostClusters
		if port := p.FirstPort + slot*p.PortsPerCluster; !used[port] && (p.PortsFree == nil || p.PortsFree(port)) {
			endpointPorts.Put(tx, lastPort, port)
			return port
		}
	}
	return 0
}

// versions in ascending order.
func (p ControlPlane) versions() []string { return slices.Sorted(maps.Keys(p.Versions)) }
