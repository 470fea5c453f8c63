package explain

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tripod/api"
	"tripod/iam"
)

// Names that Kubernetes gives ("Authenticating" of its documentation).
const (
	serviceAccountPrefix = "system:serviceaccount:" // NAMESPACE:NAME follows
	serviceAccountGroup  = "system:serviceaccounts" // of all; with a colon and the namespace, of those in it
	anonymous            = "system:anonymous"
)

// errGroups is the answer to a question about the groups of somebody whose groups are known.
var errGroups = errors.New("groups are said of user:NAME alone: those of service accounts and IAM's principals " +
	"follow from what lets them in")

// identify says whom the cluster takes somebody for. principal is nil where that is nobody of IAM's: access policies do
// not count for such users.
func (c Cluster) identify(ctx context.Context, question api.AccessQuestion) (identity api.Identity,
	principal *iam.Principal, err error) {
	name, isUser := strings.CutPrefix(question.Principal, "user:")
	isServiceAccount := strings.HasPrefix(name, serviceAccountPrefix)
	switch {
	case len(question.Groups) > 0 && (isServiceAccount || !isUser):
		return identity, nil, errGroups
	case isServiceAccount:
		identity, err = c.serviceAccount(ctx, name)
		return identity, nil, err
	case isUser && name == "":
		return identity, nil, errors.New("user: lacks the name: write user:NAME")
	case isUser:
		return api.Identity{Cluster: c.Name, Username: name, Groups: question.Groups,
			By: "a client certificate or an OIDC identity provider: which one is not asked here"}, nil, nil
	}
	p, err := iam.PrincipalNamed(c.Admits.State, c.Account, question.Principal)
	if err != nil {
		return api.Identity{Refusal: err.Error()}, nil, nil
	}
	identity, err = c.Admits.Explain(p)
	return identity, &p, err
}

// serviceAccount is whom API servers make of a service account's token, if there is one.
func (c Cluster) serviceAccount(ctx context.Context, username string) (api.Identity, error) {
	namespace, name, _ := strings.Cut(strings.TrimPrefix(username, serviceAccountPrefix), ":")
	if namespace == "" || name == "" || strings.Contains(name, ":") {
		return api.Identity{}, fmt.Errorf("%q names no service account: write %sNAMESPACE:NAME", username,
			serviceAccountPrefix)
	}
	err := c.Server.call(ctx, http.MethodGet,
		"/api/v1/namespaces/"+url.PathEscape(namespace)+"/serviceaccounts/"+url.PathEscape(name), nil, &struct{}{})
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return api.Identity{Cluster: c.Name, Refusal: fmt.Sprintf("the namespace %q has no service "+
			"account %q", namespace, name)}, nil
	case err != nil:
		return api.Identity{}, err
	}
	return api.Identity{Cluster: c.Name, By: "the service account's own token, which API servers check themselves",
		Username: username,
		Groups:   []string{serviceAccountGroup, serviceAccountGroup + ":" + namespace}}, nil
}

// everyGroup are the user's groups with the one that everybody is in.
func everyGroup(user api.Identity) []string {
	if user.Username == anonymous {
		return append(slices.Clone(user.Groups), "system:unauthenticated")
	}
	return append(slices.Clone(user.Groups), "system:authenticated")
}
