package api

// AccessQuestion asks whether a principal may do something in a cluster.
type AccessQuestion struct {
	// Principal is the ARN of a user, a role, a role's session, a federated user or root; a user's bare name, user/NAME,
	// role/NAME, federated-user/NAME or root; or whom IAM does not know: system:serviceaccount:NAMESPACE:NAME, or
	// user:NAME for somebody with a client certificate or from an OIDC identity provider.
	Principal string `json:"principal"`
	// Groups are those of user:NAME; all others' are known.
	Groups []string `json:"groups,omitempty"`
	Verb   string   `json:"verb"`
	// Resource is TYPE[.GROUP][/NAME], as kubectl takes it, or a path that is no resource, such as /metrics.
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	// Namespace counts for types that are in namespaces; empty means all of them.
	Namespace string `json:"namespace,omitempty"`
}

// TokenQuestion asks whose a token is.
type TokenQuestion struct {
	Token string `json:"token"` // as `tripod token` prints it, or a service account's
}

// Action is what somebody wants to do: something to a resource, or to a path that is none. Its JSON is that of a
// SubjectAccessReview's attributes.
type Action struct {
	Verb        string `json:"verb"`
	Group       string `json:"group,omitempty"`
	Resource    string `json:"resource,omitempty"`
	Subresource string `json:"subresource,omitempty"`
	Namespace   string `json:"namespace,omitempty"`
	Name        string `json:"name,omitempty"`
	Path        string `json:"path,omitempty"`
}

// Identity is whom a cluster takes a principal for, and why.
type Identity struct {
	Cluster string `json:"cluster"`
	// ARN and ID are the principal's, as IAM knows it; empty where it does not, as of a service account.
	ARN string `json:"arn,omitempty"`
	ID  string `json:"id,omitempty"`
	// Checks are those that its token has passed, in their order; empty where there is no token.
	Checks []string `json:"checks,omitempty"`
	// By is what let it in, as the user Username in Groups; all are empty where nothing did.
	By       string   `json:"by,omitempty"`
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
	// Associated are the access policies of the entry that let the owner of a token in. What each of them says of an
	// action, Access has.
	Associated []AccessPolicy `json:"associatedPolicies,omitempty"`
	// Refusal says why it was not let in: one sentence.
	Refusal string `json:"refusal,omitempty"`
}

// Access is the answer to an AccessQuestion, and what each of those said who decide on it.
type Access struct {
	Identity
	Allowed bool   `json:"allowed"`
	Action  Action `json:"action"`
	// RBAC is nil where it was not asked, as the principal was not let in.
	RBAC     *Decision        `json:"rbac,omitempty"`
	Policies []PolicyDecision `json:"accessPolicies,omitempty"`
}

// Decision is what one authorizer says.
type Decision struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
}

// AccessPolicy is an access policy of an access entry.
type AccessPolicy struct {
	ARN        string   `json:"policyArn"`
	Scope      string   `json:"scope"` // cluster or namespace
	Namespaces []string `json:"namespaces,omitempty"`
}

// PolicyDecision is what an access policy of the principal's access entry says.
type PolicyDecision struct {
	AccessPolicy
	Decision
}
