package az

import (
	"errors"
	"strings"
	"testing"

	"tripod/region"
)

// TestGatewayLeadsToNamedProvidersAndTheirKeys: what a user named with --oidc-issuer is reached, for a cluster whose provider is named, and never at
// an address of a network around this machine.
func TestGatewayLeadsToNamedProvidersAndTheirKeys(t *testing.T) {
	for _, c := range []struct {
		named    []string
		provider string
		host     string
		want     bool
	}{
		{[]string{"login.example.com:443"}, "https://login.example.com/realms/main", "login.example.com", true},
		{[]string{"login.example.com:443", "keys.example.com:443"}, "https://login.example.com", "keys.example.com", true},
		{[]string{"login.example.com:443"}, "https://login.example.com", "keys.example.com", false},
		{[]string{"login.example.com:8443"}, "https://login.example.com", "login.example.com", false},
		{[]string{"keys.example.com:443"}, "https://login.example.com", "login.example.com", false},
		{[]string{"keys.example.com:443"}, "https://login.example.com", "keys.example.com", false},
		{[]string{"keys.example.com:443"}, "https://localhost:5556", "keys.example.com", false},
		{[]string{"keys.example.com:443"}, "", "keys.example.com", false},
	} {
		z := newRouter()
		z.config.OIDCIssuers = c.named
		if c.provider != "" {
			z.clusters[clusterID].provider.Store(&region.IdentityProvider{ClusterID: clusterID, IssuerURL: c.provider})
		}
		to, err := z.route(t.Context(), c.host, 443)
		if got := err == nil && to.address == c.host+":443"; got != c.want || !got && !errors.Is(err, errDenied) {
			t.Errorf("%v, provider %s: %s leads to %+v (%v), want that it is reached: %v", c.named, c.provider, c.host, to, err, c.want)
		}
		if !c.want {
			continue
		}
		for address, want := range map[string]bool{"93.184.215.14:443": true, "127.0.0.1:443": true, "169.254.169.254:443": false, "10.0.0.2:443": false, "[fd00:ec2::254]:443": false} {
			if err := to.dialer.Control("tcp", address, nil); (err == nil) != want {
				t.Errorf("%s at %s: got %v, want it reached: %v", c.host, address, err, want)
			}
		}
	}
}

// TestFarProviderIsToldHowToReachIt: the sentence ends in the API server's log.
func TestFarProviderIsToldHowToReachIt(t *testing.T) {
	z := newRouter()
	z.clusters[clusterID].provider.Store(&region.IdentityProvider{ClusterID: clusterID, IssuerURL: "https://login.example.com:8443"})
	const want = "'tripod up --oidc-issuer https://login.example.com:8443'"
	if _, err := z.route(t.Context(), "login.example.com", 8443); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestGatewayLeadsToTheProviderOnLoopbackOnly: the address of a cluster's identity provider is the one hole in the gateway, and it ends here while the
// user has named nobody else.
func TestGatewayLeadsToTheProviderOnLoopbackOnly(t *testing.T) {
	z := newRouter()
	z.clusters[clusterID].provider.Store(&region.IdentityProvider{ClusterID: clusterID, IssuerURL: "https://raft-b.tripod.internal:20001"})
	if to, err := z.route(t.Context(), "raft-b.tripod.internal", 20001); err != nil || to.zone != "us-east-1b" {
		t.Errorf("a provider with a name of the region took that: it leads to %+v (%v)", to, err)
	}
	for issuer, c := range map[string]struct {
		host string
		port int
		want string // address; empty: denied
	}{
		"https://localhost:5556/dex":         {"localhost", 5556, "localhost:5556"},
		"https://127.0.0.1:8443/realms/main": {"127.0.0.1", 8443, "127.0.0.1:8443"},
		"https://[::1]":                      {"::1", 443, "[::1]:443"},
		"https://127.0.0.1:8444":             {"127.0.0.1", 8443, ""},
		"https://localhost:5557":             {"127.0.0.1", 5557, ""},
		"https://login.example.com":          {"login.example.com", 443, ""},
		"https://192.168.0.7":                {"192.168.0.7", 443, ""},
		"https://169.254.169.254":            {"169.254.169.254", 443, ""},
		"https://localhost.example.com":      {"localhost.example.com", 443, ""},
	} {
		z := newRouter()
		z.clusters[clusterID].provider.Store(&region.IdentityProvider{ClusterID: clusterID, IssuerURL: issuer})
		to, err := z.route(t.Context(), c.host, c.port)
		if denied := errors.Is(err, errDenied); to.address != c.want || denied != (c.want == "") {
			t.Errorf("%s: %s:%d leads to %+v (%v), want %q", issuer, c.host, c.port, to, err, c.want)
		}
	}
}
