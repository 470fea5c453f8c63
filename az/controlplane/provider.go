package controlplane

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"time"

	"tripod/apiserver/launch"
	"tripod/az/gateway"
	"tripod/iam"
	"tripod/region"
	"tripod/state"
)

// keepProvider writes down for the API server which identity provider the cluster has.
func (c *Part) keepProvider(context.Context) (time.Duration, error) {
	if !c.readProvider() {
		return 0, nil
	}
	if err := c.launchOptions("apiserver").WriteAuthentication(); err != nil {
		return 0, err
	}
	c.providerWritten = c.provider.Load()
	return 0, nil
}

// readProvider notes the cluster's identity provider, and says whether it is another one than what is written down.
func (c *Part) readProvider() (changed bool) {
	var found *region.IdentityProvider
	err := c.host.State.View(func(tx *state.Txn) error {
		for _, p := range region.IdentityProviders.Part(c.cluster.ID+"/").After(tx, "") {
			found = &p
		}
		return nil
	})
	if err != nil {
		return false // what was known is better than nothing
	}
	c.provider.Store(found)
	written := c.providerWritten
	if written == nil || found == nil {
		return written != found
	}
	return written.ARN != found.ARN // a provider is never changed, only replaced
}

// launchProvider is the provider as an API server is told of it.
func (c *Part) launchProvider() *launch.Provider {
	p := c.provider.Load()
	if p == nil {
		return nil
	}
	told := &launch.Provider{
		IssuerURL: p.IssuerURL, ClientID: p.ClientID, UsernameClaim: p.UsernameClaim, UsernamePrefix: p.UsernamePrefix,
		GroupsClaim: p.GroupsClaim, GroupsPrefix: p.GroupsPrefix, RequiredClaims: maps.Clone(p.RequiredClaims),
	}
	// another cluster of the region
	if host, port := gateway.IssuerAddress(p.IssuerURL); port == c.host.Plan.AWSPort && iam.OnLoopback(host) {
		if text, err := os.ReadFile(filepath.Join(c.host.Plan.PKI, "region-ca.crt")); err == nil {
			told.CertificateAuthority = string(text)
		}
	}
	return told
}
