package iam

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"tripod/region"
	"tripod/state"
)

const (
	tokenReviewAPIVersion = "authentication.k8s.io/v1"
	tokenReviewKind       = "TokenReview"
)

// Authenticator is a cluster's token webhook: an API server sends it a TokenReview (authentication.k8s.io/v1) and it
// answers with the user that an access entry, or the ConfigMap aws-auth, makes of the principal.
type Authenticator struct {
	// ClusterID is the cluster's key in State.
	ClusterID string
	// Region is the region's name, such as us-east-1.
	Region string
	// Hosts are Tripod's own STS endpoints as host:port, such as 127.0.0.1:4566 and localhost:4566.
	Hosts []string
	// State has the cluster, its access entries, the users and their keys.
	State state.Viewer
	// Fresh returns when State has what was acknowledged anywhere by now; each TokenReview waits for it. Nil means that it always has.
	Fresh func(context.Context) error
	// AWSAuth is what the ConfigMap aws-auth says now; nil means that there is none.
	AWSAuth func() AWSAuth
	// PrivateDNSName finds the cluster's instance with that id; nil means that there is none.
	PrivateDNSName func(instanceID string) (name string, found bool)
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Logger gets a line for every decision; nil means none.
	Logger *slog.Logger
}

// tokenReview is the part of authentication.k8s.io/v1 TokenReview that a webhook reads and writes.
type tokenReview struct {
	APIVersion string            `json:"apiVersion"`
	Kind       string            `json:"kind"`
	Spec       tokenReviewSpec   `json:"spec"`
	Status     tokenReviewStatus `json:"status"`
}

type tokenReviewSpec struct {
	Token string `json:"token,omitempty"`
}

type tokenReviewStatus struct {
	Authenticated bool      `json:"authenticated"`
	User          *userInfo `json:"user,omitempty"`
	Error         string    `json:"error,omitempty"`
}

type userInfo struct {
	Username string              `json:"username"`
	UID      string              `json:"uid"`
	Groups   []string            `json:"groups"`
	Extra    map[string][]string `json:"extra"`
}

// ServeHTTP answers a TokenReview. A refused token is a proper answer (authenticated: false) and not an HTTP error.
func (a *Authenticator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var review tokenReview
	if !readReview(w, r, &review) {
		return
	}
	if review.Kind != tokenReviewKind || review.APIVersion != tokenReviewAPIVersion {
		http.Error(w, "the body is not a TokenReview of "+tokenReviewAPIVersion, http.StatusBadRequest)
		return
	}
	if a.Fresh != nil {
		if err := a.Fresh(r.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
	}
	answer := tokenReview{APIVersion: tokenReviewAPIVersion, Kind: tokenReviewKind}
	user, err := a.authenticate(review.Spec.Token)
	if err != nil {
		answer.Status.Error = err.Error()
	} else {
		answer.Status = tokenReviewStatus{Authenticated: true, User: user}
	}
	writeReview(w, answer)
}

// authenticate decides on one token and logs the decision.
func (a *Authenticator) authenticate(token string) (*userInfo, error) {
	logger := a.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	logger = logger.With("component", "authenticator")
	cluster, err := a.cluster()
	if err != nil {
		logger.Error("cannot decide on a token", "error", err)
		return nil, err
	}
	logger = logger.With("cluster", cluster.Name)
	principal, err := a.verifier(cluster).Verify(token)
	if err != nil {
		logger.Warn("access denied", "error", err)
		return nil, err
	}
	logger = logger.With("arn", principal.ARN, "accessKeyId", principal.AccessKeyID)
	admission, err := a.admit(cluster, principal)
	if err != nil {
		logger.Warn("access denied", "error", err)
		return nil, err
	}
	user := userOf(principal, admission)
	logger.Info("access granted", "username", user.Username, "uid", user.UID, "groups", user.Groups, "by", admission.By)
	return user, nil
}

func (a *Authenticator) verifier(cluster region.Cluster) Verifier {
	return Verifier{ClusterName: cluster.Name, Region: a.Region, Hosts: a.Hosts, State: a.State, Now: a.Now}
}

func (a *Authenticator) cluster() (region.Cluster, error) {
	var cluster region.Cluster
	err := a.State.View(func(tx *state.Txn) error {
		found := false
		if cluster, found = region.Clusters.Get(tx, a.ClusterID); !found {
			return errors.New("it is not in the regional state")
		}
		return nil
	})
	if err != nil {
		return region.Cluster{}, fmt.Errorf("cluster %s: %w", a.ClusterID, err)
	}
	return cluster, nil
}

// Keys of what a user's extras tell of the principal, as aws-iam-authenticator writes them.
const (
	extraARN          = "arn"
	extraCanonicalARN = "canonicalArn"
	extraSessionName  = "sessionName"
	extraAccessKeyID  = "accessKeyId"
	extraPrincipalID  = "principalId"
	// ExtraPrincipalID is the principal's id once more, under a name that nothing else uses.
	ExtraPrincipalID = "sigs.k8s.io/aws-iam-authenticator/principalId"
)

// isPrincipalExtra says whether an extra's key, in any letter case, is one that the Authenticator writes.
func isPrincipalExtra(key string) bool {
	return slices.ContainsFunc([]string{extraARN, extraCanonicalARN, extraSessionName, extraAccessKeyID,
		extraPrincipalID, ExtraPrincipalID},
		func(own string) bool { return strings.EqualFold(key, own) })
}

// ForgesPrincipal says whether the attributes of a check by an API server are those of an impersonation that would set
// one of the Authenticator's extras: of the verb impersonate, or of constrained impersonation (impersonate:MODE). "*"
// stands for many extras at once, whose keys the check does not tell: once it is refused, the API server checks each.
func ForgesPrincipal(verb, resource, subresource string) bool {
	verb, _, _ = strings.Cut(verb, ":")
	return verb == "impersonate" && resource == "userextras" && (subresource == "*" || isPrincipalExtra(subresource))
}

// UIDPrefix is how the UIDs of IAM's principals begin; the account and the principal's id follow.
const UIDPrefix = "aws-iam-authenticator:"

// userOf is the user that a principal is in the cluster.
func userOf(p Principal, admission Admission) *userInfo {
	id := p.principalID()
	return &userInfo{
		Username: admission.Username,
		UID:      UIDPrefix + p.AccountID + ":" + id,
		Groups:   admission.Groups, // the API server adds system:authenticated
		Extra: map[string][]string{
			extraARN:          {p.ARN},
			extraCanonicalARN: {p.canonicalARN()},
			extraSessionName:  {p.SessionName},
			extraAccessKeyID:  {p.AccessKeyID},
			extraPrincipalID:  {id},
			ExtraPrincipalID:  {id},
		},
	}
}
