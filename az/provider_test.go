package az

import (
	"errors"
	"testing"

	"tripod/region"
)

// TestGatewayLeadsToTheProviderOnLoopbackOnly: the address of a cluster's identity provider is the one hole in the gateway, and it ends here.
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
