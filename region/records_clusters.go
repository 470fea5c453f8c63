package region

import (
	"encoding/json"
	"time"

	"tripod/state"
)

// Cluster is one EKS cluster as the region means it to be. Zones read it and make their part true.
type Cluster struct {
	// ID keys every path, port, lease and certificate of the cluster: 32 upper-case hex digits, as in an EKS endpoint's
	// name.
	ID   string `json:"id"`
	Name string `json:"name"`
	// Version is the Kubernetes minor version, such as "1.36".
	Version   string        `json:"version"`
	Status    ClusterStatus `json:"status"` // see cluster_states.go
	CreatedAt time.Time     `json:"createdAt"`
	// NotBefore is when a status that passes may end at the earliest; nil: as soon as the work is done. See Lasts.
	NotBefore *time.Time `json:"notBefore,omitempty"`
	// CreatorARN is the IAM principal that EKS makes the cluster's administrator; empty when it never was, or its
	// access entry was deleted.
	CreatorARN string `json:"creatorArn"`
	// AuthenticationMode is CONFIG_MAP, API_AND_CONFIG_MAP or API.
	AuthenticationMode string `json:"authenticationMode"`
	// EndpointPort is the loopback port of the cluster's balanced endpoint.
	EndpointPort int `json:"endpointPort"`
	// Issuer is the OIDC issuer's URL.
	Issuer string `json:"issuer"`
	// ServiceCIDR is the range of Service addresses, such as "10.100.0.0/16".
	ServiceCIDR string `json:"serviceCidr"`
	// Nodes is how many simulated nodes the cluster has over all zones, dealt out in the zones' order.
	Nodes int `json:"nodes"`
	// NodeRole is the name of the IAM role that these nodes' instances have; empty while there are none, and in records
	// of a time before it.
	NodeRole string `json:"nodeRole,omitempty"`
	// NodesLaunched says that these nodes are instances with records: those of the node group that was made for them, or,
	// in a region of a time before instances had records, those that were taken over.
	NodesLaunched bool `json:"nodesLaunched,omitempty"`
	// AddonsInstalled says that what a fresh cluster shows was put there; from then on it is the user's.
	AddonsInstalled bool `json:"addonsInstalled"`
	// Bare says that coredns, kube-proxy and aws-node are not among it.
	Bare    bool           `json:"bare,omitempty"`
	Secrets ClusterSecrets `json:"secrets"`
	// Envelope is the KMS key that the key of encryption at rest is under; nil where that is in Secrets.
	Envelope *Envelope `json:"envelope,omitempty"`
	// Tags are the cluster's, by key.
	Tags map[string]string `json:"tags,omitempty"`
	// Settings are those parts of the cluster's description that only the EKS API reads and writes, in its own form.
	Settings json.RawMessage `json:"settings,omitempty"`
	// Authorities are the certificate authorities of a cluster that has had more than its first: see
	// CertificateAuthorities.
	Authorities []Authority `json:"authorities,omitempty"`
	// Components are the control plane's settings beside its version.
	Components Components `json:"components,omitzero"`
	// Rollout is the change of the control plane that is under way.
	Rollout *Rollout `json:"upgrade,omitempty"`
	// UpgradedAt is when the last change of version ended well, from UpgradedFrom.
	UpgradedAt   *time.Time `json:"upgradedAt,omitempty"`
	UpgradedFrom string     `json:"upgradedFrom,omitempty"`
	// FaultedAt is when somebody asked that the next rollout fails in the last zone; nil: nobody did.
	FaultedAt *time.Time `json:"faultedAt,omitempty"`
	// Access says who may reach the endpoint; see EndpointAccess, which knows what nil means.
	Access *EndpointAccess `json:"access,omitempty"`
	// Issues say why the cluster is FAILED, or not as it should be.
	Issues []ClusterIssue `json:"issues,omitempty"`
	// DeletedAt is when its deletion began, and Released names the zones that have ended and deleted their part since.
	DeletedAt *time.Time `json:"deletedAt,omitempty"`
	Released  []string   `json:"released,omitempty"`
}

// Runs says whether zones have to run the cluster: not when it never came to be, and not while it is deleted.
func (c Cluster) Runs() bool { return c.Status.Runs() }

// Lasts says that the cluster's status, if it is one that passes, has to last for a while yet.
func (c Cluster) Lasts(now time.Time) bool { return c.NotBefore != nil && now.Before(*c.NotBefore) }

// NodesIn is how many of the cluster's nodes are in the zone with that index, of so many zones.
func (c Cluster) NodesIn(index, zones int) int {
	count := c.Nodes / zones
	if index < c.Nodes%zones {
		count++
	}
	return count
}

// ClusterIssue is one entry of a cluster's health.
type ClusterIssue struct {
	Code        string   `json:"code"` // EKS's ClusterIssueCode
	Message     string   `json:"message"`
	ResourceIDs []string `json:"resourceIds,omitempty"`
}

// DeletedCluster is what is left of a cluster while zones have files of it: one that was down meanwhile learns from it
// that its part may be deleted. The last to do so deletes the record.
type DeletedCluster struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	DeletedAt time.Time `json:"deletedAt"`
	// Released names the zones that have deleted their part.
	Released []string `json:"released,omitempty"`
}

// ClusterSecrets is what every zone needs to run its part of a cluster: PEM texts, made once at creation.
type ClusterSecrets struct {
	CACert            string `json:"caCert"`
	CAKey             string `json:"caKey"`
	FrontProxyCACert  string `json:"frontProxyCaCert"`
	FrontProxyCAKey   string `json:"frontProxyCaKey"`
	EtcdCACert        string `json:"etcdCaCert"`
	EtcdCAKey         string `json:"etcdCaKey"`
	ServiceAccountKey string `json:"serviceAccountKey"`
	// EncryptionKey is 32 random bytes, base64: the key of encryption at rest. Empty where the cluster has an Envelope.
	EncryptionKey string `json:"encryptionKey"`
}

// Envelope is what becomes of Secrets.EncryptionKey under a KMS key.
type Envelope struct {
	KeyARN string `json:"keyArn"`
	KeyID  string `json:"keyId"`
	// GrantID is the cluster's grant to use the KMS key.
	GrantID string `json:"grantId"`
	// EncryptionKey is the key of encryption at rest as the KMS key encrypted it.
	EncryptionKey []byte `json:"encryptionKey"`
}

// The tables of clusters.
var (
	Clusters   = state.NewTable[Cluster]("cluster")                // by ID
	ClusterIDs = state.NewTable[string]("cluster-id")              // by the cluster's Name; see ClusterNamed
	Deleted    = state.NewTable[DeletedCluster]("deleted-cluster") // by ID
)

// ClusterNamed finds a cluster by its name. Most are in ClusterIDs, which saves reading all of them with their keys;
// regions that were made before it have clusters that are not.
func ClusterNamed(tx *state.Txn, name string) (Cluster, bool) {
	if id, indexed := ClusterIDs.Get(tx, name); indexed {
		return Clusters.Get(tx, id)
	}
	for _, cluster := range Clusters.List(tx) {
		if cluster.Name == name {
			return cluster, true
		}
	}
	return Cluster{}, false
}
