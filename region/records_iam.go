package region

import (
	"time"

	"tripod/state"
)

// User is an IAM user.
type User struct {
	Name      string    `json:"name"`
	ID        string    `json:"id"` // AIDA...
	ARN       string    `json:"arn"`
	CreatedAt time.Time `json:"createdAt"`
	// Policies are the ARNs of attached managed policies.
	Policies []string `json:"policies,omitempty"`
	// Path is the ARN's part before the name; empty in old records, which means "/".
	Path string `json:"path,omitempty"`
	// Inline are the user's own policy documents by name.
	Inline map[string]string `json:"inline,omitempty"`
	// Groups are the names of the groups that the user is in.
	Groups []string `json:"groups,omitempty"`
	// Boundary is the ARN of the managed policy that bounds the user's permissions, or empty.
	Boundary string            `json:"boundary,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// AccessKey is a long-term credential of a user, keyed by its id.
type AccessKey struct {
	ID        string    `json:"id"` // AKIA...
	Secret    string    `json:"secret"`
	User      string    `json:"user"`   // the User's name; empty where Root is set
	Status    string    `json:"status"` // Active or Inactive
	CreatedAt time.Time `json:"createdAt"`
	// Root says that it is the account's root user's. There is no User of it.
	Root bool `json:"root,omitempty"`
}

// Role is an IAM role.
type Role struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"` // AROA...
	ARN         string    `json:"arn"`
	Path        string    `json:"path"`
	Description string    `json:"description,omitempty"`
	CreatedAt   time.Time `json:"createdAt"`
	// TrustPolicy is the JSON document that says who may assume the role.
	TrustPolicy string `json:"trustPolicy"`
	// TrustIDs are the unique ids of those whom TrustPolicy names, by its elements, as they were when it was stored.
	// Older records have none.
	TrustIDs map[string]string `json:"trustIds,omitempty"`
	// MaxSessionSeconds bounds a session's life: 3600 to 43200.
	MaxSessionSeconds int `json:"maxSessionSeconds"`
	// Service is that of a service-linked role, such as eks.amazonaws.com; empty for others.
	Service string `json:"service,omitempty"`
	// Policies are the ARNs of attached managed policies, Inline the role's own documents by name.
	Policies []string          `json:"policies,omitempty"`
	Inline   map[string]string `json:"inline,omitempty"`
	// Boundary is the ARN of the managed policy that bounds the role's permissions, or empty.
	Boundary string            `json:"boundary,omitempty"`
	Tags     map[string]string `json:"tags,omitempty"`
}

// Group is an IAM group. Its members name it in their records.
type Group struct {
	Name      string            `json:"name"`
	ID        string            `json:"id"` // AGPA...
	ARN       string            `json:"arn"`
	Path      string            `json:"path"`
	CreatedAt time.Time         `json:"createdAt"`
	Policies  []string          `json:"policies,omitempty"`
	Inline    map[string]string `json:"inline,omitempty"`
}

// Policy is a managed policy of the account. Those of AWS are not records: package iam has them.
type Policy struct {
	Name        string            `json:"name"`
	ID          string            `json:"id"` // ANPA...
	ARN         string            `json:"arn"`
	Path        string            `json:"path"`
	Description string            `json:"description,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	UpdatedAt   time.Time         `json:"updatedAt"`
	Versions    []PolicyVersion   `json:"versions"`       // oldest first, five at most
	Default     string            `json:"default"`        // the ID of the version in force
	LastVersion int               `json:"lastVersion"`    // the newest's number: none is used again
	Tags        map[string]string `json:"tags,omitempty"` // by key
}

// PolicyVersion is one text of a managed policy.
type PolicyVersion struct {
	ID        string    `json:"id"` // v1, v2, ...
	Document  string    `json:"document"`
	CreatedAt time.Time `json:"createdAt"`
}

// Document is the version in force.
func (p Policy) Document() string {
	for _, version := range p.Versions {
		if version.ID == p.Default {
			return version.Document
		}
	}
	return ""
}

// InstanceProfile gives a role to EC2 instances.
type InstanceProfile struct {
	Name      string            `json:"name"`
	ID        string            `json:"id"` // AIPA...
	ARN       string            `json:"arn"`
	Path      string            `json:"path"`
	CreatedAt time.Time         `json:"createdAt"`
	Role      string            `json:"role,omitempty"` // a Role's name: one at most
	Tags      map[string]string `json:"tags,omitempty"`
}

// OIDCProvider is an issuer whose tokens may be exchanged for sessions of roles that trust it.
type OIDCProvider struct {
	ARN string `json:"arn"`
	// Issuer is the URL without https://, such as localhost:4566/id/0123...
	Issuer      string            `json:"issuer"`
	ClientIDs   []string          `json:"clientIds,omitempty"`
	Thumbprints []string          `json:"thumbprints,omitempty"`
	CreatedAt   time.Time         `json:"createdAt"`
	Tags        map[string]string `json:"tags,omitempty"`
}

// SessionKey seals and opens the tokens of temporary credentials. There is one in a region, made by the first call that
// needs it.
type SessionKey struct {
	Key       string    `json:"key"` // 32 random bytes, base64
	CreatedAt time.Time `json:"createdAt"`
}

// CurrentSessionKey is the key of the only record in SessionKeys.
const CurrentSessionKey = "current"

// The tables of IAM.
var (
	Users            = state.NewTable[User]("user")                        // by Name
	AccessKeys       = state.NewTable[AccessKey]("access-key")             // by ID
	Roles            = state.NewTable[Role]("role")                        // by Name
	Groups           = state.NewTable[Group]("group")                      // by Name
	Policies         = state.NewTable[Policy]("policy")                    // by ARN
	InstanceProfiles = state.NewTable[InstanceProfile]("instance-profile") // by Name
	OIDCProviders    = state.NewTable[OIDCProvider]("oidc-provider")       // by ARN
	SessionKeys      = state.NewTable[SessionKey]("session-key")           // one: CurrentSessionKey
)
