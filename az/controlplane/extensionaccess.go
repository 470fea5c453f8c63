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
	"sync"
	"time"

	"tripod/internal/kubecall"
)

// extensionAccess says who may have what of the extensions, as an API server that others extend does by Kubernetes' library: API
// servers show the certificate of the front proxy and name whom they ask for in headers, and what these may is the API
// server's to say, by a SubjectAccessReview whose answer counts for ten seconds.
type extensionAccess struct {
	zones, proxies *x509.CertPool // authorities of the zones' own certificates, and of the front proxy's
	reviews        string         // URL
	calls          *http.Client
	now            func() time.Time

	mu    sync.Mutex
	known map[string]verdict // by the review's text
}

// verdict is what the API server has said.
type verdict struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"`
	until   time.Time
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

// spec is a SubjectAccessReview's.
type spec struct {
	User        string              `json:"user"`
	UID         string              `json:"uid,omitempty"`
	Groups      []string            `json:"groups,omitempty"`
	Extra       map[string][]string `json:"extra,omitempty"`
	Resource    *resourceAccess     `json:"resourceAttributes,omitempty"`
	NonResource *pathAccess         `json:"nonResourceAttributes,omitempty"`
}

type resourceAccess struct {
	Namespace   string `json:"namespace,omitempty"`
	Verb        string `json:"verb"`
	Group       string `json:"group"`
	Version     string `json:"version"`
	Resource    string `json:"resource"`
	Subresource string `json:"subresource,omitempty"`
	Name        string `json:"name,omitempty"`
}

type pathAccess struct {
	Path string `json:"path"`
	Verb string `json:"verb"`
}

// admit says whether a request is to be answered; where not, it has answered.
func (a *extensionAccess) admit(w http.ResponseWriter, r *http.Request, certificates []*x509.Certificate) bool {
	review := spec{User: r.Header.Get("X-Remote-User"), UID: r.Header.Get("X-Remote-Uid"), Groups: r.Header.Values("X-Remote-Group")}
	if !signed(certificates, a.proxies, "front-proxy-client") || review.User == "" {
		refuse(w, http.StatusUnauthorized, "Unauthorized", "Unauthorized")
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
				review.Extra = map[string][]string{}
			}
			review.Extra[key] = values
		}
	}
	review.Resource, review.NonResource = accessOf(r)
	said, err := a.review(r.Context(), review)
	if err != nil {
		refuse(w, http.StatusInternalServerError, "InternalError", fmt.Sprintf("Internal Server Error: %q: %v", r.URL.Path, err))
		return false
	}
	if !said.Allowed {
		refuse(w, http.StatusForbidden, "Forbidden", review.refusal(said.Reason))
	}
	return said.Allowed
}

// accessOf is what a request is for, as Kubernetes reads its path.
func accessOf(r *http.Request) (*resourceAccess, *pathAccess) {
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	verb := map[string]string{http.MethodGet: "get", http.MethodHead: "get", http.MethodPost: "create", http.MethodPut: "update",
		http.MethodPatch: "patch", http.MethodDelete: "delete"}[r.Method]
	if len(parts) < 4 || parts[0] != "apis" {
		return nil, &pathAccess{Path: r.URL.Path, Verb: strings.ToLower(r.Method)}
	}
	of := &resourceAccess{Verb: verb, Group: parts[1], Version: parts[2]}
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
func (s spec) refusal(reason string) string {
	if s.NonResource != nil {
		return strings.TrimSuffix(fmt.Sprintf("forbidden: User %q cannot %s path %q: %s", s.User, s.NonResource.Verb, s.NonResource.Path, reason),
			": ")
	}
	r, named, where := s.Resource, "", " at the cluster scope"
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
func (a *extensionAccess) review(ctx context.Context, s spec) (verdict, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return verdict{}, err
	}
	now := a.now()
	a.mu.Lock()
	said, found := a.known[string(text)]
	a.mu.Unlock()
	if found && now.Before(said.until) {
		return said, nil
	}
	ctx, cancel := context.WithTimeout(ctx, reviewTime)
	defer cancel()
	request, err := kubecall.NewRequest(ctx, http.MethodPost, a.reviews, "",
		map[string]any{"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": json.RawMessage(text)})
	if err != nil {
		return verdict{}, err
	}
	var answer struct{ Status verdict }
	if err := kubecall.Do(a.calls, request, &answer); err != nil {
		return verdict{}, err
	}
	said = answer.Status
	said.until = now.Add(verdictLife)
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.known) >= mostVerdicts || a.known == nil {
		a.known = map[string]verdict{}
	}
	a.known[string(text)] = said
	return said, nil
}

func jsonText(text string) string {
	quoted, _ := json.Marshal(text) // a string has no error
	return string(quoted)
}
