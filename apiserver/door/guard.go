package door

import (
	"errors"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
)

// Guard lets nobody in by the port who shows a token: the cluster's endpoint is for them, which asks for access first.
// Whoever says nothing about who he is may, as that gives no more than an API server's health; and so may the service
// accounts of kube-system, whose tokens the controllers use.
type Guard struct{ authenticator.Request }

var errPastTheEndpoint = errors.New("tokens are taken at the cluster's endpoint, not at an API server's own port")

// AuthenticateRequest says who makes a request, as the authenticators that it guards do.
func (g Guard) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	response, ok, err := g.Request.AuthenticateRequest(r)
	if err != nil || !ok || isInside(r) || mayUsePort(response.User) {
		return response, ok, err
	}
	return nil, false, errPastTheEndpoint
}

func isInside(r *http.Request) bool {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && address.Port() == 0
}

// controllers is the beginning of the names of kube-system's service accounts.
const controllers = "system:serviceaccount:kube-system:"

// mayUsePort says whether somebody has shown a certificate, or is the API server itself, or nobody.
func mayUsePort(u user.Info) bool {
	if u.GetName() == user.APIServerUser || u.GetName() == user.Anonymous || strings.HasPrefix(u.GetName(), controllers) {
		return true
	}
	return slices.ContainsFunc(u.GetExtra()[user.CredentialIDKey],
		func(id string) bool { return strings.HasPrefix(id, "X509SHA256=") })
}
