package eks

import (
	"maps"
	"slices"

	"tripod/region"
)

// ControlPlane is what a zone offers to those who make clusters.
type ControlPlane struct {
	// FirstPort is the loopback port of the first cluster's endpoint; each of at most MostClusters clusters has PortsPerCluster.
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
	// AvailableMemory is how many bytes the machine has left; 0 when it cannot be told.
	AvailableMemory func() int64
}

// clusterMemory is what a cluster's control plane takes in bytes, with a margin: nine processes, measured at 290 MiB a zone.
const clusterMemory = 1 << 30

// hasMemory says whether another cluster has room beside those that are there.
func (p ControlPlane) hasMemory() bool {
	if p.AvailableMemory == nil {
		return true
	}
	available := p.AvailableMemory()
	return available == 0 || available >= clusterMemory
}

// freePort is the endpoint's port for a new cluster: the first free one after the highest in use, round and round, so that a client of a deleted cluster
// does not soon meet another one. It is 0 when none is free.
func (p ControlPlane) freePort(tx *region.Txn) int {
	used := map[int]bool{}
	last := 0
	for _, c := range region.Clusters.List(tx) {
		used[c.EndpointPort] = true
		last = max(last, c.EndpointPort)
	}
	for i := range p.MostClusters {
		slot := i
		if last > 0 { // round and round
			slot = ((last-p.FirstPort)/p.PortsPerCluster + 1 + i) % p.MostClusters
		}
		if port := p.FirstPort + slot*p.PortsPerCluster; !used[port] && (p.PortsFree == nil || p.PortsFree(port)) {
			return port
		}
	}
	return 0
}

// versions in ascending order.
func (p ControlPlane) versions() []string { return slices.Sorted(maps.Keys(p.Versions)) }
