package controlplane

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/cache"

	"tripod/internal/kubecall"
)

// extensionAccess says who may have what of the extensions, as an API server that others extend does by Kubernetes' library: API
// servers show the certificate of the front proxy and name whom they ask for in headers, and what these may is the API
// server's to say, by a SubjectAccessReview whose answer counts for ten seconds.
type extensionAccess struct {
	zones, proxies *x509.CertPool // authorities of the zones' own certificates, and of the front proxy's
	reviews        string         // URL
	calls          *http.Client
	known          *cache.LRUExpireCache // statuses, by the JSON of what they are about
}

const (
	reviewsPath = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
	// verdictLife is Kubernetes' for allowed and denied (DelegatingAuthorizationOptions).
	verdictLife  = 10 * time.Second
	mostVerdicts = 1024
	reviewTime   = 10 * time.Second
)

// signed says whether a client has a certificate of an authority, with that name.
func signed(certificates []*x509.Certificate, by *x509.CertPool, name string) bool {
	if len(certificates) == 0 || certificates[0].Subject.CommonName != name {
		return false
	}
	_, err := certificates[0].Verify(x509.VerifyOptions{Roots: by, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return err == nil
}

// isZone says whether a client is a zone of the region.
func (a *extensionAccess) isZone(certificates []*x509.Certificate) bool {
	return signed(certificates, a.zones, "eks:tripod")
}

// admit says whether a request is to be answered; where not, it has answered.
func (a *extensionAccess) admit(w http.ResponseWriter, r *http.Request, certificates []*x509.Certificate) bool {
	review := authorizationv1.SubjectAccessReviewSpec{User: r.Header.Get("X-Remote-User"), UID: r.Header.Get("X-Remote-Uid"),
		Groups: r.Header.Values("X-Remote-Group")}
	if !signed(certificates, a.proxies, "front-proxy-client") || review.User == "" {
		refuse(w, http.StatusUnauthorized, metav1.StatusReasonUnauthorized, "Unauthorized")
		return false
	}
	if slices.Contains(review.Groups, "system:masters") {
		return true
	}
	if review.User != "system:anonymous" && !slices.Contains(review.Groups, "system:authenticated") {
		review.Groups = append(slices.Clone(review.Groups), "system:authenticated")
	}
	for name, values := range r.Header {
		if key, isExtra := strings.CutPrefix(strings.ToLower(name), "x-remote-extra-"); isExtra {
			if unescaped, err := url.PathUnescape(key); err == nil {
				key = unescaped
			}
			if review.Extra == nil {
				review.Extra = map[string]authorizationv1.ExtraValue{}
			}
			review.Extra[key] = values
		}
	}
	review.ResourceAttributes, review.NonResourceAttributes = accessOf(r)
	said, err := a.review(r.Context(), review)
	if err != nil {
		refuse(w, http.StatusInternalServerError, metav1.StatusReasonInternalError, fmt.Sprintf("Internal Server Error: %q: %v", r.URL.Path, err))
		return false
	}
	if !said.Allowed {
		refuse(w, http.StatusForbidden, metav1.StatusReasonForbidden, refusal(review, said.Reason))
	}
	return said.Allowed
}

// accessOf is what a request is for, as Kubernetes reads its path.
func accessOf(r *http.Request) (*authorizationv1.ResourceAttributes, *authorizationv1.NonResourceAttributes) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	verb := map[string]string{http.MethodGet: "get", http.MethodHead: "get", http.MethodPost: "create", http.MethodPut: "update",
		http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	if len(parts) < 4 || parts[0] != "apis" {
		return nil, &authorizationv1.NonResourceAttributes{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}
	}
	of := &authorizationv1.ResourceAttributes{Verb: verb, Group: parts[1], Version: parts[2]}
	parts = parts[3:]
	if parts[0] == "namespaces" && len(parts) > 2 {
		of.Namespace, parts = parts[1], parts[2:]
	}
	of.Resource = parts[0]
	if len(parts) > 1 {
		of.Name = parts[1]
	}
	if len(parts) > 2 {
		of.Subresource = parts[2]
	}
	if watch := r.URL.Query().Get("watch"); of.Name == "" && verb == "get" {
		of.Verb = "list"
		if watch == "true" || watch == "1" {
			of.Verb = "watch"
		}
	}
	return of, nil
}

// refusal is what an API server says.
func refusal(s authorizationv1.SubjectAccessReviewSpec, reason string) string {
	if path := s.NonResourceAttributes; path != nil {
		return strings.TrimSuffix(fmt.Sprintf("forbidden: User %q cannot %s path %q: %s", s.User, path.Verb, path.Path, reason), ": ")
	}
	r, named, where := s.ResourceAttributes, "", " at the cluster scope"
	if r.Name != "" {
		named = fmt.Sprintf(" %q", r.Name)
	}
	if r.Namespace != "" {
		where = fmt.Sprintf(" in the namespace %q", r.Namespace)
	}
	resource := r.Resource
	if r.Subresource != "" {
		resource += "/" + r.Subresource
	}
	return strings.TrimSuffix(fmt.Sprintf("%s.%s%s is forbidden: User %q cannot %s resource %q in API group %q%s: %s", r.Resource, r.Group,
		named, s.User, r.Verb, resource, r.Group, where, reason), ": ")
}

// review asks the API server, or remembers.
func (a *extensionAccess) review(ctx context.Context, s authorizationv1.SubjectAccessReviewSpec) (
	said authorizationv1.SubjectAccessReviewStatus, err error) {
	key, err := json.Marshal(s)
	if err != nil {
		return said, err
	}
	if known, found := a.known.Get(string(key)); found {
		return known.(authorizationv1.SubjectAccessReviewStatus), nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	review := authorizationv1.SubjectAccessReview{
		TypeMeta: metav1.TypeMeta{APIVersion: authorizationv1.SchemeGroupVersion.String(), Kind: "SubjectAccessReview"}, Spec: s}
	request, err := kubecall.NewRequest(ctx, http.MethodPost, a.reviews, "", review)
	if err != nil {
		return said, err
	}
	var answer authorizationv1.SubjectAccessReview
	if err := kubecall.Do(a.calls, request, &answer); err != nil {
		return said, err
	}
	a.known.Add(string(key), answer.Status, verdictLife)
	return answer.Status, nil
}
