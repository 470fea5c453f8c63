// Package kubeletauth lets to a zone's kubelets whom theirs let on EKS: who bears a certificate of the cluster's authority
// or a token that the API server knows, and may do what is asked with the node (nodes/metrics, nodes/stats, nodes/proxy,
// ...), as the API server says. Answers are believed for as long as a kubelet does.
package kubeletauth

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"
	"k8s.io/client-go/kubernetes"
)

// How long answers are believed: a kubelet's defaults (authentication.webhook.cacheTTL, authorization.webhook.*TTL).
const (
	tokenLife   = 2 * time.Minute
	allowedLife = 5 * time.Minute
	deniedLife  = 30 * time.Second
)

const (
	mostAnswers  = 4096 // that are believed at once
	mostReviews  = 32   // that are under way at once
	longestToken = 16 << 10
	reviewTime   = 10 * time.Second
)

// everything is the group that the API server refuses nothing: it is not asked about it.
const everything = "system:masters"

// Guard stands before the kubelets of a zone.
type Guard struct {
	authorities *x509.CertPool
	client      kubernetes.Interface
	as          func(ctx context.Context, node string) context.Context
	answers     *cache.LRUExpireCache
	reviews     chan struct{}
}

// New returns a Guard that believes certificates of these authorities, and asks the client about all else, in the context
// that as makes a node's.
func New(authorities *x509.CertPool, client kubernetes.Interface, as func(ctx context.Context, node string) context.Context) *Guard {
	return &Guard{authorities: authorities, client: client, as: as, answers: cache.NewLRUExpireCache(mostAnswers),
		reviews: make(chan struct{}, mostReviews)}
}

// Admit says whether a node's kubelet does what is asked of it. Where not, it has answered as a kubelet does.
func (g *Guard) Admit(w http.ResponseWriter, r *http.Request, node string) bool {
	who, err := g.who(r, node)
	if err != nil {
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
		return false
	}
	verb, subresources := wanted(r)
	for _, subresource := range subresources {
		allowed, err := g.allowed(r.Context(), node, who, verb, subresource)
		if err != nil {
			http.Error(w, fmt.Sprintf("Authorization error (user=%s, verb=%s, resource=nodes, subresource=%s)", who.Username, verb,
				subresource), http.StatusInternalServerError)
			return false
		}
		if allowed {
			return true
		}
	}
	http.Error(w, fmt.Sprintf("Forbidden (user=%s, verb=%s, resource=nodes, subresource(s)=%v)", who.Username, verb, subresources),
		http.StatusForbidden)
	return false
}

var errUnknown = errors.New("neither a certificate nor a token that is known")

// who asks. A certificate counts before a token.
func (g *Guard) who(r *http.Request, node string) (authenticationv1.UserInfo, error) {
	if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
		chain := x509.VerifyOptions{Roots: g.authorities, Intermediates: x509.NewCertPool(),
			KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
		for _, cert := range r.TLS.PeerCertificates[1:] {
			chain.Intermediates.AddCert(cert)
		}
		leaf := r.TLS.PeerCertificates[0]
		if _, err := leaf.Verify(chain); err == nil && g.authorities != nil && leaf.Subject.CommonName != "" {
			return authenticationv1.UserInfo{Username: leaf.Subject.CommonName, Groups: leaf.Subject.Organization}, nil
		}
	}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token = strings.TrimSpace(token); !ok || token == "" || len(token) > longestToken {
		return authenticationv1.UserInfo{}, errUnknown
	}
	return g.bearer(r.Context(), node, token)
}

// bearer is who has a token.
func (g *Guard) bearer(ctx context.Context, node, token string) (authenticationv1.UserInfo, error) {
	sum := sha256.Sum256([]byte(token))
	key := "token/" + hex.EncodeToString(sum[:])
	if known, ok := g.answers.Get(key); ok {
		status := known.(authenticationv1.TokenReviewStatus)
		return status.User, errorUnless(status.Authenticated)
	}
	ctx, end, err := g.review(ctx, node)
	if err != nil {
		return authenticationv1.UserInfo{}, err
	}
	defer end()
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review, err = g.client.AuthenticationV1().TokenReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return authenticationv1.UserInfo{}, fmt.Errorf("token review: %w", err)
	}
	g.answers.Add(key, review.Status, tokenLife)
	return review.Status.User, errorUnless(review.Status.Authenticated)
}

func errorUnless(authenticated bool) error {
	if !authenticated {
		return errUnknown
	}
	return nil
}

// allowed says whether somebody may do that with a part of a node.
func (g *Guard) allowed(ctx context.Context, node string, who authenticationv1.UserInfo, verb, subresource string) (bool, error) {
	if slices.Contains(who.Groups, everything) {
		return true, nil
	}
	spec := authorizationv1.SubjectAccessReviewSpec{
		User: who.Username, UID: who.UID, Groups: who.Groups, Extra: map[string]authorizationv1.ExtraValue{},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Version: "v1", Resource: "nodes", Subresource: subresource,
			Name: node},
	}
	for name, values := range who.Extra {
		spec.Extra[name] = authorizationv1.ExtraValue(values)
	}
	text, err := json.Marshal(spec) // one that two specs do not share, as they may share what String says
	if err != nil {
		return false, err
	}
	key := "access/" + string(text)
	if known, ok := g.answers.Get(key); ok {
		return known.(bool), nil
	}
	ctx, end, err := g.review(ctx, node)
	if err != nil {
		return false, err
	}
	defer end()
	review, err := g.client.AuthorizationV1().SubjectAccessReviews().Create(ctx,
		&authorizationv1.SubjectAccessReview{Spec: spec}, metav1.CreateOptions{})
	if err != nil {
		return false, fmt.Errorf("subject access review: %w", err)
	}
	life := deniedLife
	if review.Status.Allowed {
		life = allowedLife
	}
	g.answers.Add(key, review.Status.Allowed, life)
	return review.Status.Allowed, nil
}

// review waits until one more question may be asked, which ends with end.
func (g *Guard) review(ctx context.Context, node string) (_ context.Context, end func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	select {
	case g.reviews <- struct{}{}:
		return g.as(ctx, node), func() { <-g.reviews; cancel() }, nil
	case <-ctx.Done():
		cancel()
		return nil, nil, ctx.Err()
	}
}
