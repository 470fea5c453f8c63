package door

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/serviceaccount"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Guard lets nobody in by the port who shows a token: the cluster's endpoint is for them, which asks for access first.
// Whoever says nothing about who he is may, as that gives no more than an API server's health; and so may the service
// accounts of the controllers, which run in the same zone.
type Guard struct {
	authenticator.Request
	// Controllers says whether a service account of kube-system is a controller's, by its name.
	Controllers func(name string) bool
}

var errPastTheEndpoint = errors.New("tokens are taken at the cluster's endpoint, not at an API server's own port")

// AuthenticateRequest says who makes a request, as the authenticators that it guards do.
func (g Guard) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	response, ok, err := g.Request.AuthenticateRequest(r)
	if err != nil || !ok || isReview(r) || isInside(r) || g.mayUsePort(response.User) {
		return response, ok, err
	}
	return nil, false, errPastTheEndpoint
}

// isReview says that a request is none that came in by any door, but a TokenReview's question about a token: upstream's
// storage of these makes one with a header and nothing else, while what a server has read has a URL.
func isReview(r *http.Request) bool { return r.URL == nil && r.RemoteAddr == "" }

func isInside(r *http.Request) bool {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && address.Port() == 0
}

// accounts is the beginning of the names of kube-system's service accounts.
const accounts = "system:serviceaccount:kube-system:"

// mayUsePort says whether somebody has shown a certificate, or is the API server itself, a controller, or nobody. A token
// that was made for a pod is no controller's, whatever the account: whoever may create pods in kube-system has one.
func (g Guard) mayUsePort(u user.Info) bool {
	if u.GetName() == user.APIServerUser || u.GetName() == user.Anonymous {
		return true
	}
	if account, found := strings.CutPrefix(u.GetName(), accounts); found {
		return g.Controllers(account) && len(u.GetExtra()[serviceaccount.PodNameKey]) == 0
	}
	return slices.ContainsFunc(u.GetExtra()[user.CredentialIDKey],
		func(id string) bool { return strings.HasPrefix(id, "X509SHA256=") })
}
