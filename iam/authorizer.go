package iam

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"tripod/api"
	"tripod/region"
	"tripod/state"
)

// Authorizer is a cluster's authorization webhook: an API server sends it a SubjectAccessReview
// (authorization.k8s.io/v1) of what RBAC does not allow, and it answers by the access policies of the user's access
// entry. It only ever allows, or has no opinion.
//
// Who the user is, it believes neither a username nor an extra alone. The UID and the extra ExtraPrincipalID must name
// the same principal; the principal must be one that the region has now; and its access entry must be of that very id.
// Both come from the Authenticator: nothing else that an API server takes for a credential (certificates, service
// accounts, OIDC) makes such extras, and the API server refuses to impersonate them, also to its administrators: see
// apiserver's extraGuard. So whoever impersonates a principal has its RBAC, and not its access policies, as in EKS. A
// secret in the extras would not do better: users see their own, and audit logs keep them.
type Authorizer struct {
	// ClusterID is the cluster's key in State.
	ClusterID string
	// State has the cluster, its access entries, the users and the roles.
	State state.Viewer
	// Logger is told what could not be decided; nil means that nobody is.
	Logger *slog.Logger
}

const (
	accessReviewAPIVersion = "authorization.k8s.io/v1"
	accessReviewKind       = "SubjectAccessReview"
)

// accessReview is the part of authorization.k8s.io/v1 SubjectAccessReview that a webhook reads and writes.
type accessReview struct {
	APIVersion string             `json:"apiVersion"`
	Kind       string             `json:"kind"`
	Spec       accessReviewSpec   `json:"spec,omitzero"`
	Status     accessReviewStatus `json:"status"`
}

type accessReviewSpec struct {
	User        string              `json:"user,omitempty"`
	UID         string              `json:"uid,omitempty"`
	Groups      []string            `json:"groups,omitempty"`
	Extra       map[string][]string `json:"extra,omitempty"`
	Resource    *api.Action         `json:"resourceAttributes,omitempty"`
	NonResource *api.Action         `json:"nonResourceAttributes,omitempty"`
}

// extra are the values of an extra. An API server that extends the cluster's, such as metrics-server, has read its key from a
// header, and asks with it in lower case. Two keys that differ in case alone are none.
func (s accessReviewSpec) extra(key string) (values []string) {
	keys := 0
	for own, found := range s.Extra {
		if strings.EqualFold(own, key) {
			values, keys = found, keys+1
		}
	}
	if keys > 1 {
		return nil
	}
	return values
}

type accessReviewStatus struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason,omitempty"`
	Error   string `json:"evaluationError,omitempty"`
}

// ServeHTTP answers a SubjectAccessReview.
func (a *Authorizer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review accessReview
	if !readReview(w, r, &review) {
		return
	}
	if review.Kind != accessReviewKind || review.APIVersion != accessReviewAPIVersion {
		http.Error(w, "the body is not a SubjectAccessReview of "+accessReviewAPIVersion, http.StatusBadRequest)
		return
	}
	answer := accessReview{APIVersion: accessReviewAPIVersion, Kind: accessReviewKind}
	var err error
	if answer.Status.Allowed, answer.Status.Reason, err = a.decide(review.Spec); err != nil {
		answer.Status.Error = err.Error()
		if a.Logger != nil {
			a.Logger.Error("cannot decide on a request", "component", "authorizer", "error", err)
		}
	}
	writeReview(w, answer)
}

// decide says whether an access policy allows the request, and which one.
func (a *Authorizer) decide(spec accessReviewSpec) (allowed bool, reason string, err error) {
	entry, err := a.entryOf(spec)
	if err != nil {
		return false, "", err
	}
	request := requestOf(spec)
	for _, associated := range entry.Policies {
		if allowed, reason = evaluatePolicy(entry, associated, request); allowed {
			return true, reason, nil
		}
	}
	return false, "", nil
}

// entryOf is the access entry whose policies count for the user; a zero one where there is none.
func (a *Authorizer) entryOf(spec accessReviewSpec) (entry region.AccessEntry, err error) {
	account, id, ok := principalOfUser(spec)
	if !ok {
		return entry, nil
	}
	err = a.State.View(func(tx *state.Txn) error {
		cluster, found := region.Clusters.Get(tx, a.ClusterID)
		if !found || cluster.AuthenticationMode == modeConfigMap {
			return nil
		}
		arn, found := currentARN(tx, spec.extra(extraCanonicalARN), account, id)
		if !found {
			return nil
		}
		if its, found := region.AccessEntries.Get(tx, a.ClusterID+"/"+arn); found && its.PrincipalID == id {
			entry = its
		}
		return nil
	})
	return entry, err
}

// principalOfUser is the account and the id of the principal that a user is, by the two places in which the
// Authenticator wrote it.
func principalOfUser(spec accessReviewSpec) (account, id string, ok bool) {
	uid, isIAM := strings.CutPrefix(spec.UID, UIDPrefix)
	account, id, found := strings.Cut(uid, ":")
	extra := spec.extra(ExtraPrincipalID)
	return account, id, isIAM && found && id != "" && len(extra) == 1 && extra[0] == id
}

// currentARN is the ARN, with its path, of the user or role with that id, if the region has it now. It is found by its
// name, for which the canonical ARN serves; that it is the right one, its id tells.
func currentARN(tx *state.Txn, canonical []string, account, id string) (arn string, found bool) {
	if len(canonical) != 1 {
		return "", false
	}
	name := canonical[0][strings.LastIndexByte(canonical[0], '/')+1:]
	switch {
	case canonical[0] == RootARN(account):
		return canonical[0], id == account // root cannot be deleted
	case strings.HasPrefix(canonical[0], "arn:aws:iam::"+account+":role/"):
		role, found := region.Roles.Get(tx, name)
		return role.ARN, found && role.ID == id
	default:
		user, found := region.Users.Get(tx, name)
		return user.ARN, found && user.ID == id
	}
}

func requestOf(spec accessReviewSpec) (request api.Action) {
	if on := spec.Resource; on != nil {
		request = *on
		request.Path = ""
	} else if on := spec.NonResource; on != nil {
		request.Verb, request.Path = on.Verb, on.Path
	}
	return request
}

// evaluatePolicy says whether an associated policy allows a request, and why. An allowance is worded as EKS words it in
// audit logs.
func evaluatePolicy(entry region.AccessEntry, associated region.AssociatedPolicy, request api.Action) (allowed bool,
	reason string) {
	policy, found := AccessPolicyOf(associated.ARN)
	switch {
	case !found:
		return false, "there is no such policy"
	case len(policy.Rules) == 0:
		return false, "no rules of it are known here"
	case !covers(associated, request.Namespace):
		return false, "this is not in its scope"
	case !policy.allows(request):
		return false, "no rule of it allows this"
	}
	binding, kind := entry.PrincipalARN+"+"+associated.ARN, "ClusterRoleBinding"
	if associated.Scope != "cluster" {
		binding, kind = binding+"/"+request.Namespace, "RoleBinding"
	}
	return true, fmt.Sprintf("EKS Access Policy: allowed by %s %q of ClusterRole %q to User %q",
		kind, binding, associated.ARN, entry.PrincipalID)
}
