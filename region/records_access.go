package region

import (
	"time"

	"tripod/state"
)

// AccessEntry lets an IAM principal into a cluster, in the authentication modes that have access entries.
type AccessEntry struct {
	ClusterID string `json:"clusterId"`
	ARN       string `json:"arn"`
	// PrincipalARN is an IAM user's or role's, with its path.
	PrincipalARN string `json:"principalArn"`
	// PrincipalID is the principal's unique id (AIDA..., AROA...) when the entry was made: one that was deleted and
	// made again is another principal, as in EKS. Empty where the id was not known then: nothing matches such an entry.
	PrincipalID string `json:"principalId,omitempty"`
	// Type is STANDARD, EC2_LINUX, EC2_WINDOWS, FARGATE_LINUX, EC2, HYBRID_LINUX or HYPERPOD_LINUX.
	Type string `json:"type"`
	// Username may hold templates such as {{SessionName}}, filled in at each authentication.
	Username string `json:"username"`
	// Groups are the Kubernetes groups. Those of AWS's own (system:nodes and the like) follow from Type and are in it
	// too.
	Groups []string `json:"groups,omitempty"`
	// Policies are the associated access policies.
	Policies   []AssociatedPolicy `json:"policies,omitempty"`
	Tags       map[string]string  `json:"tags,omitempty"`
	CreatedAt  time.Time          `json:"createdAt"`
	ModifiedAt time.Time          `json:"modifiedAt"`
}

// AssociatedPolicy is an access policy that counts for an access entry.
type AssociatedPolicy struct {
	// ARN is the policy's, such as arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy.
	ARN string `json:"arn"`
	// Scope is "cluster" or "namespace".
	Scope string `json:"scope"`
	// Namespaces are those of scope namespace; a * in them stands for any characters.
	Namespaces   []string  `json:"namespaces,omitempty"`
	AssociatedAt time.Time `json:"associatedAt"`
	ModifiedAt   time.Time `json:"modifiedAt"`
}

// PodIdentityAssociation gives the pods of a service account an IAM role.
type PodIdentityAssociation struct {
	ClusterID      string `json:"clusterId"`
	ID             string `json:"id"` // a- and 17 letters and digits
	ARN            string `json:"arn"`
	Namespace      string `json:"namespace"`
	ServiceAccount string `json:"serviceAccount"`
	RoleARN        string `json:"roleArn"`
	// TargetRoleARN is the role that RoleARN assumes for the pods, with ExternalID. Both may be empty.
	TargetRoleARN string `json:"targetRoleArn,omitempty"`
	ExternalID    string `json:"externalId,omitempty"`
	// Policy is a session policy's JSON, or empty.
	Policy             string `json:"policy,omitempty"`
	DisableSessionTags bool   `json:"disableSessionTags,omitempty"`
	// OwnerARN is the add-on that made the association, or empty.
	OwnerARN   string            `json:"ownerArn,omitempty"`
	Tags       map[string]string `json:"tags,omitempty"`
	CreatedAt  time.Time         `json:"createdAt"`
	ModifiedAt time.Time         `json:"modifiedAt"`
}

// IdentityProvider is the OIDC provider whose tokens a cluster takes beside IAM's. A cluster has one at most.
type IdentityProvider struct {
	ClusterID string `json:"clusterId"`
	Name      string `json:"name"`
	ARN       string `json:"arn"`
	IssuerURL string `json:"issuerUrl"`
	ClientID  string `json:"clientId"`
	// UsernameClaim is "sub" unless told. UsernamePrefix and GroupsPrefix stand before the claims' values; "-" is none
	// at all, and an empty UsernamePrefix means the issuer's URL and # (none for the claim email), as the API server
	// has it.
	UsernameClaim  string            `json:"usernameClaim"`
	UsernamePrefix string            `json:"usernamePrefix,omitempty"`
	GroupsClaim    string            `json:"groupsClaim,omitempty"`
	GroupsPrefix   string            `json:"groupsPrefix,omitempty"`
	RequiredClaims map[string]string `json:"requiredClaims,omitempty"`
	Tags           map[string]string `json:"tags,omitempty"`
	CreatedAt      time.Time         `json:"createdAt"`
}

// The tables of who may use a cluster.
var (
	// AccessEntries are by ClusterID/PrincipalARN.
	AccessEntries = state.NewTable[AccessEntry]("access-entry")
	// PodIdentityAssociations are by ClusterID/ID.
	PodIdentityAssociations = state.NewTable[PodIdentityAssociation]("pod-identity-association")
	// IdentityProviders are by ClusterID/Name.
	IdentityProviders = state.NewTable[IdentityProvider]("identity-provider")
)
