package region

// ClusterStatus is where a cluster is in its life, in EKS's words.
type ClusterStatus string

// The statuses of a cluster. What is special about each says clusterStatuses.
const (
	ClusterCreating ClusterStatus = "CREATING"
	ClusterActive   ClusterStatus = "ACTIVE"
	ClusterUpdating ClusterStatus = "UPDATING"
	ClusterDeleting ClusterStatus = "DELETING"
	ClusterFailed   ClusterStatus = "FAILED"
)

// clusterStatuses are all statuses with what they mean to those who do not care which one it is. A new one is an entry here.
var clusterStatuses = map[ClusterStatus]struct {
	stopped bool // zones do not run the cluster: it never came to be, or it is deleted
	hidden  bool // nobody is told an endpoint, an authority or an issuer yet
	settled bool // nothing is under way, after which another status follows by itself
}{
	ClusterCreating: {hidden: true},
	ClusterActive:   {settled: true},
	ClusterUpdating: {},
	ClusterDeleting: {stopped: true},
	ClusterFailed:   {stopped: true, hidden: true, settled: true},
}

// Runs says whether zones have to run a cluster that has the status.
func (s ClusterStatus) Runs() bool { return !clusterStatuses[s].stopped }

// HasEndpoint says whether a cluster that has the status shows its endpoint, its certificate authority and its issuer.
func (s ClusterStatus) HasEndpoint() bool { return !clusterStatuses[s].hidden }

// Passes says whether something is under way, after which the cluster has another status.
func (s ClusterStatus) Passes() bool { return !clusterStatuses[s].settled }
